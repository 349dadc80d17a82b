//! What becomes of children when their parent exits.

use multiproc::{Connection, Context, Failure, at_exit, pipe};
use multiproc_tests::{
    TestResult, context_named, each_start_method, held, held::duplicate, name_of,
};

use super::scene;

each_start_method! { daemonic_children_are_ended, daemonic_children_of_main_are_ended, other_children_are_waited_for }

// parity: process.daemon-terminated-at-exit
fn daemonic_children_are_ended(ctx: &Context) -> TestResult {
    let parent = ctx.start(leave_a_daemon, (name_of(ctx),))?;
    let daemon = parent.result()?.map_err(|err| err.to_string())?;
    assert_eq!(parent.exitcode(), Some(0));
    assert_eq!(multiproc_tests::procfs::state(daemon), None, "it outlived its parent");
    Ok(())
}

// parity: process.daemon-terminated-at-exit
fn daemonic_children_of_main_are_ended(ctx: &Context) -> TestResult {
    // The daemon holds the program's standard output, so this waits for both.
    let output = scene("daemon", ctx).output()?;
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout)?, "main returns\n");
    Ok(())
}

// parity: process.nondaemon-joined-at-exit
fn other_children_are_waited_for(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), String>()?;
    let parent = ctx.process().daemon(false).start(leave_a_child, (name_of(ctx), theirs))?;
    let mut words = [ours.recv()?, ours.recv()?];
    words.sort();
    assert_eq!(words, ["child runs", "parent leaves"]);

    assert!(!parent.join_timeout(std::time::Duration::from_millis(100))?, "it left its child");
    ours.send(&())?;

    assert_eq!(ours.recv()?, "child ends");
    parent.join()?;
    assert_eq!(parent.exitcode(), Some(0));
    Ok(())
}

fn leave_a_daemon(method: String) -> Result<u32, Failure> {
    let (daemon, line) = held(&context_named(&method)).map_err(|err| err.to_string())?;
    // Neither our end of the line nor the handle is what ends it.
    std::mem::forget(line);
    daemon.pid().ok_or_else(|| Failure::new("it is started"))
}

fn leave_a_child(method: String, line: Connection<String, ()>) -> Result<(), Failure> {
    let to_child = duplicate(&line)?;
    at_exit(move || line.send(&"parent leaves".into()).unwrap());
    let _ = context_named(&method).process().daemon(false).start(tell_and_wait, (to_child,))?;
    Ok(())
}

fn tell_and_wait(line: Connection<String, ()>) {
    line.send(&"child runs".into()).unwrap();
    line.recv().unwrap();
    line.send(&"child ends".into()).unwrap();
}
