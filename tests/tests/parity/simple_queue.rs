//! Area `simple_queue`.

use std::fs::File;

use multiproc::{
    Context, Failure, SimpleQueue,
    connection::Sender,
    queue::{GetError, PutError},
    wire::Fd,
};
use multiproc_tests::{TestResult, each_start_method, once, procfs};

once! { closed_both_ways, order_is_kept }
each_start_method! { emptiness_is_seen_by_all, many_users_share_it, put_waits_in_the_caller_for_room }

// parity: simple_queue.empty-after-close, simple_queue.close-twice, simple_queue.close-both-ends
fn closed_both_ways() -> TestResult {
    for used in [false, true] {
        let q = SimpleQueue::<u32>::new()?;
        if used {
            q.put(1)?;
        }
        q.close();
        q.close();
        assert!(q.is_empty().is_err());
        assert!(matches!(q.put(2), Err(PutError::Closed(2))));
        assert!(matches!(q.get(), Err(GetError::Closed)));
    }
    Ok(())
}

// parity: simple_queue.put-get-order
fn order_is_kept() -> TestResult {
    let q = SimpleQueue::<Option<String>>::new()?;
    let items = [Some("one".to_owned()), None, Some("three".into())];
    for item in items.clone() {
        q.put(item)?;
    }
    for item in items {
        assert_eq!(q.get()?, item);
    }
    Ok(())
}

// parity: simple_queue.empty-across-processes
fn emptiness_is_seen_by_all(ctx: &Context) -> TestResult {
    let q = SimpleQueue::<bool>::new()?;
    assert!(q.is_empty()?);
    ctx.start(say_empty_twice, (q.clone(),))?.result()??;
    assert!(!q.is_empty()?);
    assert_eq!((q.get()?, q.get()?), (true, false));
    assert!(q.is_empty()?);
    Ok(())
}

fn say_empty_twice(q: SimpleQueue<bool>) -> Result<(), Failure> {
    q.put(q.is_empty()?)?;
    q.put(q.is_empty()?)?;
    Ok(())
}

/// More descriptors than a socket takes, so that there is no room.
const MANY: usize = 700;

// parity: simple_queue.put-synchronous
fn put_waits_in_the_caller_for_room(ctx: &Context) -> TestResult {
    let (q, (ours, theirs)) = (SimpleQueue::<Fd<File>>::new()?, multiproc::simplex::<usize>()?);
    let child = ctx.process().daemon(true).start(put_many, (q.clone(), theirs))?;
    let threads = ours.recv()?;
    // From here on it does nothing but put.
    let pid = child.pid().ok_or("it is started")?;
    while procfs::state(pid) == Some('R') {
        std::thread::yield_now();
    }
    assert!(child.is_alive(), "there is no room for all");
    for _ in 0..MANY {
        q.get()?;
    }
    assert_eq!(child.result()??, threads, "no thread puts for it");
    Ok(())
}

fn put_many(q: SimpleQueue<Fd<File>>, line: Sender<usize>) -> Result<usize, Failure> {
    line.send(&procfs::threads())?;
    let mut most = 0;
    for _ in 0..MANY {
        q.put(Fd(File::open("/dev/null")?))?;
        most = most.max(procfs::threads());
    }
    Ok(most)
}

// parity: simple_queue.concurrent-users
fn many_users_share_it(ctx: &Context) -> TestResult {
    let (there, back) = (SimpleQueue::<Vec<u32>>::new()?, SimpleQueue::<Vec<u32>>::new()?);
    let children: Vec<_> =
        (0..4).map(|_| ctx.start(echo, (there.clone(), back.clone()))).collect::<Result<_, _>>()?;
    std::thread::scope(|scope| {
        for putter in 0..2 {
            let there = &there;
            scope.spawn(move || {
                for length in 0..500 {
                    there.put(vec![putter * 1000 + length; length as usize]).unwrap();
                }
            });
        }
        for _ in 0..1000 {
            let item = back.get().unwrap();
            assert!(item.iter().all(|word| (*word % 1000) as usize == item.len()));
        }
    });
    for _ in &children {
        there.put(vec![u32::MAX])?;
    }
    for child in children {
        child.result()??;
    }
    Ok(())
}

fn echo(there: SimpleQueue<Vec<u32>>, back: SimpleQueue<Vec<u32>>) -> Result<(), Failure> {
    loop {
        match there.get()? {
            item if item == [u32::MAX] => return Ok(()),
            item => back.put(item)?,
        }
    }
}
