//! Whom a death concerns: families with daemons, and parents that are killed.

use std::process::{Command, Stdio};

use multiproc::{Connection, Context, Failure, connection, pipe};
use multiproc_tests::{Scratch, TestResult, procfs};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, wait};

multiproc_tests::each_start_method! {
    daemonic_process_may_have_children,
    daemonic_children_die_with_a_parent_that_is_killed,
}
multiproc_tests::once_alone! { family_of_a_program_that_has_ended_is_gone }

// complaint: 18
fn daemonic_process_may_have_children(ctx: &Context) -> TestResult {
    let method = ctx.get_start_method().to_string();
    let child = ctx.process().daemon(true).start(product_of_grandchildren, (method,))?;
    assert_eq!(child.result()??, 2 * 3 * 5);
    assert_eq!(child.exitcode(), Some(0));
    Ok(())
}

// complaint: 19
fn daemonic_children_die_with_a_parent_that_is_killed(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), u32>()?;
    let method = ctx.get_start_method().to_string();
    let parent = ctx.process().daemon(true).start(start_generations, (method, 3, theirs))?;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        let pid = Pid::from_raw(ours.recv()?.cast_signed()).ok_or("a pid")?;
        sentinels.push(pidfd_open(pid, PidfdFlags::empty())?);
    }
    assert!(
        connection::wait(
            &[&sentinels[0], &sentinels[1], &sentinels[2]],
            std::time::Duration::ZERO
        )?
        .is_empty()
    );

    // Nobody is left to tell the children; the kernel does.
    parent.kill()?;

    for sentinel in &sentinels {
        connection::wait(&[sentinel], None)?;
    }
    parent.join()?;
    assert_eq!(parent.exitcode(), Some(-9));
    Ok(())
}

// The names in /dev/shm of misc.dangling come with shared memory.
fn family_of_a_program_that_has_ended_is_gone() -> Result<(), Failure> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "gone")?;
    // Whoever loses his parent becomes our child.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;

    let output = Command::new(env!("CARGO_BIN_EXE_steady"))
        .env("TMPDIR", &*scratch)
        .stdin(Stdio::null())
        .output()?;
    assert!(output.status.success());

    // The fork server ends by itself when nobody is left who could ask it; then there is nobody to wait for.
    while let Ok(Some((_, status))) = wait(WaitOptions::empty()) {
        assert_eq!(status.exit_status(), Some(0));
    }
    assert!(procfs::children_of(std::process::id()).is_empty());
    assert_eq!(std::fs::read_dir(&*scratch)?.count(), 0, "no socket files");
    Ok(())
}

fn product_of_grandchildren(method: String) -> Result<u64, Failure> {
    let ctx = multiproc::get_context(method.as_str())?;
    let children = [2, 3, 5].map(|number| ctx.start(|number: u64| number, (number,)));
    let mut product = 1;
    for child in children {
        let child = child?;
        assert!(child.daemon(), "as its parent is");
        product *= child.result()?;
    }
    Ok(product)
}

/// Says its pid, and is parent to the next generation, until it is killed.
fn start_generations(
    method: String,
    generations: u32,
    say: Connection<u32, ()>,
) -> Result<(), Failure> {
    say.send(&std::process::id())?;
    if generations > 1 {
        let child = multiproc::get_context(method.as_str())?
            .start(start_generations, (method, generations - 1, say))?;
        child.join()?;
    } else {
        say.recv()?;
    }
    Ok(())
}
