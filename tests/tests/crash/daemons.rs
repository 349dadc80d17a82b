//! Children of a process that is killed.

use multiproc::{Connection, Context, Failure, connection::wait, pipe};
use multiproc_tests::{TestResult, context_named, each_start_method, name_of, procfs};

each_start_method! {
    daemonic_child_dies_with_its_killed_parent, other_child_survives_its_killed_parent, whole_line_of_daemons_dies,
    daemonic_child_of_a_parent_killed_at_once
}

fn daemonic_child_dies_with_its_killed_parent(ctx: &Context) -> TestResult {
    for in_thread in [false, true] {
        let (ours, theirs) = pipe::<(), u32>()?;
        let parent = ctx
            .process()
            .daemon(true)
            .start(have_a_child, (name_of(ctx), theirs, true, in_thread))?;
        let child = ours.recv()?;

        parent.kill()?;
        parent.join()?;

        assert_eq!(parent.exitcode(), Some(-9));
        procfs::wait_until_ended(child);
    }
    Ok(())
}

fn other_child_survives_its_killed_parent(ctx: &Context) -> TestResult {
    for in_thread in [false, true] {
        let (ours, theirs) = pipe::<(), u32>()?;
        let parent = ctx
            .process()
            .daemon(true)
            .start(have_a_child, (name_of(ctx), theirs, false, in_thread))?;
        let child = ours.recv()?;

        parent.kill()?;
        parent.join()?;
        assert_eq!(parent.exitcode(), Some(-9));

        ours.send(&())?;
        assert_eq!(ours.recv()?, child, "it finishes its work");
        // It may be done before we look again.
        procfs::wait_until_ended(child);
    }
    Ok(())
}

fn whole_line_of_daemons_dies(ctx: &Context) -> TestResult {
    const GENERATIONS: u32 = 4;

    let (ours, theirs) = pipe::<(), u32>()?;
    let first = ctx.process().daemon(true).start(descend, (GENERATIONS, name_of(ctx), theirs))?;
    let descendants: Vec<u32> = (0..GENERATIONS).map(|_| ours.recv()).collect::<Result<_, _>>()?;
    first.kill()?;
    first.join()?;
    for descendant in descendants {
        procfs::wait_until_ended(descendant);
    }
    Ok(())
}

/// The parent is killed while its child comes to life, in all stages that chance finds.
fn daemonic_child_of_a_parent_killed_at_once(ctx: &Context) -> TestResult {
    let mut random = multiproc_tests::random::Random::new();
    for _ in 0..20 {
        let (ours, theirs) = pipe::<(), u32>()?;
        let parent =
            ctx.process().daemon(true).start(have_a_child, (name_of(ctx), theirs, true, false))?;
        for _ in 0..random.below(40) {
            random.dither();
        }
        parent.kill()?;
        parent.join()?;
        // The pipe ends when all who have an end are gone; it is the child that would hold it for ever.
        while wait(&[&ours], None)? == [0] && ours.recv().is_ok() {}
    }
    Ok(())
}

/// Starts a child, possibly from a thread that ends, says its pid by way of it, and waits for ever.
fn have_a_child(
    method: String,
    line: Connection<u32, ()>,
    daemon: bool,
    in_thread: bool,
) -> Result<(), Failure> {
    let start =
        move || context_named(&method).process().daemon(daemon).start(tell_pid_and_wait, (line,));
    let child = if in_thread {
        std::thread::spawn(start).join().map_err(|_| "it panicked")?
    } else {
        start()
    }?;
    child.join()?;
    Ok(())
}

fn tell_pid_and_wait(line: Connection<u32, ()>) {
    line.send(&std::process::id()).unwrap();
    if line.recv().is_ok() {
        line.send(&std::process::id()).unwrap();
    }
}

fn descend(generations: u32, method: String, line: Connection<u32, ()>) -> Result<(), Failure> {
    line.send(&std::process::id())?;
    if generations > 1 {
        let copy = multiproc_tests::held::duplicate(&line)?;
        context_named(&method).start(descend, (generations - 1, method.clone(), copy))?.join()?;
    }
    line.recv()?;
    Ok(())
}
