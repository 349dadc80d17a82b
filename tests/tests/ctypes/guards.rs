//! One reference to the data at most: whatever is nested, released by others, leaked or forked.

use std::{mem, thread, time::Duration};

use multiproc::{
    Array, Context, Failure, Lock, OnPreloadError, RLock, RawValue, StartError, Value, pipe,
    set_forkserver_preload,
    sharedctypes::{AccessError, Synchronized, synchronized},
};
use multiproc_tests::{TestResult, each_start_method, once, once_alone};

once! {
    nested_access_is_an_error,
    holder_of_the_lock_may_get_and_set,
    data_that_another_thread_has_are_not_waited_for_too_long,
    lock_that_is_released_under_a_guard_leads_to_errors,
    lock_that_is_released_by_another_thread_leads_to_errors,
    guard_that_is_forgotten_keeps_the_data,
    panic_gives_the_data_back,
}

once_alone! {
    thread_with_a_guard_does_not_fork,
    fork_server_with_a_guard_is_refused,
}

each_start_method! {
    lock_that_is_released_by_another_process_leads_to_errors,
}

fn nested_access_is_an_error() -> TestResult {
    let value = Value::new(1)?;
    let same = value.clone();
    let mut guard = value.lock()?;
    assert!(same.lock().is_err_and(|err| err.is_in_use()));
    assert!(same.get().is_err() && same.set(2).is_err() && same.update(|_| ()).is_err());
    *guard += 1;
    drop(guard);
    assert_eq!(same.get()?, 2);
    let inner = value.update(|_| same.update(|_| ()).is_err())?;
    assert!(inner && !value.get_lock().locked());

    let array = Array::from_slice(&[1, 2])?;
    let guard = array.lock()?;
    assert!(array.lock().is_err_and(|err| err.is_in_use()));
    assert!(array.get(0).is_err() && array.set(0, 5).is_err() && array.to_vec().is_err());
    assert_eq!(*guard, [1, 2]);
    Ok(())
}

fn holder_of_the_lock_may_get_and_set() -> TestResult {
    let array = Array::from_slice(&[1, 2])?;
    let held = array.get_lock().guard()?;
    array.set(0, array.get(0)? + array.get(1)?)?;
    array.lock()?[1] = 7;
    let other = thread::spawn({
        let array = array.clone();
        move || array.get_lock().try_acquire().map(|taken| taken.is_none())
    });
    assert!(
        other.join().unwrap()?,
        "errors and guards have given back what they took, and no more"
    );
    drop(held);
    assert_eq!(array.to_vec()?, [3, 7]);
    assert!(!array.get_lock().locked());
    Ok(())
}

fn data_that_another_thread_has_are_not_waited_for_too_long() -> TestResult {
    let (value, array) = (Value::new(1)?, Array::from_slice(&[1, 2])?);
    let raw = synchronized(RawValue::new(1)?)?;
    let guards = (value.lock()?, array.lock()?, raw.lock()?);
    thread::scope(|scope| {
        let other = scope.spawn(|| -> Result<bool, AccessError> {
            let moment = Duration::from_millis(1);
            let tried = value.try_lock()?.is_none()
                && array.try_lock()?.is_none()
                && raw.try_lock()?.is_none();
            Ok(tried
                && value.lock_timeout(moment)?.is_none()
                && array.lock_timeout(moment)?.is_none()
                && raw.lock_timeout(moment)?.is_none())
        });
        assert!(other.join().unwrap().unwrap());
    });
    assert!(value.try_lock().is_err_and(|err| err.is_in_use()), "it is this thread that has it");
    drop(guards);
    assert!(value.try_lock()?.is_some_and(|guard| *guard == 1));
    assert!(array.try_lock()?.is_some_and(|guard| *guard == [1, 2]));
    assert!(raw.try_lock()?.is_some_and(|guard| guard.get() == 1));
    Ok(())
}

fn lock_that_is_released_under_a_guard_leads_to_errors() -> TestResult {
    let value = Value::with_lock(1, RLock::new()?)?;
    let guard = value.lock()?;
    value.get_lock().release()?;
    let other = value.clone();
    let other = thread::spawn(move || other.lock().map(drop).is_err_and(|err| err.is_in_use()));
    assert!(other.join().unwrap(), "the lock is free, the value is not");
    drop(guard);
    value.set(2)?;
    Ok(())
}

