//! Behaviours: lock.* of docs/parity.tsv.
//!
//! - DIFFERENCE: a lock has no name; it lives in shared memory that goes with its last holder.
//! - DIFFERENCE: a lock whose holder was killed goes to the next, who is told.

use std::{fs, io::Read, panic::catch_unwind};

use multiproc::{
    Context, Failure, Lock, simplex,
    synchronize::{Acquired, ReleaseError},
    wire::Fd,
};
use multiproc_tests::{TestResult, context_named, interrupts, name_of, procfs};
use rustix::process::{Pid, Signal, kill_process};

use super::{SHORT, sent, takes_its_time, until_asleep};

multiproc_tests::each_start_method! {
    only_one_process_is_inside,
    debug_form_tells_the_owner,
    sigint_ends_a_process_that_waits,
    lock_of_a_killed_holder_goes_to_the_next,
    lock_travels_every_way,
    any_process_may_release,
}
multiproc_tests::once! {
    acquire_and_release,
    released_too_often_is_an_error,
    guard_releases_also_while_unwinding,
    timeout_is_kept,
    lock_is_not_recursive,
}
multiproc_tests::once_alone! {
    lock_leaves_no_name,
}

// parity: lock.acquire-release, lock.timeout-ignored-nonblocking
fn acquire_and_release() -> TestResult {
    let lock = Lock::new()?;
    assert_eq!(lock.acquire()?, Acquired::Orderly);
    assert!(lock.locked());
    assert_eq!(lock.try_acquire()?, None);
    lock.release()?;
    assert!(!lock.locked());
    Ok(())
}

// parity: lock.over-release
fn released_too_often_is_an_error() -> TestResult {
    let lock = Lock::new()?;
    assert_eq!(lock.release(), Err(ReleaseError::NotHeld));
    assert!(lock.release().unwrap_err().to_string().contains("released too many times"));
    lock.acquire()?;
    lock.release()?;
    assert_eq!(lock.release(), Err(ReleaseError::NotHeld));
    assert!(lock.try_acquire()?.is_some());
    Ok(())
}

