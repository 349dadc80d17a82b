//! A case: the work that one or more rows are measured by, in a process of its own.

mod array;
mod connection;
mod idle;
mod manager;
mod pool;
mod start;
mod sync;

use std::{
    io::{self, Write as _},
    time::Instant,
};

use crate::{Result, machine::Seats, memory, ours::Method};

/// One round's figures, one for each row of the case.
pub(crate) type Figures = Vec<f64>;

/// Both sides of a comparison. Each call is one round of one side.
pub(crate) trait Case {
    /// Measures ours.
    fn ours(&mut self) -> Result<Figures>;

    /// Measures the raw limit.
    fn limit(&mut self) -> Result<Figures>;
}

/// What is known of a case before it runs.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// The rows that its figures belong to, in their order.
    pub(crate) rows: &'static [&'static str],
    /// Cases of the same family take turns, so their figures can be compared with each other.
    pub(crate) family: &'static str,
    /// What the measuring process has touched beforehand.
    pub(crate) touched_mib: usize,
    /// Which core each process of the case has to itself, or shares.
    pub(crate) seats: Seats,
    /// What CPython is asked for: see `python/serve.py`; empty where it is not asked.
    pub(crate) python: &'static str,
    work: Work,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    /// Start and join an empty function, so many times a round.
    Start(Method, u32),
    /// Weigh an idle child.
    Idle(Method),
    /// Go through an array of that many items.
    Arrays(usize),
    /// Lock, wait and wake.
    Sync(sync::What),
    /// Send a number to a child and back, so many times a round.
    Echo(u32),
    /// Send a child messages of that many bytes, so many a round.
    Flow(usize, u32),
    /// Have clients of a manager make so many calls each a round.
    Manager(manager::What, usize),
    /// Use a pool.
    Pool(pool::Work),
}

