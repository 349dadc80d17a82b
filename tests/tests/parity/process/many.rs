//! More than one process.

use multiproc::{Connection, Context, Failure, pipe};
use multiproc_tests::{
    TestResult, context_named, each_start_method,
    held::{duplicate, held_by},
    in_child, name_of, procfs,
};

each_start_method! { hundred_at_once, children_of_children, every_child_has_as_many_descriptors }

// parity: process.many-short
fn hundred_at_once(ctx: &Context) -> TestResult {
    let number = if name_of(ctx) == "spawn" { 5 } else { 100 };
    let held: Vec<_> =
        (0..number).map(|_| held_by(ctx.process().daemon(true))).collect::<Result<_, _>>()?;
    assert!(held.iter().all(|(process, _)| process.is_alive()), "all at once");
    for (_, line) in &held {
        line.send(&())?;
    }
    for (process, _) in &held {
        process.join()?;
        assert_eq!(process.exitcode(), Some(0));
    }
    Ok(())
}

// parity: process.recursion-order
fn children_of_children(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), Vec<u32>>()?;
    recurse(Vec::new(), name_of(ctx), theirs)?;
    let mut ways = Vec::new();
    while ours.poll(std::time::Duration::ZERO)? && ways.len() < 7 {
        ways.push(ours.recv()?);
    }
    assert_eq!(ways, [vec![], vec![0], vec![0, 0], vec![0, 1], vec![1], vec![1, 0], vec![1, 1]]);
    Ok(())
}

// parity: process.no-fd-inflation
fn every_child_has_as_many_descriptors(ctx: &Context) -> TestResult {
    if name_of(ctx) == "fork" {
        // A copy has what the original has, the handles of its elder siblings among them. That is what fork means.
        return Ok(());
    }
    let counts = in_child(ctx, count_descriptors_of_five, (name_of(ctx),))?;
    assert_eq!(counts.len(), 5);
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    Ok(())
}

fn recurse(way: Vec<u32>, method: String, line: Connection<Vec<u32>, ()>) -> Result<(), Failure> {
    line.send(&way)?;
    for number in 0..2 {
        if way.len() < 2 {
            let way = [way.as_slice(), &[number]].concat();
            let child =
                context_named(&method).start(recurse, (way, method.clone(), duplicate(&line)?))?;
            child.result()??;
        }
    }
    Ok(())
}

/// In a process of its own, where nothing else is started meanwhile.
fn count_descriptors_of_five(method: String) -> Result<Vec<usize>, Failure> {
    let ctx = context_named(&method);
    // The fork server, if there is to be one, is there before the first child.
    ctx.start(|| (), ())?.join()?;
    let mut running = Vec::new();
    for _ in 0..5 {
        let (ours, theirs) = pipe::<(), usize>()?;
        running.push((ctx.process().daemon(true).start(count_descriptors, (theirs,))?, ours));
    }
    let counts = running.iter().map(|(_, line)| line.recv()).collect::<Result<_, _>>()?;
    for (process, line) in &running {
        line.send(&())?;
        process.join()?;
    }
    Ok(counts)
}

fn count_descriptors(line: Connection<usize, ()>) {
    line.send(&procfs::open_descriptors().len()).unwrap();
    line.recv().unwrap();
}