// parity: lock.scope-guard
fn guard_releases_also_while_unwinding() -> TestResult {
    let lock = Lock::new()?;
    {
        let guard = lock.guard()?;
        assert!(lock.locked() && !guard.acquired().owner_died());
    }
    assert!(!lock.locked());
    let copy = lock.clone();
    let unwound = catch_unwind(move || {
        let _guard = copy.guard().unwrap();
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(unwound.is_err() && !lock.locked());
    Ok(())
}

// parity: lock.timeout
fn timeout_is_kept() -> TestResult {
    let lock = Lock::new()?;
    lock.acquire()?;
    assert_eq!(takes_its_time(|| lock.acquire_timeout(SHORT))?, None);
    lock.release()?;
    assert!(lock.acquire_timeout(SHORT)?.is_some());
    Ok(())
}

// parity: lock.not-recursive
fn lock_is_not_recursive() -> TestResult {
    let lock = Lock::new()?;
    let _guard = lock.guard()?;
    assert_eq!(takes_its_time(|| lock.acquire_timeout(SHORT))?, None);
    Ok(())
}

// parity: lock.cross-process-exclusion
fn only_one_process_is_inside(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    let (out, into) = rustix::pipe::pipe()?;
    let guard = lock.guard()?;
    let children: Vec<_> = (0..10u8)
        .map(|number| {
            let end = std::fs::File::from(into.try_clone()?);
            Ok(ctx.process().daemon(true).start(say_by_halves, (lock.clone(), Fd(end), number))?)
        })
        .collect::<Result<_, Box<dyn std::error::Error>>>()?;
    drop(into);
    until_asleep(&children[0]);
    drop(guard);
    for child in &children {
        child.result()?;
    }
    let mut said = String::new();
    std::fs::File::from(out).read_to_string(&mut said)?;
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    let expected: Vec<String> =
        (0..10).flat_map(|number| vec![format!("child {number} speaks"); 20]).collect();
    assert_eq!(lines, expected);
    Ok(())
}

fn say_by_halves(lock: Lock, into: Fd<std::fs::File>, number: u8) {
    use std::io::Write;
    for _ in 0..20 {
        let _guard = lock.guard().unwrap();
        for part in [b"child ".as_slice(), &[b'0' + number], b" spe", b"aks", b"\n"] {
            (&*into).write_all(part).unwrap();
        }
    }
}

// parity: lock.repr-owner
fn debug_form_tells_the_owner(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    let text = || format!("{lock:?}");
    assert_eq!(text(), "Lock { owner: None }");
    let name = multiproc::current_process().name();
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    lock.acquire()?;
    assert_eq!(text(), format!("Lock {{ owner: {name}|{thread} }}"));
    let elsewhere = std::thread::scope(|scope| scope.spawn(text).join().unwrap());
    assert_eq!(elsewhere, "Lock { owner: SomeOtherThread }");
    let child = ctx.process().name("Holder").start(describe, (lock.clone(),))?;
    let (theirs, own) = child.result()?;
    assert_eq!(theirs, "Lock { owner: SomeOtherProcess }");
    assert_eq!(own, "Lock { owner: Holder }", "in the main thread");
    Ok(())
}

fn describe(lock: Lock) -> (String, String) {
    let theirs = format!("{lock:?}");
    lock.release().unwrap();
    lock.acquire().unwrap();
    (theirs, format!("{lock:?}"))
}

// parity: lock.sigint-interrupts
fn sigint_ends_a_process_that_waits(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    let _guard = lock.guard()?;
    let (ready, say) = simplex::<()>()?;
    let child = ctx.process().daemon(true).start(wait_for_lock, (lock.clone(), say))?;
    ready.recv()?;
    until_asleep(&child);
    kill_process(Pid::from_raw(child.pid().unwrap().cast_signed()).unwrap(), Signal::INT)?;
    child.join()?;
    assert_eq!(child.exitcode(), Some(-libc::SIGINT));
    Ok(())
}

fn wait_for_lock(lock: Lock, say: multiproc::connection::Sender<()>) {
    interrupts::heed();
    say.send(&()).unwrap();
    let _ = lock.acquire();
}

// parity: lock.holder-killed
// complaint: 8
fn lock_of_a_killed_holder_goes_to_the_next(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    for _ in 0..3 {
        let (ready, say) = simplex::<()>()?;
        let holder = ctx.process().daemon(true).start(hold_for_ever, (lock.clone(), say))?;
        ready.recv()?;
        assert_eq!(lock.try_acquire()?, None);
        let waiter =
            ctx.start(|lock: Lock| lock.acquire().unwrap().owner_died(), (lock.clone(),))?;
        holder.kill()?;
        assert!(waiter.result()?, "told that the holder died with it");
        // The waiter has ended with it in turn.
        assert_eq!(lock.acquire()?, Acquired::OwnerDied);
        lock.release()?;
        assert_eq!(lock.acquire()?, Acquired::Orderly);
        lock.release()?;
        holder.join()?;
    }
    Ok(())
}

fn hold_for_ever(lock: Lock, say: multiproc::connection::Sender<()>) {
    lock.acquire().unwrap();
    say.send(&()).unwrap();
    loop {
        std::thread::park();
    }
}

// complaint: 30
fn lock_travels_every_way(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    let guard = lock.guard()?;
    let arrived = sent(&Some(vec![lock.clone(), lock.clone()]))?.unwrap();
    assert!(arrived.iter().all(|lock| lock.locked()), "it is the same lock");
    let (rx, tx) = simplex::<Lock>()?;
    let child = ctx.start(tries_and_makes, (arrived, tx, name_of(ctx)))?;
    assert!(child.result()?);
    // One that a child has made outlives it, and goes on to another child.
    let theirs = rx.recv()?;
    assert_eq!(theirs.acquire()?, Acquired::OwnerDied);
    assert!(!ctx.start(|lock: Lock| lock.try_acquire().unwrap().is_some(), (theirs,))?.result()?);
    drop(guard);
    Ok(())
}

/// Tries the locks here and in a grandchild; makes one more, and ends with it.
fn tries_and_makes(
    locks: Vec<Lock>,
    into: multiproc::connection::Sender<Lock>,
    method: String,
) -> bool {
    let new = Lock::new().unwrap();
    new.acquire().unwrap();
    into.send(&new).unwrap();
    let tries = |lock: Lock| lock.try_acquire().unwrap().is_none();
    let ctx = context_named(&method);
    let below = ctx.start(tries, (locks[0].clone(),)).unwrap().result().unwrap();
    below && locks.into_iter().all(tries)
}

fn any_process_may_release(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    lock.acquire()?;
    ctx.start(|lock: Lock| lock.release().is_ok(), (lock.clone(),))?.join()?;
    assert!(!lock.locked());
    Ok(())
}

// parity: lock.name-scheme, lock.fork-unlinked-at-birth
fn lock_leaves_no_name() -> Result<(), Failure> {
    let locks: Vec<Lock> = (0..100).map(|_| Lock::new()).collect::<Result<_, _>>()?;
    let before = procfs::open_descriptors().len();
    let more: Vec<Lock> = (0..1000).map(|_| Lock::new()).collect::<Result<_, _>>()?;
    assert!(procfs::open_descriptors().len() <= before + 4, "a lock costs no descriptor");
    // What this process has mapped or open; others have names in the same folder.
    assert!(
        !fs::read_to_string("/proc/self/maps")?.contains("/dev/shm/"),
        "a file with a name is mapped"
    );
    for descriptor in procfs::open_descriptors() {
        let link = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap_or_default();
        assert!(!link.starts_with("/dev/shm"), "{link:?} is open");
    }
    let sent = multiproc::wire::encode(&more)?;
    assert!(sent.handles.len() <= 8, "{} for a thousand locks", sent.handles.len());
    drop((locks, more));
    Ok(())
}
