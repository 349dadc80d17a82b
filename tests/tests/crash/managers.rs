//! Managers with clients by the thousand, and clients that are killed.

use std::{fs, thread};

use multiproc::{
    Connection, Context, Failure, Manager,
    connection::Client,
    managers::{
        BaseManager, ListProxy, LockProxy, QueueProxy, SemaphoreProxy, TypedProxy, pickle::Object,
    },
};
use multiproc_tests::{TestResult, once, random::Random};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

once! {
    clients_by_the_thousand_are_cheap_and_hold_up_nobody,
    clients_killed_by_the_thousand_leave_nothing,
}

/// The memory of a process, in bytes.
fn resident(pid: u32) -> Result<usize, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: usize = text.split(' ').nth(1).ok_or("no number")?.parse()?;
    Ok(pages * rustix::param::page_size())
}

/// One that speaks the protocol itself, so that it can ask and not wait.
fn raw_client(manager: &BaseManager) -> Result<Connection<()>, Box<dyn std::error::Error>> {
    let key = multiproc::current_process().authkey();
    let connection: Connection<()> = Client::builder().authkey(key).connect(manager.address())?;
    ask(&connection, None, "accept_connection", vec!["raw".into()])?;
    let _: Object = connection.recv_object()?;
    Ok(connection)
}

fn ask(
    connection: &Connection<()>,
    ident: Option<&str>,
    method: &str,
    args: Vec<Object>,
) -> TestResult {
    let (args, kwargs) = (Object::Tuple(args), Object::Dict(vec![]));
    Ok(connection.send_object(&(ident, method, args, kwargs))?)
}

fn clients_by_the_thousand_are_cheap_and_hold_up_nobody() -> TestResult {
    const CLIENTS: usize = 2000;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    if maximum.is_some_and(|most| most < 4000) {
        return Err("too few descriptors are allowed here".into());
    }
    let manager = Manager::start()?;
    let (queue, dict) = (manager.queue::<i64>(0)?, manager.dict([("x".to_owned(), 7i64)])?);
    let server = manager.pid().ok_or("no pid")?;
    let before = resident(server)?;

    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let client = raw_client(&manager)?;
        if n % 2 == 0 {
            ask(&client, Some(queue.as_proxy().id()), "get", vec![])?;
        }
        clients.push(client);
    }
    let each = resident(server)?.saturating_sub(before) / CLIENTS;
    assert!(each < 64 << 10, "{each} bytes a client");
    eprintln!("{each} bytes a client");
    // Others are served; how soon is a matter of the bench's row `manager.crowd`.
    for n in 0..2000 {
        dict.set("x", &n)?;
        assert_eq!(dict.get("x")?, Some(n));
    }

    // Those who wait do so still, and each gets what is its own.
    (0..CLIENTS as i64 / 2).try_for_each(|n| queue.put(&n))?;
    let mut got = Vec::new();
    for client in clients.iter().step_by(2) {
        let (kind, item): (String, i64) = client.recv_object()?;
        assert_eq!(kind, "#RETURN");
        got.push(item);
    }
    got.sort_unstable();
    assert!(got.into_iter().eq(0..CLIENTS as i64 / 2));
    Ok(())
}

type Shares = (LockProxy, LockProxy, QueueProxy<i64>, ListProxy<i64>, SemaphoreProxy);

fn clients_killed_by_the_thousand_leave_nothing() -> TestResult {
    const KILLS: i64 = 1000;
    let manager = Manager::start()?;
    let server = manager.pid().ok_or("no pid")?;
    let (one, two) = (manager.lock()?, manager.lock()?);
    let (queue, list) = (manager.queue::<i64>(0)?, manager.list::<i64>([])?);
    let alive = manager.semaphore(0)?;
    let shares: Shares = (one.clone(), two.clone(), queue.clone(), list.clone(), alive.clone());
    let mut random = Random::new();
    let context = Context::forkserver();
    let mut settled = 0;
    for kill in 0..KILLS {
        if kill == KILLS / 10 {
            settled = resident(server)?;
        }
        queue.put(&kill)?;
        let child = context.process().daemon(true).start(misbehave, (shares.clone(),))?;
        alive.acquire()?;
        // Somewhere in its work, or in its wait for another that is dead.
        for _ in 0..random.below(2000) {
            std::hint::spin_loop();
        }
        child.kill()?;
        child.join()?;
        if kill % 100 == 0 {
            one.acquire()?;
            two.acquire()?;
            list.clear()?;
            one.release()?;
            two.release()?;
        }
    }
    one.acquire()?;
    two.acquire()?;
    // What is ours: two locks, a queue, a list and a semaphore.
    while manager.number_of_objects()? != 5 {
        thread::yield_now();
    }
    // A killed taker loses the item that was on its way to it, and no other.
    while queue.try_get().is_ok() {}
    list.clear()?;
    assert_eq!((queue.qsize()?, list.len()?), (0, 0));
    let now = resident(server)?;
    eprintln!("server: {settled} bytes after {} kills, {now} after {KILLS}", KILLS / 10);
    assert!(now < settled + (4 << 20), "{settled} bytes, then {now}");
    Ok(())
}

/// Takes and makes what it can, until it is killed.
fn misbehave((one, two, queue, list, alive): Shares) -> Result<(), Failure> {
    let address = one.as_proxy().address().clone();
    let manager = BaseManager::builder().address(&address).connect()?;
    alive.release()?;
    let mut own: Vec<ListProxy<i64>> = Vec::new();
    for round in 0.. {
        one.acquire()?;
        two.acquire()?;
        if let Ok(item) = queue.try_get() {
            queue.put(&item)?;
        }
        list.append(round)?;
        own.push(manager.create("list", (vec![round; 16],))?.into());
        own.truncate(8);
        two.release()?;
        one.release()?;
    }
    Ok(())
}
