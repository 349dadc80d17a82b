//! Daemonic processes and their own children.

use multiproc::{Connection, Context, pipe};
use multiproc_tests::{TestResult, context_named, each_start_method, name_of, procfs};

each_start_method! { daemonic_process_may_have_children }

// parity: process.daemon-no-children
fn daemonic_process_may_have_children(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), u32>()?;
    let daemon = ctx.process().daemon(true).start(have_a_child, (name_of(ctx), theirs))?;
    let grandchild = ours.recv()?;
    assert!(procfs::state(grandchild).is_some());

    daemon.kill()?;
    daemon.join()?;

    // It is as daemonic as its creator, so the kernel ends it. Nobody tells us when; an orphan's zombie is init's.
    while procfs::state(grandchild).is_some_and(|state| state != 'Z') {
        std::thread::yield_now();
    }
    Ok(())
}

fn have_a_child(method: String, line: Connection<u32, ()>) {
    let (ours, theirs) = pipe::<(), ()>().unwrap();
    let child =
        context_named(&method).start(multiproc_tests::held::wait_for_word, (theirs,)).unwrap();
    ours.recv().unwrap();
    assert!(child.daemon());
    line.send(&child.pid().unwrap()).unwrap();
    child.join().unwrap();
}
