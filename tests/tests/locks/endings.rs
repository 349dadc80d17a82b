//! Waits that nobody can end any more, and lives that end in other ways than by a signal.

use std::os::unix::process::CommandExt;

use multiproc::{
    Barrier, Condition, Context, Event, Failure, Lock, Semaphore,
    connection::Sender,
    simplex,
    synchronize::{Acquired, BarrierError, ConditionError},
};
use multiproc_tests::{TestResult, each_start_method, once_alone};

each_start_method! {
    exec_ends_the_life_of_a_holder,
    exit_ends_the_life_of_a_holder,
    thread_that_ends_is_not_the_end_of_its_process,
    last_who_could_end_a_wait_is_killed,
}
once_alone! { wait_of_the_only_holder_ends }

fn exec_ends_the_life_of_a_holder(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    let (ready, say) = simplex::<()>()?;
    let child = ctx.process().daemon(true).start(hold_and_execute, (lock.clone(), say))?;
    ready.recv()?;
    assert_eq!(lock.acquire()?, Acquired::OwnerDied);
    assert!(child.is_alive(), "as another program");
    child.kill()?;
    child.join()?;
    Ok(())
}

fn hold_and_execute(lock: Lock, say: Sender<()>) {
    lock.acquire().unwrap();
    say.send(&()).unwrap();
    let error = std::process::Command::new("sleep").arg("1000").exec();
    panic!("{error}");
}

fn exit_ends_the_life_of_a_holder(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    let child = ctx.start(|lock: Lock| drop(lock.acquire()), (lock.clone(),))?;
    child.result()?;
    assert_eq!(lock.acquire()?, Acquired::OwnerDied);
    Ok(())
}

fn thread_that_ends_is_not_the_end_of_its_process(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    let (ready, say) = simplex::<()>()?;
    let args = (lock.clone(), say);
    let child = ctx.process().daemon(true).start(end_main_thread_with_lock, args)?;
    ready.recv()?;
    // The main thread is gone, or soon will be; another thread holds the lock until it is told not to.
    let soon = std::time::Duration::from_millis(300);
    assert_eq!(lock.acquire_timeout(soon)?, None, "the process lives");
    child.kill()?;
    assert_eq!(lock.acquire()?, Acquired::OwnerDied);
    child.join()?;
    Ok(())
}

fn end_main_thread_with_lock(lock: Lock, say: Sender<()>) {
    lock.acquire().unwrap();
    std::thread::spawn(move || {
        say.send(&()).unwrap();
        loop {
            std::thread::park();
        }
    });
    // SAFETY: Ends this thread alone, without running anything.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// What one waits for, and how.
type Kind = u8;

fn last_who_could_end_a_wait_is_killed(ctx: &Context) -> TestResult {
    for kind in 0..5 {
        let (say, said) = (simplex::<()>()?, simplex::<bool>()?);
        let waiter = {
            let (event, semaphore) = (Event::new()?, Semaphore::new(0)?);
            let (condition, barrier, lock) = (Condition::new()?, Barrier::new(2)?, Lock::new()?);
            lock.acquire()?;
            let objects = (event, semaphore, condition, barrier, lock);
            let args = (objects, kind, say.1, said.1);
            ctx.process().daemon(true).start(wait_for_nobody, args)?
        };
        say.0.recv()?;
        assert!(said.0.recv()?, "kind {kind}");
        waiter.result()?;
    }
    Ok(())
}

fn wait_for_nobody(
    (event, semaphore, condition, barrier, lock): (Event, Semaphore, Condition, Barrier, Lock),
    kind: Kind,
    ready: Sender<()>,
    say: Sender<bool>,
) {
    ready.send(&()).unwrap();
    let abandoned = match kind {
        0 => event.wait().is_err_and(|err| err.is_abandoned()),
        1 => semaphore.acquire().is_err_and(|err| err.is_abandoned()),
        2 => {
            let _guard = condition.guard().unwrap();
            matches!(condition.wait(), Err(ConditionError::Abandoned))
        }
        3 => matches!(barrier.wait(), Err(BarrierError::Abandoned)),
        _ => lock.acquire().is_err_and(|err| err.is_abandoned()),
    };
    say.send(&abandoned).unwrap();
}

fn wait_of_the_only_holder_ends() -> Result<(), Failure> {
    let failed = |err: &dyn std::error::Error| Failure::new(err.to_string());
    let semaphore = Semaphore::new(0).map_err(|err| failed(&err))?;
    assert!(semaphore.acquire().unwrap_err().is_abandoned());
    let lock = Lock::new().map_err(|err| failed(&err))?;
    lock.acquire().map_err(|err| failed(&err))?;
    assert!(lock.acquire().unwrap_err().is_abandoned(), "nobody else could give it back");
    Ok(())
}
