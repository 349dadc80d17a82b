//! Forks while other threads are busy with what std locks.
//!
//! The child of such a fork finds some lock held by a thread that it does not have. It must not need it. What cannot
//! be helped: std has one lock for all backtraces, so a forked child that panics, forked while another thread panics,
//! may wait for that for ever. It is what `allow_threads` warns of.

use std::{
    fs::OpenOptions,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
};

use multiproc::{Context, Failure, ProcessError, StartError};
use multiproc_tests::{TestResult, context_named, each_start_method, in_child, name_of, once};

once! { fork_that_is_refused_waits_for_no_stream }

each_start_method! { others_print, others_panic, others_allocate, others_read_the_environment }

fn others_print(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_while_busy, (name_of(ctx), "print".to_string()))
}

fn others_panic(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_while_busy, (name_of(ctx), "panic".to_string()))
}

fn others_allocate(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_while_busy, (name_of(ctx), "allocate".to_string()))
}

fn others_read_the_environment(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_while_busy, (name_of(ctx), "environment".to_string()))
}

fn fork_that_is_refused_waits_for_no_stream() -> TestResult {
    in_child(&Context::spawn(), fork_while_a_stream_is_held, ())
}

fn fork_while_a_stream_is_held() -> Result<(), Failure> {
    let (hold, is_held) = channel();
    let (release, released) = channel::<()>();
    let holder = std::thread::spawn(move || {
        let stream = std::io::stderr().lock();
        let _ = hold.send(());
        let _ = released.recv();
        drop(stream);
    });
    is_held.recv()?;
    let result = Context::fork().start(|| (), ());
    assert!(matches!(result, Err(StartError::Threads { .. })));
    drop(release);
    holder.join().map_err(|_| "a thread panicked")?;
    Ok(())
}

fn start_while_busy(method: String, with: String) -> Result<(), Failure> {
    // What is printed here is not for the one who reads the test's output.
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    let act: fn() = match with.as_str() {
        "print" => print,
        "panic" => panic_and_catch,
        "allocate" => allocate,
        _ => read_environment,
    };
    let over = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..2)
        .map(|_| {
            let over = over.clone();
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    act();
                }
            })
        })
        .collect();

    let number = if method == "fork" { 40 } else { 20 };
    let ctx = context_named(&method);
    for round in 0..number {
        assert_eq!(ctx.start(print_and_return, (7,))?.result()?, 7);
        let failed = ctx.start(|| Err::<(), _>("expected by the test".to_string()), ())?;
        assert_eq!(failed.result()?, Err("expected by the test".into()));
        // To name the functions of a backtrace takes long.
        if round % 20 == 0 && (method.as_str(), with.as_str()) != ("fork", "panic") {
            check_panic(&ctx)?;
        }
    }
    over.store(true, Ordering::Relaxed);
    for thread in busy {
        thread.join().map_err(|_| "a thread panicked")?;
    }
    Ok(())
}

fn check_panic(ctx: &Context) -> Result<(), Failure> {
    let Err(ProcessError::Panicked(report)) = ctx.start(panic_at_once, ())?.result() else {
        panic!("it panicked")
    };
    assert_eq!(report.message, "expected by the test");
    Ok(())
}

fn print() {
    println!("a line");
    eprintln!("a line");
    print!("part of one");
}

fn panic_and_catch() {
    let _ = std::panic::catch_unwind(|| panic!("expected by the test"));
}

fn allocate() {
    std::hint::black_box(vec![0u8; 1000]);
}

fn read_environment() {
    std::hint::black_box(std::env::vars_os().count());
}

fn print_and_return(number: i32) -> i32 {
    println!("a line of the child");
    let _ = std::io::stderr().write_all(b"and another");
    allocate();
    read_environment();
    number
}

fn panic_at_once() {
    panic!("expected by the test");
}
