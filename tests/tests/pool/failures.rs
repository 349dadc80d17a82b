//! What fails fails alone, with an error that says what happened.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
    process,
};

use multiproc::{Context, Pool, TaskError};
use multiproc_tests::{Scratch, TestResult, each_start_method, name_of};

use crate::{pool, square};

each_start_method! {
    panic_costs_one_result, worker_that_ends_costs_one_result, chunk_is_lost_without_retries_and_taken_apart_with,
    retries_are_counted, huge_panic_arrives_whole, task_that_succeeds_at_last_is_a_success,
}

fn lost(signal: Option<i32>, exitcode: Option<i32>) -> TaskError {
    TaskError::WorkerLost { signal, exitcode, oom: false }
}

fn panic_costs_one_result(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    for chunksize in [1, 4, 20] {
        let results: Vec<_> = pool.imap(refuse_odd, 0..20u32).chunksize(chunksize).collect();
        assert_eq!(results.len(), 20);
        for (x, result) in (0u32..).zip(results) {
            match result {
                Ok(half) => assert_eq!(half * 2, x),
                Err(TaskError::Panicked(report)) => {
                    assert_eq!(x % 2, 1);
                    assert_eq!(report.message, format!("{x} is odd"));
                    assert!(
                        report.location.as_ref().is_some_and(|at| at.contains("failures.rs:")),
                        "{report:?}"
                    );
                }
                Err(err) => return Err(err.into()),
            }
        }
    }
    match pool.map(refuse_odd, [2, 4, 5, 6, 7]) {
        Err(TaskError::Panicked(report)) => assert_eq!(report.message, "5 is odd", "the first one"),
        other => return Err(format!("{other:?}").into()),
    }
    assert!(matches!(pool.apply(refuse_odd, (1,)), Err(TaskError::Panicked(_))));
    assert_eq!(pool.workers_lost(), 0, "a panic ends no worker");
    Ok(())
}

fn worker_that_ends_costs_one_result(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    let results: Vec<_> = pool.imap(end_somehow, 0..40u32).collect();
    for (x, result) in (0u32..).zip(results) {
        let expected = match x {
            3 => Err(lost(None, Some(0))),
            7 => Err(lost(None, Some(5))),
            11 => Err(lost(Some(libc::SIGABRT), None)),
            15 => Err(lost(Some(libc::SIGSEGV), None)),
            19 => Err(lost(Some(libc::SIGKILL), None)),
            23 => Err(lost(None, Some(6))),
            27 => Err(lost(None, Some(1))),
            x => Ok(x),
        };
        assert_eq!(result, expected, "{x}");
    }
    assert_eq!(pool.workers_lost(), 7);
    assert_eq!(pool.map(square, [5, 6])?, [25, 36]);
    Ok(())
}

fn chunk_is_lost_without_retries_and_taken_apart_with(ctx: &Context) -> TestResult {
    let hard = pool(ctx, 2)?;
    let results: Vec<_> = hard.imap(end_somehow, (0..4u32).chain(28..32)).chunksize(4).collect();
    let gone = Err(lost(None, Some(0)));
    assert_eq!(results[3], gone);
    // What was done before is lost with it, unless the worker had sent it, or another one did it.
    for (x, result) in (0..).zip(&results[..3]) {
        assert!([&Ok(x), &gone].contains(&result), "{result:?}");
    }
    assert_eq!(results[4..], [Ok(28), Ok(29), Ok(30), Ok(31)]);

    let soft = Pool::builder().processes(2).context(ctx.clone()).retries(2).build()?;
    let results: Vec<_> = soft.imap(end_somehow, 0..40u32).chunksize(40).collect();
    let failed: Vec<_> =
        results.iter().enumerate().filter(|(_, result)| result.is_err()).map(|(x, _)| x).collect();
    assert_eq!(failed, [3, 7, 11, 15, 19, 23, 27]);
    assert_eq!(results[11], Err(lost(Some(libc::SIGABRT), None)));
    assert_eq!(results[39], Ok(39));
    // Each by itself: what was not begun went to another worker without counting.
    assert_eq!(soft.workers_lost(), 7 * 3);
    Ok(())
}

fn huge_panic_arrives_whole(ctx: &Context) -> TestResult {
    const LEN: usize = 10 << 20;
    let pool = pool(ctx, 2)?;
    // Not by `panic!`, which would print it.
    let panic = |len: usize| -> u32 { std::panic::resume_unwind(Box::new("x".repeat(len))) };
    let results: Vec<_> = pool.imap(panic, [1, LEN, 2]).chunksize(3).collect();
    for (result, len) in results.into_iter().zip([1, LEN, 2]) {
        assert!(matches!(result, Err(TaskError::Panicked(report)) if report.message.len() == len));
    }
    assert_eq!(pool.map(square, [3])?, [9]);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn retries_are_counted(ctx: &Context) -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("retries-{}", name_of(ctx)))?;
    for retries in [0, 1, 5] {
        let pool = Pool::builder().processes(2).context(ctx.clone()).retries(retries).build()?;
        let path = scratch.join(retries.to_string());
        let result = pool.apply(leave_a_mark_and_end, (path.clone(), u64::MAX));
        assert_eq!(result, Err(lost(None, Some(9))));
        assert_eq!(fs::read(&path)?.len(), retries as usize + 1);
        assert_eq!(pool.workers_lost(), u64::from(retries) + 1);
    }
    Ok(())
}

fn task_that_succeeds_at_last_is_a_success(ctx: &Context) -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("at-last-{}", name_of(ctx)))?;
    let pool = Pool::builder().processes(1).context(ctx.clone()).retries(4).build()?;
    assert_eq!(pool.apply(leave_a_mark_and_end, (scratch.join("marks"), 5))?, 5);
    assert_eq!(pool.workers_lost(), 4);
    Ok(())
}

fn refuse_odd(x: u32) -> u32 {
    assert!(x.is_multiple_of(2), "{x} is odd");
    x / 2
}

fn end_somehow(x: u32) -> u32 {
    match x {
        3 => multiproc::exit(0),
        7 => process::exit(5),
        11 => process::abort(),
        15 => {
            // The standard library has a handler, for messages on stack overflows.
            // SAFETY: Plain numbers.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
            // SAFETY: Plain numbers.
            unsafe { libc::raise(libc::SIGSEGV) };
        }
        // SAFETY: Plain numbers.
        19 => drop(unsafe { libc::kill(libc::getpid(), libc::SIGKILL) }),
        // SAFETY: It ends the process, of which nothing is needed any more.
        23 => unsafe { libc::_exit(6) },
        27 => multiproc::exit(1),
        _ => {}
    }
    x
}

/// Leaves a mark, and ends the process unless it is mark number `enough`.
fn leave_a_mark_and_end(path: PathBuf, enough: u64) -> u64 {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(b"x").unwrap();
    let marks = file.metadata().unwrap().len();
    if marks < enough {
        process::exit(9);
    }
    marks
}