/// Every case, in the order of the table.
pub(crate) const PLANS: &[Plan] = &[
    Plan {
        name: "start.fork",
        rows: &["start.fork"],
        family: "fork",
        touched_mib: 1,
        seats: Seats::Any,
        python: "start fork 20",
        work: Work::Start(Method::Fork, 200),
    },
    Plan {
        name: "start.spawn",
        rows: &["start.spawn"],
        family: "spawn",
        touched_mib: 1,
        seats: Seats::Any,
        python: "start spawn 3",
        work: Work::Start(Method::Spawn, 80),
    },
    Plan {
        name: "start.forkserver",
        rows: &["start.forkserver"],
        family: "forkserver",
        touched_mib: 1,
        seats: Seats::Any,
        python: "start forkserver 10",
        work: Work::Start(Method::Forkserver, 200),
    },
    Plan {
        name: "start.fork.512m",
        rows: &["start.fork.512m"],
        family: "fork",
        touched_mib: 512,
        seats: Seats::Any,
        python: "start fork 5",
        work: Work::Start(Method::Fork, 10),
    },
    Plan {
        name: "start.spawn.512m",
        rows: &["start.spawn.512m"],
        family: "spawn",
        touched_mib: 512,
        seats: Seats::Any,
        python: "start spawn 3",
        work: Work::Start(Method::Spawn, 80),
    },
    Plan {
        name: "start.forkserver.512m",
        rows: &["start.forkserver.512m"],
        family: "forkserver",
        touched_mib: 512,
        seats: Seats::Any,
        python: "start forkserver 10",
        work: Work::Start(Method::Forkserver, 200),
    },
    Plan {
        name: "idle.spawn",
        rows: &["idle.spawn.rss", "idle.spawn.pss"],
        family: "idle.spawn",
        touched_mib: 0,
        seats: Seats::Any,
        python: "idle spawn",
        work: Work::Idle(Method::Spawn),
    },
    Plan {
        name: "idle.fork",
        rows: &["idle.fork.rss", "idle.fork.pss"],
        family: "idle.fork",
        touched_mib: 0,
        seats: Seats::Any,
        python: "idle fork",
        work: Work::Idle(Method::Fork),
    },
    Plan {
        name: "connection.roundtrip.onecore",
        rows: &["connection.roundtrip.onecore"],
        family: "connection.roundtrip.onecore",
        touched_mib: 0,
        seats: Seats::One,
        python: "echo one 5000",
        work: Work::Echo(20_000),
    },
    Plan {
        name: "connection.roundtrip.cross",
        rows: &["connection.roundtrip.cross"],
        family: "connection.roundtrip.cross",
        touched_mib: 0,
        seats: Seats::Two,
        python: "echo two 5000",
        work: Work::Echo(10_000),
    },
    Plan {
        name: "connection.64b",
        rows: &["connection.64b"],
        family: "connection.64b",
        touched_mib: 0,
        seats: Seats::Two,
        python: "flow 64 100000",
        work: Work::Flow(64, 300_000),
    },
    Plan {
        name: "connection.4k",
        rows: &["connection.4k"],
        family: "connection.4k",
        touched_mib: 0,
        seats: Seats::Two,
        python: "flow 4096 60000",
        work: Work::Flow(4 << 10, 150_000),
    },
    Plan {
        name: "connection.1m",
        rows: &["connection.1m"],
        family: "connection.1m",
        touched_mib: 0,
        seats: Seats::Two,
        python: "flow 1048576 300",
        work: Work::Flow(1 << 20, 2_000),
    },
    Plan {
        name: "lock.uncontended",
        rows: &["lock.uncontended"],
        family: "lock.uncontended",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pairs Lock",
        work: Work::Sync(sync::What::Lock),
    },
    Plan {
        name: "rlock.uncontended",
        rows: &["rlock.uncontended"],
        family: "rlock.uncontended",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pairs RLock",
        work: Work::Sync(sync::What::RLock),
    },
    Plan {
        name: "mutex.uncontended",
        rows: &["mutex.uncontended"],
        family: "mutex.uncontended",
        touched_mib: 0,
        seats: Seats::Any,
        python: "",
        work: Work::Sync(sync::What::Mutex),
    },
    Plan {
        name: "lock.counter2",
        rows: &["lock.counter2"],
        family: "lock.counter2",
        touched_mib: 0,
        seats: Seats::Any,
        python: "",
        work: Work::Sync(sync::What::Counter),
    },
    Plan {
        name: "event.roundtrip.onecore",
        rows: &["event.roundtrip.onecore"],
        family: "event.roundtrip.onecore",
        touched_mib: 0,
        seats: Seats::Any,
        python: "",
        work: Work::Sync(sync::What::Event { cross: false }),
    },
    Plan {
        name: "event.roundtrip.cross",
        rows: &["event.roundtrip.cross"],
        family: "event.roundtrip.cross",
        touched_mib: 0,
        seats: Seats::Any,
        python: "",
        work: Work::Sync(sync::What::Event { cross: true }),
    },
    Plan {
        name: "condition.roundtrip.onecore",
        rows: &["condition.roundtrip.onecore"],
        family: "condition.roundtrip.onecore",
        touched_mib: 0,
        seats: Seats::Any,
        python: "",
        work: Work::Sync(sync::What::Condition { cross: false }),
    },
    Plan {
        name: "condition.roundtrip.cross",
        rows: &["condition.roundtrip.cross"],
        family: "condition.roundtrip.cross",
        touched_mib: 0,
        seats: Seats::Any,
        python: "",
        work: Work::Sync(sync::What::Condition { cross: true }),
    },
    Plan {
        name: "lock.death",
        rows: &["lock.death"],
        family: "lock.death",
        touched_mib: 0,
        seats: Seats::Any,
        python: "",
        work: Work::Sync(sync::What::Death),
    },
    Plan {
        name: "array",
        rows: &["array.sum", "array.copy"],
        family: "array",
        touched_mib: 0,
        seats: Seats::Any,
        python: "array 1000000",
        work: Work::Arrays(1_000_000),
    },
    Plan {
        name: "manager.dict.1",
        rows: &["manager.dict.1"],
        family: "manager.dict.1",
        touched_mib: 0,
        seats: Seats::Any,
        python: "manager dict 1 4000",
        work: Work::Manager(manager::What::Dict { clients: 1, tcp: false }, 20000),
    },
    Plan {
        name: "manager.dict.4",
        rows: &["manager.dict.4"],
        family: "manager.dict.4",
        touched_mib: 0,
        seats: Seats::Any,
        python: "manager dict 4 1000",
        work: Work::Manager(manager::What::Dict { clients: 4, tcp: false }, 10000),
    },
    Plan {
        name: "manager.dict.tcp",
        rows: &["manager.dict.tcp"],
        family: "manager.dict.tcp",
        touched_mib: 0,
        seats: Seats::Any,
        python: "manager tcp 1 2000",
        work: Work::Manager(manager::What::Dict { clients: 1, tcp: true }, 20000),
    },
    Plan {
        name: "manager.get1m",
        rows: &["manager.get1m"],
        family: "manager.get1m",
        touched_mib: 0,
        seats: Seats::Any,
        python: "manager long 1 100",
        work: Work::Manager(manager::What::Long, 500),
    },
    Plan {
        name: "manager.newproxy.tcp",
        rows: &["manager.newproxy.tcp"],
        family: "manager.newproxy.tcp",
        touched_mib: 0,
        seats: Seats::Any,
        python: "manager new 1 20",
        work: Work::Manager(manager::What::NewProxy, 5000),
    },
    Plan {
        name: "pool.map1m.serde",
        rows: &["pool.map1m.serde"],
        family: "pool.map",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool map1m",
        work: Work::Pool(pool::Work::Map),
    },
    Plan {
        name: "pool.single50k",
        rows: &["pool.single50k"],
        family: "pool.single",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool single50k",
        work: Work::Pool(pool::Work::Single),
    },
    Plan {
        name: "pool.imap_unordered50k",
        rows: &["pool.imap_unordered50k"],
        family: "pool.unordered",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool imap_unordered50k",
        work: Work::Pool(pool::Work::Unordered),
    },
    Plan {
        name: "pool.apply.hot",
        rows: &["pool.apply.hot"],
        family: "pool.hot",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool hot",
        work: Work::Pool(pool::Work::Hot),
    },
    Plan {
        name: "pool.apply.parked",
        rows: &["pool.apply.parked"],
        family: "pool.parked",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool parked",
        work: Work::Pool(pool::Work::Parked),
    },
    Plan {
        name: "pool.cpu.efficiency",
        rows: &["pool.cpu.efficiency"],
        family: "pool.cpu",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool cpu",
        work: Work::Pool(pool::Work::Cpu),
    },
    Plan {
        name: "pool.bytes100m",
        rows: &["pool.bytes100m"],
        family: "pool.bytes",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool bytes100m",
        work: Work::Pool(pool::Work::Bytes),
    },
    Plan {
        name: "pool.life.fork",
        rows: &["pool.life.fork"],
        family: "pool.life.fork",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool life.fork",
        work: Work::Pool(pool::Work::Life(Method::Fork)),
    },
    Plan {
        name: "pool.life.spawn",
        rows: &["pool.life.spawn"],
        family: "pool.life.spawn",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool life.spawn",
        work: Work::Pool(pool::Work::Life(Method::Spawn)),
    },
    Plan {
        name: "pool.life.forkserver",
        rows: &["pool.life.forkserver"],
        family: "pool.life.forkserver",
        touched_mib: 0,
        seats: Seats::Any,
        python: "pool life.forkserver",
        work: Work::Pool(pool::Work::Life(Method::Forkserver)),
    },
];

