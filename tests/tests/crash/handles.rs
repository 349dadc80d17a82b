//! Handles that are dropped while the child runs.

use std::os::fd::AsFd;

use multiproc::{Context, Failure, active_children, connection::wait};
use multiproc_tests::{
    TestResult, context_named, each_start_method, held, in_child, ledger::Ledger, name_of, procfs,
};

each_start_method! { dropped_handle_leaves_no_zombie, dropped_handle_of_an_ended_child, many_dropped_handles }

fn dropped_handle_leaves_no_zombie(ctx: &Context) -> TestResult {
    let (process, line) = held(ctx)?;
    let pid = process.pid().ok_or("it is started")?;
    let sentinel = process.as_fd().try_clone_to_owned()?;

    drop(process);
    assert!(procfs::state(pid).is_some_and(|state| state != 'Z'), "it runs on");
    assert!(active_children().iter().any(|child| child.pid() == pid));
    line.send(&())?;

    wait(&[&sentinel], None)?;
    while procfs::state(pid).is_some() {
        std::thread::yield_now();
    }
    Ok(())
}

fn dropped_handle_of_an_ended_child(ctx: &Context) -> TestResult {
    let (process, line) = held(ctx)?;
    let pid = process.pid().ok_or("it is started")?;
    line.send(&())?;
    wait(&[&process], None)?;

    drop(process);

    while procfs::state(pid).is_some() {
        std::thread::yield_now();
    }
    Ok(())
}

fn many_dropped_handles(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), drop_many_handles, (name_of(ctx),))
}

fn drop_many_handles(method: String) -> Result<(), Failure> {
    let ctx = context_named(&method);
    ctx.start(|| (), ())?.join()?;
    let before = Ledger::take();
    for _ in 0..3 {
        let mut lines = Vec::new();
        for _ in 0..20 {
            let (process, line) = held(&ctx).map_err(|err| err.to_string())?;
            drop(process);
            lines.push(line);
        }
        for line in lines {
            line.send(&())?;
        }
        // The thread that reaps them ends after the last, and with it the pipe that it waits at.
        while before.check("dropped handles").is_err() || procfs::threads() > 1 {
            std::thread::yield_now();
        }
    }
    Ok(())
}
