//! What cannot be put or taken: no item of others goes with it, and what is lost is told.

use std::{fs::File, os::fd::AsRawFd, sync::Barrier, thread};

use multiproc::{
    Failure, Level, Queue, log_to_stderr,
    queue::{GetError, PutError},
    wire::Fd,
};
use multiproc_tests::{once_alone, refusal::refuse_clone, stderr};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

once_alone! {
    a_put_that_gets_no_thread_takes_nobodys_item_with_it, descriptors_that_cannot_be_received_are_told_of,
    shut_down_tells_of_what_had_no_room
}

fn null() -> Result<Fd<File>, Failure> {
    Ok(Fd(File::open("/dev/null")?))
}

/// More descriptors than a socket takes, from several threads, none of which may start one that waits for room.
fn a_put_that_gets_no_thread_takes_nobodys_item_with_it() -> Result<(), Failure> {
    const THREADS: usize = 4;

    let q = Queue::<Fd<File>>::new()?;
    let together = Barrier::new(THREADS);
    let put_many = || -> Result<usize, Failure> {
        refuse_clone(libc::EAGAIN)?;
        together.wait();
        let mut count = 0;
        for _ in 0..500 {
            match q.put(null()?) {
                Ok(()) => count += 1,
                Err(PutError::Os(..)) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(count)
    };
    let put = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(put_many)).collect();
        let counts = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        counts.sum::<Result<usize, Failure>>()
    })?;
    assert!(put < THREADS * 500, "there was room for all");
    assert_eq!(q.qsize(), put);
    let other = q.clone();
    q.close();
    q.join_thread()?;
    assert_eq!(other.drain().collect::<Result<Vec<_>, _>>()?.len(), put);
    Ok(())
}

fn descriptors_that_cannot_be_received_are_told_of() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    log_to_stderr(Level::Warning);
    let q = Queue::<Option<Fd<File>>>::new()?;
    for item in [None, Some(null()?), None, Some(null()?)] {
        q.put(item)?;
    }
    let next = File::open("/dev/null")?;
    let limit = getrlimit(Resource::Nofile);
    let number = next.as_raw_fd() as u64;
    drop(next);
    setrlimit(Resource::Nofile, Rlimit { current: Some(number), ..limit })?;
    let items = q.get_many(2)?;
    let alone = q.get_many(1);
    setrlimit(Resource::Nofile, limit)?;
    assert!(items.iter().all(Option::is_none) && items.len() == 2);
    assert!(matches!(alone, Err(GetError::Lost)), "{:?}", alone.map(|items| items.len()));
    let heard = stderr::text(&heard)?;
    assert!(heard.contains("an item of a queue is lost: failed to receive"), "{heard}");
    Ok(())
}

fn shut_down_tells_of_what_had_no_room() -> Result<(), Failure> {
    const MANY: usize = 700;

    let heard = stderr::capture()?;
    log_to_stderr(Level::Warning);
    let q = Queue::<Fd<File>>::new()?;
    for _ in 0..MANY {
        q.put(null()?)?;
    }
    q.shutdown(false);
    let other = q.clone();
    q.close();
    q.join_thread()?;
    let arrived = other.drain().collect::<Result<Vec<_>, _>>()?.len();
    assert!(arrived < MANY);
    let line = format!("{} items of a queue are lost", MANY - arrived);
    while !stderr::text(&heard)?.contains(&line) {
        thread::yield_now();
    }
    Ok(())
}
