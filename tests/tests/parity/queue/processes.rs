//! Queues in arguments, messages, items; forks; descriptors in items; large items.

use std::{
    fs::File,
    io::{Read, Write},
};

use multiproc::{
    Connection, Context, Failure, JoinableQueue, Queue, SimpleQueue,
    connection::wait,
    pipe,
    queue::{PlainVec, Receiver, Sender},
    wire::Fd,
};
use multiproc_tests::{TestResult, context_named, each_start_method, name_of, once};
use serde::{Deserialize, Serialize};

each_start_method! {
    feeder_of_the_parent_does_not_disturb_the_child, queue_travels_in_every_way, handed_on_to_a_grandchild,
    large_items_and_descriptors_travel
}
once! { queue_is_waited_for_beside_connections }

/// Puts more descriptors than a socket takes, so that a thread has to help.
const MANY: usize = 600;

// parity: queue.feeder-after-fork, queue.fifo-per-producer
fn feeder_of_the_parent_does_not_disturb_the_child(ctx: &Context) -> TestResult {
    let q = Queue::<(usize, Option<Fd<File>>)>::new()?;
    for number in 0..MANY {
        q.put((number, Some(Fd(File::open("/dev/null")?))))?;
    }
    let child = ctx.start(put_ten, (q.clone(),))?;
    let mut items = Vec::new();
    while items.len() < MANY + 10 {
        items.push(q.get()?.0);
    }
    child.result()??;
    let (ours, theirs): (Vec<usize>, Vec<usize>) = items.into_iter().partition(|item| *item < 1000);
    assert!(ours.into_iter().eq(0..MANY));
    assert!(theirs.into_iter().eq(1000..1010));
    assert!(q.try_get().unwrap_err().is_empty());
    Ok(())
}

fn put_ten(q: Queue<(usize, Option<Fd<File>>)>) -> Result<(), Failure> {
    q.put_many((1000..1010).map(|number| (number, None)))?;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Bundle {
    plain: Queue<u32>,
    simple: SimpleQueue<u32>,
    joinable: JoinableQueue<u32>,
    tx: Sender<u32>,
    rx: Receiver<u32>,
}

// parity: start_methods.mixed-nonfork-lock-ok
fn queue_travels_in_every_way(ctx: &Context) -> TestResult {
    let (tx, rx) = Queue::new()?.split();
    let (plain, simple, joinable) = (Queue::new()?, SimpleQueue::new()?, JoinableQueue::new()?);
    let (line, theirs) = pipe::<Bundle, ()>()?;
    let carrier = Queue::<Queue<u32>>::new()?;
    let child = ctx.start(use_all, (theirs, carrier.clone()))?;
    line.send(&Bundle {
        plain: plain.clone(),
        simple: simple.clone(),
        joinable: joinable.clone(),
        tx: tx.clone(),
        rx: rx.clone(),
    })?;
    let inner = Queue::new()?;
    carrier.put(inner.clone())?;
    assert_eq!(inner.get()?, 5, "by a queue that was an item");
    assert_eq!((plain.get()?, simple.get()?, joinable.get()?), (1, 2, 3));
    joinable.task_done()?;
    assert_eq!(rx.get()?, 4);
    child.result()??;
    Ok(())
}

fn use_all(line: Connection<(), Bundle>, carrier: Queue<Queue<u32>>) -> Result<(), Failure> {
    let bundle = line.recv()?;
    carrier.get()?.put(5)?;
    bundle.plain.put(1)?;
    bundle.simple.put(2)?;
    bundle.joinable.put(3)?;
    bundle.tx.put(4)?;
    bundle.joinable.join()?;
    drop(bundle.rx);
    Ok(())
}

// parity: start_methods.nested-arg-forwarding, process.queue-in-grandchild, start_methods.venv-queue
fn handed_on_to_a_grandchild(ctx: &Context) -> TestResult {
    let q = Queue::<u32>::new()?;
    let child = ctx.start(hand_on, (name_of(ctx), q.clone(), 2))?;
    child.result()??;
    assert_eq!((q.get()?, q.get()?), (2, 1));
    Ok(())
}

fn hand_on(method: String, q: Queue<u32>, number: u32) -> Result<(), Failure> {
    let own = Queue::<u32>::new()?;
    assert!(own.try_get().unwrap_err().is_empty());
    q.put(number)?;
    if number > 1 {
        context_named(&method).start(hand_on, (method.clone(), q, number - 1))?.result()??;
    }
    Ok(())
}

fn large_items_and_descriptors_travel(ctx: &Context) -> TestResult {
    let large = Queue::<Vec<u8>, PlainVec>::new()?;
    let files = Queue::<(String, Fd<File>)>::new()?;
    let child = ctx.start(send_large, (large.clone(), files.clone()))?;
    for length in [0, 1 << 20, 9 << 20, 64 << 20] {
        let item = large.get()?;
        assert_eq!(item.len(), length);
        assert!(item.iter().enumerate().step_by(4097).all(|(at, byte)| *byte == (at % 251) as u8));
    }
    let (text, mut pipe) = files.get()?;
    let mut said = String::new();
    pipe.read_to_string(&mut said)?;
    assert_eq!((text.len(), said.as_str()), (10 << 20, "through the descriptor"));
    child.result()??;
    Ok(())
}

fn send_large(
    large: Queue<Vec<u8>, PlainVec>,
    files: Queue<(String, Fd<File>)>,
) -> Result<(), Failure> {
    for length in [0, 1 << 20, 9 << 20, 64 << 20] {
        large.put((0..length).map(|at| (at % 251) as u8).collect())?;
    }
    let (reader, mut writer) = std::io::pipe()?;
    writer.write_all(b"through the descriptor")?;
    drop(writer);
    let reader = std::os::fd::OwnedFd::from(reader);
    files.put(("x".repeat(10 << 20), Fd(File::from(reader))))?;
    Ok(())
}

fn queue_is_waited_for_beside_connections() -> TestResult {
    let (q, (ours, theirs)) = (Queue::<u32>::new()?, pipe::<(), ()>()?);
    assert!(wait(&[&q, &ours], std::time::Duration::ZERO)?.is_empty());
    let child = Context::spawn().start(put_one, (q.clone(),))?;
    // It is announced before it is there, so that a kill in between cannot leave it unannounced.
    let item = loop {
        assert_eq!(wait(&[&q, &ours], None)?, [0]);
        match q.try_get() {
            Err(err) if err.is_empty() => {}
            item => break item?,
        }
    };
    assert_eq!(item, 7);
    child.result()??;
    // It is announced once more when it is there, which may be after it was taken: a look finds that out.
    assert!(q.try_get().is_err_and(|err| err.is_empty()));
    assert!(wait(&[&q, &ours], std::time::Duration::ZERO)?.is_empty());
    theirs.send(&())?;
    assert_eq!(wait(&[&q, &ours], None)?, [1]);
    Ok(())
}

fn put_one(q: Queue<u32>) -> Result<(), Failure> {
    q.put(7)?;
    Ok(())
}
