//! Processes, their ids, states and start methods.

use std::{collections::BTreeSet, time::Duration};

use multiproc::{Context, Failure, Queue, StartMethod, force_start_method, parent_process};
use multiproc_tests::{TestResult, each_start_method, once, once_alone};

use crate::process::scene;

each_start_method! {
    ids_of_parent_and_child, states_of_a_process, ten_children_print_under_one_lock, four_children_are_read_to_their_ends,
}
once! { queue_under_a_context }
once_alone! { queue_under_a_start_method }

// parity: docs_example.process-ids
fn ids_of_parent_and_child(ctx: &Context) -> TestResult {
    let ids = || (parent_process().map(|parent| parent.pid()), std::process::id());
    let child = ctx.start(ids, ())?;
    let pid = child.pid().ok_or("it is started")?;
    assert_eq!(child.result()?, (Some(std::process::id()), pid));
    assert_ne!(pid, std::process::id());
    Ok(())
}

fn hello(q: Queue<String>) -> Result<(), Failure> {
    Ok(q.put("hello".into())?)
}

// parity: docs_example.set-start-method
fn queue_under_a_start_method() -> Result<(), Failure> {
    force_start_method(Some(StartMethod::Spawn));
    let q = Queue::new()?;
    let child = multiproc::spawn(hello, (q.clone(),))?;
    assert_eq!(q.get()?, "hello");
    child.result()?
}

// parity: docs_example.context-spawn
fn queue_under_a_context() -> TestResult {
    let ctx = multiproc::get_context("spawn")?;
    let q = Queue::new()?;
    let child = ctx.start(hello, (q.clone(),))?;
    assert_eq!(q.get()?, "hello");
    Ok(child.result()??)
}

// parity: docs_example.process-states
fn states_of_a_process(ctx: &Context) -> TestResult {
    let mut child = ctx.process().new(|| std::thread::sleep(Duration::from_secs(1000)), ());
    assert!(!child.is_alive() && format!("{child:?}").contains(" initial"), "{child:?}");
    child.start()?;
    assert!(child.is_alive() && format!("{child:?}").contains(" started"), "{child:?}");
    child.terminate()?;
    child.join()?;
    assert!(!child.is_alive());
    assert!(format!("{child:?}").contains(" stopped exitcode=-SIGTERM"), "{child:?}");
    assert_eq!(child.exitcode(), Some(-15));
    Ok(())
}

// parity: docs_example.lock-print
fn ten_children_print_under_one_lock(ctx: &Context) -> TestResult {
    let output = scene("locked-lines", ctx).output()?;
    let stdout = String::from_utf8(output.stdout)?;
    let expected: Vec<String> = (0..10).map(|i| format!("hello world {i}")).collect();
    let mut lines: Vec<&str> = stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, expected, "{stdout}");
    Ok(())
}

// parity: docs_example.wait-four-children
fn four_children_are_read_to_their_ends(ctx: &Context) -> TestResult {
    let output = scene("four-children", ctx).output()?;
    let stdout = String::from_utf8(output.stdout)?;
    let lines: BTreeSet<&str> = stdout.lines().collect();
    let expected: Vec<String> =
        (1..=4).flat_map(|i| (0..10).map(move |n| format!("{n} Process-{i}"))).collect();
    assert_eq!(stdout.lines().count(), 40, "{stdout}");
    assert_eq!(lines, expected.iter().map(String::as_str).collect(), "{stdout}");
    Ok(())
}
