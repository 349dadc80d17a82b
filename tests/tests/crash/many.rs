//! Very many processes.

use std::{fs, path::PathBuf};

use multiproc::{Context, Failure};
use multiproc_tests::{
    Scratch, TestResult, context_named, each_start_method, held, in_child, ledger::Ledger, name_of,
};

each_start_method! { many_in_a_row, many_at_once }

fn many_in_a_row(ctx: &Context) -> TestResult {
    // To execute the program takes longer, the more so when it is built for debugging.
    let number = if name_of(ctx) == "spawn" && cfg!(debug_assertions) { 200 } else { 1000 };
    let folder = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("row-{}", name_of(ctx)))?;
    in_child(&Context::spawn(), start_one_by_one, (name_of(ctx), folder.to_path_buf(), number))
}

fn many_at_once(ctx: &Context) -> TestResult {
    let folder = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("once-{}", name_of(ctx)))?;
    in_child(&Context::spawn(), start_all, (name_of(ctx), folder.to_path_buf(), 200))
}

fn start_one_by_one(method: String, folder: PathBuf, number: u32) -> Result<(), Failure> {
    let (ctx, before) = prepare(&method, &folder)?;
    for at in 0..number {
        let process = ctx.start(|at: u32| at, (at,))?;
        assert_eq!(process.result()?, at);
        assert_eq!(process.exitcode(), Some(0));
    }
    check(&before, &folder)
}

fn start_all(method: String, folder: PathBuf, number: u32) -> Result<(), Failure> {
    let (ctx, before) = prepare(&method, &folder)?;
    let running: Vec<_> =
        (0..number).map(|_| held(&ctx)).collect::<Result<_, _>>().map_err(|err| err.to_string())?;
    assert!(running.iter().all(|(process, _)| process.is_alive()));
    for (_, line) in &running {
        line.send(&())?;
    }
    for (process, _) in &running {
        process.join()?;
        assert_eq!(process.exitcode(), Some(0));
    }
    drop(running);
    check(&before, &folder)
}

/// Goes to an empty folder, for temporary files too, and takes down what there is once a first process was started.
fn prepare(method: &str, folder: &PathBuf) -> Result<(Context, Ledger), Failure> {
    std::env::set_current_dir(folder)?;
    // SAFETY: This process was started for this and has one thread.
    unsafe { std::env::set_var("TMPDIR", folder) };
    let ctx = context_named(method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    Ok((ctx, Ledger::take()))
}

fn check(before: &Ledger, folder: &PathBuf) -> Result<(), Failure> {
    before.check("many processes")?;
    let files: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    assert!(files.is_empty(), "left behind: {files:?}");
    Ok(())
}
