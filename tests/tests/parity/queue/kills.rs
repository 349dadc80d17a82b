//! Processes that are killed while they use a queue.

use std::time::Duration;

use multiproc::{
    Context, Failure, JoinableQueue, Queue,
    queue::{GetError, JoinError, PutError},
};
use multiproc_tests::{TestResult, alone, each_start_method, once, procfs};

each_start_method! { killed_user_leaves_the_queue_usable, receiver_learns_of_the_last_senders_death }
once! { nobody_left_is_told, nobody_left_to_finish_is_told, death_of_the_last_ends_what_sleeps }

// parity: queue.killed-user
// complaint: 7
fn killed_user_leaves_the_queue_usable(ctx: &Context) -> TestResult {
    let (q, ready) = (Queue::<u32>::bounded(2)?, Queue::<u32>::new()?);
    for _ in 0..3 {
        let taker = ctx.start(take_for_ever, (q.clone(), ready.clone()))?;
        ready.get()?;
        taker.kill()?;
        taker.join()?;
        while q.try_get().is_ok() {}
        let putter = ctx.start(put_for_ever, (q.clone(), ready.clone()))?;
        ready.get()?;
        while q.qsize() < 2 {
            std::thread::yield_now();
        }
        putter.kill()?;
        putter.join()?;
        assert_eq!(q.qsize(), 2);
        assert_eq!((q.get()?, q.get()?), (0, 1));
    }
    Ok(())
}

fn take_for_ever(q: Queue<u32>, ready: Queue<u32>) -> Result<(), Failure> {
    ready.put(0)?;
    loop {
        q.get()?;
    }
}

fn put_for_ever(q: Queue<u32>, ready: Queue<u32>) -> Result<(), Failure> {
    ready.put(0)?;
    for number in 0.. {
        q.put(number)?;
    }
    Ok(())
}

fn receiver_learns_of_the_last_senders_death(ctx: &Context) -> TestResult {
    let (tx, rx) = Queue::<u32>::bounded(1)?.split();
    let ready = Queue::<u32>::new()?;
    let child = ctx.process().daemon(true).start(
        |tx: multiproc::queue::Sender<u32>, ready: Queue<u32>| {
            tx.put(7).unwrap();
            ready.put(0).unwrap();
            // Nobody else has the queue: this one waits for what does not come.
            let _ = Queue::<u32>::new().unwrap().get_timeout(Duration::MAX);
        },
        (tx, ready.clone()),
    )?;
    ready.get()?;
    child.kill()?;
    child.join()?;
    assert_eq!(rx.get()?, 7);
    if multiproc_tests::name_of(ctx) != "fork" {
        // The child of a fork by another test may have a copy of an end, which is what fork means.
        assert!(matches!(rx.get(), Err(GetError::Abandoned)));
    }
    Ok(())
}

fn nobody_left_is_told() -> TestResult {
    alone(wait_alone)
}

fn wait_alone() -> Result<(), Failure> {
    let q = Queue::<u32>::bounded(1)?;
    let child = Context::spawn().start(|q: Queue<u32>| q.put(1).unwrap(), (q.clone(),))?;
    child.join()?;
    assert_eq!(q.get()?, 1);
    assert!(matches!(q.get(), Err(GetError::Abandoned)));
    q.put(2)?;
    assert!(matches!(q.put(3), Err(PutError::Abandoned(3))));
    Ok(())
}

fn nobody_left_to_finish_is_told() -> TestResult {
    alone(join_alone)
}

fn join_alone() -> Result<(), Failure> {
    let q = JoinableQueue::<u32>::new()?;
    q.put_many([1, 2])?;
    let child = Context::spawn().start(
        |q: JoinableQueue<u32>| {
            q.get().unwrap();
            q.task_done().unwrap();
        },
        (q.clone(),),
    )?;
    child.join()?;
    assert!(matches!(q.join(), Err(JoinError::Abandoned { unfinished: 1 })));
    Ok(())
}

fn death_of_the_last_ends_what_sleeps() -> TestResult {
    alone(sleep_until_it_dies)
}

fn sleep_until_it_dies() -> Result<(), Failure> {
    let (empty, full) = (Queue::<u32>::new()?, Queue::<u32>::bounded(1)?);
    let tasks = JoinableQueue::<u32>::new()?;
    full.put(1)?;
    tasks.put(1)?;
    for wait in 0..3 {
        let go = Queue::<u32>::new()?;
        let all = (empty.clone(), full.clone(), tasks.clone());
        let child = Context::spawn().start(die_beside_a_sleeper, (all, go.clone()))?;
        go.put(0)?;
        match wait {
            0 => assert!(matches!(empty.get(), Err(GetError::Abandoned))),
            1 => assert!(matches!(full.put(2), Err(PutError::Abandoned(2)))),
            _ => assert!(matches!(tasks.join(), Err(JoinError::Abandoned { unfinished: 1 }))),
        }
        child.join()?;
    }
    Ok(())
}

type All = (Queue<u32>, Queue<u32>, JoinableQueue<u32>);

fn die_beside_a_sleeper(all: All, go: Queue<u32>) -> Result<(), Failure> {
    go.get()?;
    // From here on there is one thing that the parent sleeps in.
    while procfs::state(std::os::unix::process::parent_id()) != Some('S') {
        std::thread::yield_now();
    }
    drop(go);
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::KILL)?;
    drop(all);
    Ok(())
}
