//! A case: the work that one or more rows are measured by, in a process of its own.

mod array;
mod connection;
mod crowd;
mod idle;
mod idle_pool;
mod manager;
mod plans;
mod pool;
mod queue;
mod start;
mod sync;

pub(crate) use plans::PLANS;

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
    /// Put and take.
    Queue(queue::What),
    /// Send a number to a child and back, so many times a round.
    Echo(u32),
    /// Send a child messages of that many bytes, so many a round.
    Flow(usize, u32),
    /// Use a pool.
    Pool(pool::Work),
    /// Watch a pool that nobody uses.
    IdlePool(Method),
    /// Have clients of a manager make so many calls each a round.
    Manager(manager::What, usize),
    /// Have one client among thousands make its calls.
    Crowd,
}

/// Serves one case to the runner: an order a line on stdin, figures a line on stdout.
pub(crate) fn serve(name: &str) -> Result<()> {
    let plan = PLANS.iter().find(|plan| plan.name == name).ok_or("unknown case")?;
    // Before the memory is touched: what a raw limit sets up must not depend on it.
    let mut case: Box<dyn Case> = match plan.work {
        Work::Start(method, count) => Box::new(start::Start::new(method, count)?),
        Work::Idle(method) => Box::new(idle::Idle::new(method)),
        Work::Pool(work) => Box::new(pool::Pools::new(work)?),
        Work::IdlePool(method) => Box::new(idle_pool::IdlePool::new(method)),
        Work::Arrays(len) => Box::new(array::Arrays::new(len)?),
        Work::Manager(what, count) => Box::new(manager::Managers::new(what, count)?),
        Work::Crowd => Box::new(crowd::Crowd::new()?),
        Work::Sync(what) => Box::new(sync::Sync(what)),
        Work::Queue(what) => Box::new(queue::Queues(what)),
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
