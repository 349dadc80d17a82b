//! Behaviours: misc.* of docs/parity.tsv.
//!
//! - DIFFERENCE: each call has an error type of its own; there is no common base class.
//! - DIFFERENCE: a finalizer is a value, so it has an owner; one with neither object nor priority cannot be made.
//! - DIFFERENCE: a type brings its own serialisation, by serde; the layer is not exchanged as a whole.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use multiproc::{
    Context, Failure, Finalizer, at_exit, connection, connection::Sender, pipe, simplex,
};
use multiproc_tests::TestResult;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

multiproc_tests::each_start_method! {
    finalizers_run_by_priority_then_latest_first,
    process_leaves_in_order,
    finalizers_of_two_threads_do_not_disturb_the_exit,
    value_may_write_itself_its_own_way,
}
multiproc_tests::once! {
    finalizer_runs_once,
    finalizers_run_in_one_thread_while_another_makes_them,
    cancelled_finalizer_never_runs,
    finalizer_has_an_owner_or_a_priority,
    errors_have_a_type_each,
}
#[cfg(feature = "managers")]
multiproc_tests::once! { every_name_has_a_counterpart }

// parity: misc.finalizer-order
fn finalizers_run_by_priority_then_latest_first(ctx: &Context) -> TestResult {
    let (said, say) = simplex::<String>()?;
    let child = ctx.start(make_finalizers, (say,))?;
    child.join()?;
    assert_eq!(child.exitcode(), Some(0));

    // All was said before it ended.
    let order: Vec<String> = std::iter::from_fn(|| said.try_recv().ok()).collect();
    assert_eq!(order, ["d10", "d03", "d02", "d01", "e"]);
    Ok(())
}

// parity: misc.exit-function-order
fn process_leaves_in_order(ctx: &Context) -> TestResult {
    let (said, say) = simplex::<String>()?;
    let child = ctx.start(leave_with_children, (ctx.get_start_method().to_string(), say))?;
    let heard: Vec<String> = [said.recv()?, said.recv()?, said.recv()?].into();
    assert_eq!(heard, ["finalizer 0", "daemon is gone", "finalizer -1"]);
    child.result()??;
    Ok(())
}

// parity: misc.finalizer-thread-safe
fn finalizers_run_in_one_thread_while_another_makes_them() -> TestResult {
    const ROUNDS: usize = 20_000;
    let (made, ran) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (hand, taken) = std::sync::mpsc::channel::<Finalizer>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                let counter = ran.clone();
                let count = move || {
                    counter.fetch_add(1, Relaxed);
                };
                let finalizer = if round % 2 == 0 {
                    Finalizer::new(count)
                } else {
                    Finalizer::with_priority(7, count)
                };
                made.fetch_add(1, Relaxed);
                match round % 3 {
                    0 => drop(finalizer),
                    1 => finalizer.run(),
                    _ => hand.send(finalizer).unwrap(),
                }
            }
            drop(hand);
        });
        for finalizer in taken {
            finalizer.run();
            assert!(!finalizer.is_active());
        }
    });
    assert_eq!((made.load(Relaxed), ran.load(Relaxed)), (ROUNDS, ROUNDS));
    Ok(())
}

fn finalizers_of_two_threads_do_not_disturb_the_exit(ctx: &Context) -> TestResult {
    let child = ctx.start(leave_while_a_thread_makes_finalizers, ())?;
    child.result()?;
    assert_eq!(child.exitcode(), Some(0));
    Ok(())
}

// parity: misc.finalizer-once
fn finalizer_runs_once() -> TestResult {
    for drops_only in [false, true] {
        let runs = Arc::new(AtomicUsize::new(0));
        let finalizer = counting(&runs);
        assert!(finalizer.is_active());
        if !drops_only {
            finalizer.run();
            finalizer.run();
            assert!(!finalizer.is_active());
            assert_eq!(runs.load(Relaxed), 1);
        }
        drop(finalizer);
        assert_eq!(runs.load(Relaxed), 1, "drops only: {drops_only}");
    }
    Ok(())
}

