//! Closing, joining the thread, shutting down.

use std::{fs::File, time::Duration};

use multiproc::{
    Context, Failure, Queue, at_exit,
    connection::{Sender, simplex},
    queue::{Closed, GetError, PutError},
    wire::Fd,
};
use multiproc_tests::{
    TestResult, context_named, each_start_method, name_of, once, sleeping::asleep,
};

once! {
    closed_handle_does_nothing, thread_is_joined_after_close_only, thread_is_joined_when_all_has_room,
    shut_down_is_seen_by_all_handles
}
each_start_method! {
    exit_waits_for_what_has_no_room, exit_does_not_wait_where_that_is_called_off, unread_items_outlive_their_process,
    parent_waits_for_a_child_with_unread_items, waiting_ends_with_the_queue
}

// parity: queue.empty-after-close, queue.use-after-close, queue.close-idempotent
fn closed_handle_does_nothing() -> TestResult {
    let q = Queue::<u32>::new()?;
    let other = q.clone();
    q.put(1)?;
    q.close();
    q.close();
    q.join_thread()?;
    q.join_thread()?;
    assert_eq!(q.is_empty(), Err(Closed));
    assert!(Closed.to_string().contains("handle is closed"));
    assert!(matches!(q.put(2), Err(PutError::Closed(2))));
    assert!(matches!(q.get(), Err(GetError::Closed)));
    assert_eq!(q.get().unwrap_err().to_string(), "queue is closed");
    assert_eq!(other.get()?, 1, "a clone goes on");
    Ok(())
}

// parity: queue.join-thread-needs-close
fn thread_is_joined_after_close_only() -> TestResult {
    let q = Queue::<u32>::new()?;
    assert_eq!(
        q.join_thread().unwrap_err().to_string(),
        "queue is not closed: call close before join_thread"
    );
    Ok(())
}

// parity: queue.join-thread-flushes
fn thread_is_joined_when_all_has_room() -> TestResult {
    let q = Queue::<(usize, Fd<File>)>::new()?;
    let other = q.clone();
    for number in 0..MANY {
        q.put((number, Fd(File::open("/dev/null")?)))?;
    }
    q.close();
    let (joining, _) = asleep(move || q.join_thread());
    assert!(!joining.is_finished(), "not all have room");
    for number in 0..MANY {
        assert_eq!(other.get()?.0, number);
    }
    joining.join().unwrap()?;
    assert!(other.is_empty()?);
    Ok(())
}

// complaint: 29
fn shut_down_is_seen_by_all_handles() -> TestResult {
    let q = Queue::<u32>::new()?;
    let other = q.clone();
    q.put_many([1, 2])?;
    other.shutdown(false);
    assert!(matches!(q.put(3), Err(PutError::ShutDown(3))));
    assert_eq!(q.get()?, 1);
    q.shutdown(true);
    assert!(matches!(other.get(), Err(GetError::ShutDown)));
    assert_eq!(other.qsize(), 0);
    Ok(())
}

fn waiting_ends_with_the_queue(ctx: &Context) -> TestResult {
    let (empty, ready) = (Queue::<u32>::new()?, Queue::<u32>::new()?);
    let children: Vec<_> = (0..3)
        .map(|_| ctx.start(wait_for_the_end, (empty.clone(), ready.clone())))
        .collect::<Result<_, _>>()?;
    for _ in 0..3 {
        ready.get()?;
    }
    empty.shutdown(false);
    for child in children {
        assert!(child.result()??);
    }
    Ok(())
}

fn wait_for_the_end(empty: Queue<u32>, ready: Queue<u32>) -> Result<bool, Failure> {
    ready.put(1)?;
    Ok(matches!(empty.get(), Err(GetError::ShutDown)))
}

/// More descriptors than a socket takes, so that there is no room.
const MANY: usize = 700;

/// Says when all are put, which is before anybody takes one.
fn put_many_files(
    q: Queue<(usize, Fd<File>)>,
    done: Queue<()>,
    cancel: bool,
) -> Result<usize, Failure> {
    for number in 0..MANY {
        q.put((number, Fd(File::open("/dev/null")?)))?;
    }
    let count = q.qsize();
    assert_eq!(count, MANY, "what waits in this process counts");
    if cancel {
        q.cancel_join_thread();
    }
    done.put(())?;
    Ok(count)
}

// parity: queue.fork-child-flushes
fn exit_waits_for_what_has_no_room(ctx: &Context) -> TestResult {
    let (q, done) = (Queue::new()?, Queue::new()?);
    let args = (q.clone(), done.clone(), false);
    let child = ctx.process().daemon(false).start(put_many_files, args)?;
    done.get()?;
    assert!(!child.join_timeout(Duration::from_millis(300))?, "it waits for a reader");
    for number in 0..MANY {
        assert_eq!(q.get()?.0, number);
    }
    assert_eq!(child.result()??, MANY);
    assert_eq!(child.exitcode(), Some(0));
    Ok(())
}

// parity: queue.unread-daemonic
fn parent_waits_for_a_child_with_unread_items(ctx: &Context) -> TestResult {
    let (q, done, (ours, theirs)) = (Queue::new()?, Queue::new()?, simplex::<()>()?);
    let args = (name_of(ctx), q.clone(), done.clone(), theirs);
    let parent = ctx.process().daemon(false).start(leave_a_putter, args)?;
    done.get()?;
    ours.recv()?;
    assert!(!parent.join_timeout(Duration::from_millis(300))?, "its child waits for a reader");
    for number in 0..MANY {
        assert_eq!(q.get()?.0, number);
    }
    parent.result()??;
    assert_eq!(parent.exitcode(), Some(0));
    Ok(())
}

/// Says when it begins to end.
fn leave_a_putter(
    method: String,
    q: Queue<(usize, Fd<File>)>,
    done: Queue<()>,
    line: Sender<()>,
) -> Result<(), Failure> {
    at_exit(move || line.send(&()).unwrap());
    let putter = context_named(&method).process().daemon(false);
    let _ = putter.start(put_many_files, (q, done, false))?;
    Ok(())
}

fn exit_does_not_wait_where_that_is_called_off(ctx: &Context) -> TestResult {
    let q = Queue::new()?;
    let child = ctx.start(put_many_files, (q.clone(), Queue::new()?, true))?;
    child.result()??;
    child.join()?;
    let arrived = q.drain().collect::<Result<Vec<_>, _>>()?;
    assert!(!arrived.is_empty() && arrived.len() < MANY, "{} arrived", arrived.len());
    assert!(arrived.iter().map(|(number, _)| *number).eq(0..arrived.len()));
    Ok(())
}

// complaint: 6
// parity: docs_example.queue-deadlock
fn unread_items_outlive_their_process(ctx: &Context) -> TestResult {
    let q = Queue::<Vec<u8>>::new()?;
    let child = ctx.start(put_a_megabyte, (q.clone(),))?;
    child.result()??;
    child.join()?;
    assert_eq!(child.exitcode(), Some(0), "though nobody has read");
    assert_eq!(q.get()?.len(), 1_000_000);
    Ok(())
}

fn put_a_megabyte(q: Queue<Vec<u8>>) -> Result<(), Failure> {
    q.put(vec![7; 1_000_000])?;
    Ok(())
}