/// Serves one case to the runner: an order a line on stdin, figures a line on stdout.
pub(crate) fn serve(name: &str) -> Result<()> {
    let plan = PLANS.iter().find(|plan| plan.name == name).ok_or("unknown case")?;
    // Before the memory is touched: what a raw limit sets up must not depend on it.
    let mut case: Box<dyn Case> = match plan.work {
        Work::Start(method, count) => Box::new(start::Start::new(method, count)?),
        Work::Idle(method) => Box::new(idle::Idle::new(method)),
        Work::Pool(work) => Box::new(pool::Pools::new(work)?),
        Work::Arrays(len) => Box::new(array::Arrays::new(len)?),
        Work::Manager(what, count) => Box::new(manager::Managers::new(what, count)?),
        Work::Sync(what) => Box::new(sync::Sync(what)),
        Work::Echo(count) => Box::new(connection::Echo::new(plan.seats, count)?),
        Work::Flow(length, count) => Box::new(connection::Flow::new(plan.seats, length, count)?),
    };
    memory::touch(plan.touched_mib)?;

    // Not `lines()`, which would hold the lock of stdin across a fork.
    let mut order = String::new();
    while io::stdin().read_line(&mut order)? != 0 {
        let figures = match order.trim() {
            "ours" => case.ours()?,
            "limit" => case.limit()?,
            order => return Err(format!("unknown order `{order}`").into()),
        };
        let figures: Vec<_> = figures.iter().map(f64::to_string).collect();
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", figures.join(" "))?;
        stdout.flush()?;
        order.clear();
    }
    Ok(())
}

/// Returns the middle figure.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => figures[middle],
        _ => (figures[middle - 1] + figures[middle]) / 2.0,
    }
}

/// Does `f` so many times and returns the median of the microseconds that it took.
fn median_us<E>(count: u32, mut f: impl FnMut() -> std::result::Result<(), E>) -> Result<f64>
where
    Box<dyn std::error::Error>: From<E>,
{
    let mut figures = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let started = Instant::now();
        f()?;
        figures.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(figures))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    #[test]
    fn every_row_has_a_case_and_every_case_has_rows() {
        let mut of_cases: Vec<_> = PLANS.iter().flat_map(|plan| plan.rows).copied().collect();
        let mut of_table: Vec<_> = rows::all().unwrap().iter().map(|row| row.name).collect();
        of_cases.sort_unstable();
        of_table.sort_unstable();
        assert_eq!(of_cases, of_table);
    }

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), 3.0);
    }
}