// parity: misc.finalizer-cancel
fn cancelled_finalizer_never_runs() -> TestResult {
    let runs = Arc::new(AtomicUsize::new(0));
    let finalizer = counting(&runs);
    finalizer.cancel();
    assert!(!finalizer.is_active());
    finalizer.run();
    drop(finalizer);
    assert_eq!(runs.load(Relaxed), 0);
    assert_eq!(Arc::strong_count(&runs), 1, "what it captured is let go");
    Ok(())
}

// parity: misc.finalizer-needs-priority
fn finalizer_has_an_owner_or_a_priority() -> TestResult {
    // Without a priority its owner is the value, with whose end it runs; with one it may also be left to the exit.
    let runs = Arc::new(AtomicUsize::new(0));
    {
        let _owner = counting(&runs);
        assert_eq!(runs.load(Relaxed), 0);
    }
    assert_eq!(runs.load(Relaxed), 1);

    let (said, say) = simplex::<String>()?;
    let child = Context::spawn().start(keep_finalizer_with_priority, (say,))?;
    assert_eq!(said.recv()?, "kept");
    child.join()?;
    Ok(())
}

// parity: misc.errors-base
fn errors_have_a_type_each() -> TestResult {
    let (a, b) = pipe::<u8, u8>()?;
    a.send_bytes(b"longer than one")?;
    let too_short = b.recv_bytes_into(&mut [0]).unwrap_err();
    assert!(
        matches!(&too_short, connection::RecvError::BufferTooShort { message, .. } if message == b"longer than one")
    );
    let timeout = b.recv_timeout(Duration::ZERO).unwrap_err();
    assert!(matches!(timeout, connection::RecvTimeoutError::Timeout));

    // What they have in common is what all errors have: `?` carries them, and their type can be asked for.
    let any: Vec<Box<dyn Error>> = vec![too_short.into(), timeout.into()];
    assert!(any[0].is::<connection::RecvError>() && any[1].is::<connection::RecvTimeoutError>());
    Ok(())
}

// parity: misc.reducer-replaceable
fn value_may_write_itself_its_own_way(ctx: &Context) -> TestResult {
    let sum = ctx.start(add, (Roman(14), Roman(9)))?;
    assert_eq!(sum.result()?, Roman(23));
    let refused = ctx.start(add, (Roman(0), Roman(1)));
    if ctx.get_start_method() == multiproc::StartMethod::Fork {
        assert_eq!(refused?.result()?, Roman(1), "a fork writes no arguments");
    } else {
        assert!(matches!(refused, Err(multiproc::StartError::Encode { .. })), "there is no nought");
    }
    Ok(())
}

// `allow_connection_pickling` has nothing to do: connections can always be sent. `reducer` is `multiproc::wire` and serde.
// Errors and what belongs to connections stand in their modules.
// parity: misc.all-names
#[cfg(feature = "managers")]
fn every_name_has_a_counterpart() -> TestResult {
    use multiproc::{
        Array, Barrier, BoundedSemaphore, Condition, Event, JoinableQueue, Lock, Manager, Pool,
        Process, ProcessError, Queue, RLock, RawArray, RawValue, Semaphore, SimpleQueue, Value,
        active_children, connection::AuthenticationError, connection::RecvError as BufferTooShort,
        connection::RecvTimeoutError as TimeoutError, cpu_count, current_process,
        get_all_start_methods, get_context, get_logger, get_start_method, init as freeze_support,
        log_to_stderr, parent_process, pipe, set_executable, set_forkserver_preload,
        set_start_method, wire as reducer,
    };
    type Any = fn(Option<std::path::PathBuf>);
    let _ = (
        Process::<()>::name,
        ProcessError::Taken,
        active_children,
        BufferTooShort::is_closed,
        cpu_count,
    );
    let _ = (
        TimeoutError::Timeout,
        current_process,
        get_all_start_methods,
        || get_context(None),
        get_logger,
    );
    let _ = (get_start_method, freeze_support, || log_to_stderr(None), parent_process);
    let _ =
        (pipe::<(), ()>, set_executable as Any, set_forkserver_preload::<fn()>, set_start_method);
    let _ = reducer::encode::<()>;
    let _ = (Array::<u8>::new, RawArray::<u8>::new, Value::<u8>::new, RawValue::<u8>::new);
    let _ = (Lock::new, RLock::new, Semaphore::new, BoundedSemaphore::new, Condition::new);
    let _ = (Event::new, Barrier::new, Pool::new, Manager::start);
    let _ = (JoinableQueue::<u8>::new, Queue::<u8>::new, SimpleQueue::<u8>::new);
    let _ = size_of::<AuthenticationError>();
    Ok(())
}

