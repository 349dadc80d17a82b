//! The table of after-fork callbacks, over generations of processes.

use multiproc_image::after_fork;
use multiproc_process::{Context, Failure, get_all_start_methods, get_context};

multiproc_image::auto_init!();

const GENERATIONS: usize = 5;

// parity: start_methods.afterfork-registry-stable
#[test]
fn table_does_not_grow_from_generation_to_generation() {
    for method in get_all_start_methods() {
        // The harness has threads, which hold no lock that the children need.
        let context = Context::from(method).allow_threads();
        let child = context.start(count, (method.to_string(), GENERATIONS)).unwrap();
        let counts = child.result().unwrap().unwrap();
        assert_eq!(counts, [counts[0]; GENERATIONS], "{method}");
        assert!(counts[0] > 0, "there is something to do after a fork");
    }
}

/// How many callbacks this process has, once it has started one itself, and how many its descendants have.
fn count(method: String, generations: usize) -> Result<Vec<usize>, Failure> {
    let context = get_context(method.as_str())?;
    let below = if generations > 1 {
        context.start(count, (method, generations - 1))?.result()??
    } else {
        context.start(|| (), ())?.join()?;
        Vec::new()
    };
    Ok([vec![after_fork::registered()], below].concat())
}
