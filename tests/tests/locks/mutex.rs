//! What a mutex guards: which values, by which threads, and what is left of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use multiproc::{Context, Mutex, StartError, synchronize::MutexError, wire};
use multiproc_tests::{TestResult, each_start_method, once};

once! {
    thread_with_the_value_does_not_fork,
    mutex_is_not_received_as_one_of_another_type,
    panic_with_the_value_in_hand_puts_it_in_doubt,
    value_taken_and_let_go_in_a_panic_is_not_in_doubt,
}

each_start_method! {
    bytes_that_are_no_value_are_zero_when_their_writer_is_dead,
}

fn thread_with_the_value_does_not_fork() -> TestResult {
    let (mutex, ctx) = (Mutex::new(7u8)?, Context::fork().allow_threads());
    let value = mutex.lock()?;
    assert!(matches!(ctx.start(|| (), ()), Err(StartError::Lent)));
    drop(value);
    ctx.start(|| (), ())?.join()?;
    Ok(())
}

fn mutex_is_not_received_as_one_of_another_type() -> TestResult {
    let mutex = Mutex::new(7u32)?;
    assert_eq!(*wire::encode(&mutex)?.decode::<Mutex<u32>>()?.lock()?, 7);
    assert!(wire::encode(&mutex)?.decode::<Mutex<char>>().is_err());
    assert!(wire::encode(&mutex)?.decode::<Mutex<[u16; 2]>>().is_err());
    assert!(wire::encode(&mutex)?.decode::<Mutex<u64>>().is_err());
    Ok(())
}

fn panic_with_the_value_in_hand_puts_it_in_doubt() -> TestResult {
    let mutex = Mutex::new((true, 'x'))?;
    let panics = || {
        let _value = mutex.lock().unwrap();
        panic!("as the test wants it");
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert!(mutex.is_in_doubt() && matches!(mutex.lock(), Err(MutexError::OwnerDied)));
    assert_eq!(*mutex.lock_or_repair(|value| value.1 = 'y')?, (true, 'y'));
    assert_eq!(*mutex.lock()?, (true, 'y'));
    Ok(())
}

/// Has the value while a panic unwinds.
struct Counts<'a>(&'a Mutex<u32>);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

fn value_taken_and_let_go_in_a_panic_is_not_in_doubt() -> TestResult {
    let mutex = Mutex::new(0)?;
    let panics = || {
        let _counts = Counts(&mutex);
        panic!("as the test wants it");
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert!(!mutex.is_in_doubt());
    assert_eq!(*mutex.lock()?, 1);
    // The panic is over, and another one counts.
    let panics = || {
        let _value = mutex.lock().unwrap();
        panic!("as the test wants it");
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert!(mutex.is_in_doubt());
    Ok(())
}

fn bytes_that_are_no_value_are_zero_when_their_writer_is_dead(ctx: &Context) -> TestResult {
    let mutex = Mutex::new((true, 'x'))?;
    let child = ctx.start(leave_nonsense, (mutex.clone(),))?;
    child.join()?;
    assert!(matches!(mutex.lock(), Err(MutexError::OwnerDied)));
    assert_eq!(*mutex.lock_or_repair(|_| ())?, (false, '\0'));
    Ok(())
}

fn leave_nonsense(mutex: Mutex<(bool, char)>) {
    let mut value = mutex.lock().unwrap();
    let bytes = std::ptr::from_mut(&mut *value).cast::<u8>();
    // SAFETY: The bytes of the value, which nobody reads as one before this process has ended.
    unsafe { bytes.write_bytes(0xff, size_of::<(bool, char)>()) };
    // SAFETY: Ends this process here, as if it had been killed while it wrote.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}