fn counting(runs: &Arc<AtomicUsize>) -> Finalizer {
    let runs = runs.clone();
    Finalizer::new(move || {
        runs.fetch_add(1, Relaxed);
    })
}

fn make_finalizers(say: Sender<String>) {
    let say = Arc::new(say);
    let make = |priority, name: &'static str| {
        let say = say.clone();
        Finalizer::with_priority(priority, move || say.send(&name.to_string()).unwrap()).keep();
    };
    make(0, "d01");
    make(0, "d02");
    make(-100, "e");
    make(10, "d10");
    let cancelled = Finalizer::with_priority(11, || unreachable!("cancelled"));
    cancelled.cancel();
    make(0, "d03");
}

fn keep_finalizer_with_priority(say: Sender<String>) {
    Finalizer::with_priority(0, move || say.send(&"kept".to_string()).unwrap()).keep();
}

fn leave_with_children(method: String, say: Sender<String>) -> Result<(), Failure> {
    let ctx = multiproc::get_context(method.as_str())?;
    let say = Arc::new(say);
    let (closed, hold) = simplex::<()>()?;
    // The daemon alone holds the sending end, until it is terminated.
    let (ready, tell) = simplex::<()>()?;
    let daemon = ctx.process().daemon(true).start(hold_for_ever, (hold, tell))?;
    ready.recv()?;
    assert!(daemon.is_alive());
    let other = ctx
        .process()
        .daemon(false)
        .start(say_when_closed, (closed, "daemon is gone".to_string(), copy(&say)?))?;
    assert!(other.is_alive());

    let (first, last) = (say.clone(), say);
    Finalizer::with_priority(-1, move || last.send(&"finalizer -1".to_string()).unwrap()).keep();
    at_exit(move || first.send(&"finalizer 0".to_string()).unwrap());
    Ok(())
}

fn copy(say: &Sender<String>) -> Result<Sender<String>, Failure> {
    // Over a pipe, the way by which every other process would get it.
    let (rx, tx) = simplex::<Sender<String>>()?;
    tx.send(say)?;
    Ok(rx.recv()?)
}

fn hold_for_ever(_hold: Sender<()>, tell: Sender<()>) -> Result<(), Failure> {
    let (never, _open) = simplex::<()>()?;
    tell.send(&())?;
    Ok(never.recv()?)
}

fn say_when_closed(
    closed: connection::Receiver<()>,
    text: String,
    say: Sender<String>,
) -> Result<(), Failure> {
    assert!(closed.recv().unwrap_err().is_closed());
    Ok(say.send(&text)?)
}

fn leave_while_a_thread_makes_finalizers() {
    let (begun, began) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Not waited for: it goes on until the process is gone.
        loop {
            drop(Finalizer::with_priority(0, || ()));
            let _ = begun.send(());
        }
    });
    began.recv().unwrap();
}

/// A number that is written in its own way and in no other.
#[derive(Debug, PartialEq)]
struct Roman(u32);

const DIGITS: [(u32, &str); 5] = [(10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")];

impl Serialize for Roman {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut rest, mut text) = (self.0, String::new());
        if rest == 0 {
            return Err(serde::ser::Error::custom("the Romans had no nought"));
        }
        for (value, digit) in DIGITS {
            while rest >= value {
                text += digit;
                rest -= value;
            }
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Roman {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (mut rest, mut number) = (text.as_str(), 0);
        while !rest.is_empty() {
            let digit =
                DIGITS.iter().find_map(|(value, digit)| Some((value, rest.strip_prefix(digit)?)));
            let (value, left) = digit.ok_or_else(|| de::Error::custom("no Roman number"))?;
            (number, rest) = (number + value, left);
        }
        Ok(Self(number))
    }
}

fn add(a: Roman, b: Roman) -> Roman {
    Roman(a.0 + b.0)
}
