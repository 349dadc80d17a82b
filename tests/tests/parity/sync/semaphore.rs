//! Behaviours: semaphore.* of docs/parity.tsv.

use std::time::Duration;

use multiproc::{BoundedSemaphore, Context, Mutex, Semaphore, synchronize::ReleaseError};
use multiproc_tests::TestResult;

use super::{SHORT, sent, takes_its_time};

multiproc_tests::each_start_method! {
    permits_go_from_process_to_process,
    no_more_than_its_permits_are_inside,
}
multiproc_tests::once! {
    semaphore_counts_and_has_no_bound,
    bounded_semaphore_counts_and_has_one,
    timeouts_are_kept,
    impossible_numbers_are_refused,
    debug_form_tells_value_and_maximum,
    signals_do_not_end_a_timed_wait,
}

// parity: semaphore.counting, semaphore.unbounded-release, semaphore.get-value
fn semaphore_counts_and_has_no_bound() -> TestResult {
    let semaphore = Semaphore::new(2)?;
    assert_eq!(semaphore.get_value(), 2);
    semaphore.acquire()?;
    assert_eq!(semaphore.get_value(), 1);
    semaphore.acquire()?;
    assert_eq!(semaphore.get_value(), 0);
    assert!(!semaphore.try_acquire()? && semaphore.locked());
    assert_eq!(semaphore.get_value(), 0);
    for value in 1..=4 {
        semaphore.release()?;
        assert_eq!(semaphore.get_value(), value);
    }
    drop(semaphore.guard()?);
    assert_eq!(semaphore.get_value(), 4);
    Ok(())
}

// parity: semaphore.bounded-counting
fn bounded_semaphore_counts_and_has_one() -> TestResult {
    let semaphore = sent(&BoundedSemaphore::new(2)?)?;
    assert_eq!(semaphore.release(), Err(ReleaseError::NotHeld));
    semaphore.acquire()?;
    semaphore.acquire()?;
    assert!(!semaphore.try_acquire()?);
    semaphore.release()?;
    semaphore.release()?;
    assert_eq!(semaphore.get_value(), 2);
    assert_eq!(semaphore.release(), Err(ReleaseError::NotHeld));
    assert_eq!((semaphore.get_value(), semaphore.maximum()), (2, 2));
    Ok(())
}

// parity: semaphore.timeouts, semaphore.macos-polling
fn timeouts_are_kept() -> TestResult {
    let semaphore = Semaphore::new(0)?;
    assert!(!semaphore.try_acquire()?);
    assert!(!semaphore.acquire_timeout(Duration::ZERO)?);
    assert!(!takes_its_time(|| semaphore.acquire_timeout(SHORT))?);
    let bounded = BoundedSemaphore::new(0)?;
    assert!(!takes_its_time(|| bounded.acquire_timeout(SHORT))?);
    Ok(())
}

// parity: semaphore.default-value, semaphore.negative-initial
fn impossible_numbers_are_refused() -> TestResult {
    // `Semaphore::new` has no default: Python's is 1. A negative number does not compile.
    assert_eq!(Semaphore::new(1)?.get_value(), 1);
    assert!(Semaphore::new(1 << 31).is_err());
    let full = Semaphore::new(i32::MAX.unsigned_abs())?;
    assert_eq!(full.release(), Err(ReleaseError::Overflow));
    Ok(())
}

// parity: semaphore.cross-process
fn permits_go_from_process_to_process(ctx: &Context) -> TestResult {
    let (there, back) = (Semaphore::new(0)?, Semaphore::new(0)?);
    let args = (there.clone(), back.clone());
    let child = ctx.process().daemon(true).start(answer, args)?;
    for _ in 0..100 {
        there.release()?;
        back.acquire()?;
    }
    child.result()?;
    assert_eq!((there.get_value(), back.get_value()), (0, 0));
    Ok(())
}

fn answer(there: Semaphore, back: Semaphore) {
    for _ in 0..100 {
        there.acquire().unwrap();
        back.release().unwrap();
    }
}

// parity: semaphore.cross-process
fn no_more_than_its_permits_are_inside(ctx: &Context) -> TestResult {
    let semaphore = BoundedSemaphore::new(2)?;
    let inside = Mutex::new([0u32; 2])?;
    let args = || (semaphore.clone(), inside.clone());
    let children: Vec<_> = (0..4).map(|_| ctx.start(enter, args())).collect::<Result<_, _>>()?;
    for child in &children {
        child.result()?;
    }
    let [now, most] = *inside.lock()?;
    assert_eq!(now, 0);
    assert!((1..=2).contains(&most), "{most} at once");
    assert_eq!(semaphore.get_value(), 2);
    Ok(())
}

fn enter(semaphore: BoundedSemaphore, inside: Mutex<[u32; 2]>) {
    for _ in 0..500 {
        let _permit = semaphore.guard().unwrap();
        {
            let mut counts = inside.lock().unwrap();
            counts[0] += 1;
            counts[1] = counts[1].max(counts[0]);
        }
        std::thread::yield_now();
        inside.lock().unwrap()[0] -= 1;
    }
}

// parity: semaphore.repr
fn debug_form_tells_value_and_maximum() -> TestResult {
    assert_eq!(format!("{:?}", Semaphore::new(3)?), "Semaphore { value: 3 }");
    let bounded = BoundedSemaphore::new(2)?;
    assert_eq!(format!("{bounded:?}"), "BoundedSemaphore { value: 2, maximum: 2 }");
    Ok(())
}

fn signals_do_not_end_a_timed_wait() -> TestResult {
    extern "C" fn handler(_: libc::c_int) {}
    // SAFETY: The handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const () as libc::sighandler_t) };
    let semaphore = Semaphore::new(0)?;
    // SAFETY: This thread outlives the scope.
    let sleeper = unsafe { libc::pthread_self() } as usize;
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // SAFETY: The thread waits for this one.
                unsafe { libc::pthread_kill(sleeper as libc::pthread_t, libc::SIGUSR1) };
                std::thread::yield_now();
            }
        });
        let acquired = takes_its_time(|| semaphore.acquire_timeout(SHORT));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(!acquired.unwrap());
    });
    Ok(())
}
