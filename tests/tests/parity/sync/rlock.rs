//! Behaviours: rlock.* of docs/parity.tsv.

use multiproc::{
    Context, RLock, simplex,
    synchronize::{Acquired, ReleaseError},
};
use multiproc_tests::TestResult;

use super::{another, until_asleep};

multiproc_tests::each_start_method! {
    others_neither_release_nor_acquire,
    last_release_lets_exactly_one_in,
    debug_form_tells_owner_and_level,
    level_of_a_dead_holder_is_forgotten,
}
multiproc_tests::once! { three_acquires_need_three_releases }

// parity: rlock.reacquire, rlock.over-release
fn three_acquires_need_three_releases() -> TestResult {
    let lock = RLock::new()?;
    for _ in 0..3 {
        assert_eq!(lock.acquire()?, Acquired::Orderly);
    }
    for _ in 0..3 {
        assert!(lock.locked());
        lock.release()?;
    }
    assert!(!lock.locked());
    assert_eq!(lock.release(), Err(ReleaseError::NotOwner));
    assert!(!lock.locked());
    Ok(())
}

// parity: rlock.other-process-release, rlock.other-nonblocking
fn others_neither_release_nor_acquire(ctx: &Context) -> TestResult {
    let lock = RLock::new()?;
    lock.acquire()?;
    lock.acquire()?;
    let meddle = |lock: RLock| (lock.release().is_err(), lock.try_acquire().unwrap().is_none());
    assert_eq!(ctx.start(meddle, (lock.clone(),))?.result()?, (true, true));
    let other = lock.clone();
    assert_eq!(std::thread::spawn(move || meddle(other)).join().unwrap(), (true, true));
    lock.release()?;
    assert!(lock.locked(), "the level was left as it was");
    lock.release()?;
    assert!(!lock.locked());
    Ok(())
}

// parity: rlock.one-waiter-proceeds
fn last_release_lets_exactly_one_in(ctx: &Context) -> TestResult {
    let lock = RLock::new()?;
    lock.acquire()?;
    lock.acquire()?;
    let (inside, say) = simplex::<u32>()?;
    let (mut go, mut children) = (Vec::new(), Vec::new());
    for number in 0..2 {
        let (stay, leave) = simplex::<()>()?;
        let args = (lock.clone(), another(&say), stay, number);
        children.push(ctx.process().daemon(true).start(enter_and_stay, args)?);
        go.push(leave);
    }
    for _ in 0..2 {
        assert_eq!(inside.recv()?, NOT_YET);
    }
    children.iter().for_each(until_asleep);
    lock.release()?;
    assert!(inside.try_recv().is_err(), "it is held still");
    lock.release()?;
    let first = inside.recv()?;
    assert!(inside.try_recv().is_err(), "one alone is inside");
    go[first as usize].send(&())?;
    let second = inside.recv()?;
    assert_eq!(first + second, 1);
    go[second as usize].send(&())?;
    for child in children {
        child.result()?;
    }
    Ok(())
}

const NOT_YET: u32 = u32::MAX;

fn enter_and_stay(
    lock: RLock,
    say: multiproc::connection::Sender<u32>,
    stay: multiproc::connection::Receiver<()>,
    number: u32,
) {
    say.send(&NOT_YET).unwrap();
    let _guard = lock.guard().unwrap();
    say.send(&number).unwrap();
    stay.recv().unwrap();
}

// parity: rlock.repr-count
fn debug_form_tells_owner_and_level(ctx: &Context) -> TestResult {
    let lock = RLock::new()?;
    let text = |lock: RLock| format!("{lock:?}");
    assert_eq!(text(lock.clone()), "RLock { owner: None, level: 0 }");
    lock.acquire()?;
    lock.acquire()?;
    let mine = text(lock.clone());
    assert!(mine.starts_with(&format!("RLock {{ owner: {}", multiproc::current_process().name())));
    assert!(mine.ends_with("level: 2 }"), "{mine}");
    let other = lock.clone();
    let other = std::thread::spawn(move || text(other)).join().unwrap();
    assert_eq!(other, "RLock { owner: SomeOtherThread, level: nonzero }");
    let theirs = ctx.start(text, (lock.clone(),))?.result()?;
    assert_eq!(theirs, "RLock { owner: SomeOtherProcess, level: nonzero }");
    Ok(())
}

fn level_of_a_dead_holder_is_forgotten(ctx: &Context) -> TestResult {
    let lock = RLock::new()?;
    let end_with_it = |lock: RLock| {
        for _ in 0..5 {
            lock.acquire().unwrap();
        }
    };
    ctx.start(end_with_it, (lock.clone(),))?.join()?;
    assert_eq!(lock.acquire()?, Acquired::OwnerDied);
    lock.release()?;
    assert!(!lock.locked());
    Ok(())
}
