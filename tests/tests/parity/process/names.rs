//! What processes are called.

use multiproc::{Context, Failure, Process, current_process};
use multiproc_tests::{TestResult, context_named, each_start_method, held_by, name_of};

each_start_method! {
    processes_of_the_default_context_are_numbered, processes_of_an_explicit_context_say_which,
    name_means_nothing_and_may_change
}

// parity: process.name-pattern
fn processes_of_the_default_context_are_numbered(ctx: &Context) -> TestResult {
    let number = made_here(&Process::builder().new(|| (), ()))?;
    assert!(
        made_here(&Process::builder().new(|| (), ()))? > number,
        "made, not started, is what counts"
    );

    let child = ctx.start(name_children, (name_of(ctx),))?;
    let own = made_here(&child)?;
    let [first, third, grandchild, ..] = child.result()?.map_err(|err| err.to_string())?;

    assert_eq!(first, format!("Process-{own}:1"));
    assert_eq!(third, format!("Process-{own}:3"));
    assert_eq!(grandchild, format!("Process-{own}:3:1"));
    Ok(())
}

// parity: process.name-context-prefix
fn processes_of_an_explicit_context_say_which(ctx: &Context) -> TestResult {
    let kind = match name_of(ctx).as_str() {
        "fork" => "ForkProcess",
        "spawn" => "SpawnProcess",
        _ => "ForkServerProcess",
    };
    let child = ctx.start(name_children, (name_of(ctx),))?;
    let own = made_here(&child)?;
    assert_eq!(child.name(), format!("{kind}-{own}"));

    let [.., fourth, fifth] = child.result()?.map_err(|err| err.to_string())?;

    assert_eq!(fourth, format!("{kind}-{own}:4"), "numbers are drawn from one source");
    assert_eq!(fifth, format!("Process-{own}:5"));
    Ok(())
}

// parity: process.name-not-unique
fn name_means_nothing_and_may_change(ctx: &Context) -> TestResult {
    let (mut one, one_line) = held_by(ctx.process().name("twin").daemon(true))?;
    let (other, other_line) = held_by(ctx.process().name("twin").daemon(true))?;
    assert_eq!((one.name(), other.name()), ("twin", "twin"));
    assert_ne!(one.pid(), other.pid());

    one.set_name("renamed while it runs");
    one_line.send(&())?;
    other_line.send(&())?;
    one.join()?;
    other.join()?;

    assert_eq!((one.exitcode(), other.exitcode()), (Some(0), Some(0)));
    assert_eq!((one.name(), other.name()), ("renamed while it runs", "twin"));
    one.set_name("renamed after its end");
    assert_eq!(one.name(), "renamed after its end");
    let mut before = ctx.process().new(|| current_process().name(), ());
    before.set_name("renamed before its start");
    before.start()?;
    assert_eq!(before.result()?, "renamed before its start");
    Ok(())
}

/// The number at the end of the name of a process that this one has made.
fn made_here<R>(process: &Process<R>) -> Result<u32, Box<dyn std::error::Error>> {
    let (_, number) = process.name().rsplit_once('-').ok_or("an unnamed process has a number")?;
    Ok(number.parse()?)
}

/// Makes five processes and returns the names of four, and that of a child of the third after its own.
fn name_children(method: String) -> Result<[String; 5], Failure> {
    let ctx = context_named(&method);
    let name = |process: Process<()>| process.name().to_owned();
    let first = name(Process::builder().new(|| (), ()));
    let _second = Process::builder().new(|| (), ());
    // Started, while the second is not.
    let third =
        Process::builder().start(|| Process::builder().new(|| (), ()).name().to_owned(), ())?;
    let fourth = name(ctx.process().new(|| (), ()));
    let fifth = name(Process::builder().new(|| (), ()));
    Ok([first, third.name().to_owned(), third.result()?, fourth, fifth])
}