fn lock_that_is_released_by_another_thread_leads_to_errors() -> TestResult {
    let value = Value::with_lock(1, Lock::new()?)?;
    let mut guard = value.lock()?;
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            value.get_lock().release()?;
            assert!(value.get().is_err_and(|err| err.is_in_use()));
            value.get_lock().acquire()?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
        other.join().unwrap()
    })
    .map_err(|err| err.to_string())?;
    *guard = 7;
    drop(guard);
    assert!(value.try_lock()?.is_none(), "the other has the lock, and keeps it");
    value.get_lock().release()?;
    assert_eq!(value.get()?, 7);

    let raw = Synchronized::with_lock(RawValue::new(1)?, value.get_lock().clone());
    let guard = raw.lock()?;
    thread::scope(|scope| {
        let other = || value.get_lock().release().is_ok() && value.get_lock().acquire().is_ok();
        assert!(scope.spawn(other).join().unwrap());
    });
    drop(guard);
    assert!(raw.try_lock()?.is_none(), "the other has the lock, and keeps it");
    Ok(())
}

fn lock_that_is_released_by_another_process_leads_to_errors(ctx: &Context) -> TestResult {
    let array = Array::with_lock(&[1, 2, 3], Lock::new()?)?;
    let (ours, theirs) = pipe::<(), bool>()?;
    // It has to be there before the guard is: a thread with a guard does not fork.
    let meddle =
        |array: Array<i32, Lock>, line: multiproc::Connection<bool, ()>| -> Result<(), Failure> {
            line.recv()?;
            array.get_lock().release()?;
            Ok(line.send(&array.lock().is_err_and(|err| err.is_in_use()))?)
        };
    let child = ctx.start(meddle, (array.clone(), theirs))?;
    let guard = array.lock()?;
    ours.send(&())?;
    assert!(ours.recv()?, "the other process does not get at the items");
    assert_eq!(*guard, [1, 2, 3]);
    child.result()??;
    drop(guard);
    assert_eq!(array.to_vec()?, [1, 2, 3]);
    Ok(())
}

fn guard_that_is_forgotten_keeps_the_data() -> TestResult {
    let value = Value::new(1)?;
    mem::forget(value.lock()?);
    assert!(value.lock().is_err_and(|err| err.is_in_use()));
    value.get_lock().release()?;
    assert!(value.get().is_err_and(|err| err.is_in_use()), "the reference may still be about");
    Ok(())
}

fn panic_gives_the_data_back() -> TestResult {
    let value = Value::new(1)?;
    let other = value.clone();
    let panicked = thread::spawn(move || other.update(|_| panic!("as it should"))).join();
    assert!(panicked.is_err());
    assert_eq!(value.get()?, 1);
    Ok(())
}

fn thread_with_a_guard_does_not_fork() -> Result<(), Failure> {
    let value = Value::new(1)?;
    let fork = Context::fork();
    let guard = value.lock()?;
    let started = fork.start(|| (), ());
    assert!(matches!(started, Err(StartError::Lent)), "{started:?}");
    let spawned = Context::spawn().start(|| (), ())?;
    spawned.result()?;
    drop(guard);
    fork.start(|| (), ())?.result()?;

    // A child that is forked while nobody has the value takes it as anybody does.
    let child = fork.start(|value: Value<i32>| value.set(7).is_ok(), (value.clone(),))?;
    assert!(child.result()?);
    assert_eq!(value.get()?, 7);
    Ok(())
}

fn fork_server_with_a_guard_is_refused() -> Result<(), Failure> {
    let keep = || -> Result<(), Failure> {
        mem::forget(Box::leak(Box::new(Value::new(1)?)).lock()?);
        Ok(())
    };
    set_forkserver_preload(keep, OnPreloadError::Ignore);
    let refused = Context::forkserver().start(|| (), ()).map(drop).unwrap_err();
    assert!(matches!(refused, StartError::Preload { .. }), "{refused:?}");
    assert!(refused.to_string().contains("a guard of shared data"), "{refused}");
    Ok(())
}
