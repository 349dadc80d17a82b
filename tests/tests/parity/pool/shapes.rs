//! Sizes: of pools, chunks and inputs.

use multiproc::{Context, Failure, Pool, PoolError, TaskError, process_cpu_count};
use multiproc_tests::{TestResult, each_start_method, once, once_alone, stderr};
use serde::{Serialize, Serializer, ser};

use super::{pool, square};

each_start_method! { empty_inputs_give_empty_results, workers_have_names_and_are_daemonic }

once! {
    pool_has_the_size_it_was_given, no_size_is_an_error, chunks_are_as_python_cuts_them,
    any_iterator_will_do, what_cannot_be_encoded_is_an_error,
}

once_alone! { large_pool_works }

// parity: pool.empty-inputs, imap.empty
fn empty_inputs_give_empty_results(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 1)?;
    assert_eq!(pool.map(square, [])?, [0; 0]);
    assert_eq!(pool.imap(square, []).count(), 0);
    assert_eq!(pool.imap_unordered(square, []).count(), 0);
    assert_eq!(pool.map_async(square, []).get()?, [0; 0]);
    assert!(pool.imap(square, []).next().is_none());
    Ok(())
}

// parity: pool.size-exact, pool.default-size
fn pool_has_the_size_it_was_given() -> TestResult {
    let pool = Pool::new(3)?;
    assert_eq!((pool.processes(), pool.stats().workers.len()), (3, 3));
    let default = Pool::builder().build()?;
    assert_eq!(default.stats().workers.len(), process_cpu_count());
    Ok(())
}

// parity: pool.size-invalid, pool.maxtasks-invalid, pool.chunksize-zero-map
fn no_size_is_an_error() -> TestResult {
    assert!(matches!(Pool::new(0), Err(PoolError::NoProcesses)));
    assert!(matches!(
        Pool::builder().processes(1).max_tasks_per_child(0).build(),
        Err(PoolError::NoTasksPerChild)
    ));
    let pool = Pool::new(1)?;
    assert!(matches!(pool.resize(0), Err(PoolError::NoProcesses)));
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(pool.chunksize(0).map(square, 0..3));
    }));
    assert!(refused.is_err());
    Ok(())
}

// parity: pool.large-pool
fn large_pool_works() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    let pool = Pool::new(200)?;
    assert_eq!(pool.map(square, 0..1000)?.iter().sum::<u64>(), 332_833_500);
    assert_eq!(pool.workers_lost(), 0);
    drop(pool);
    assert_eq!(stderr::text(&heard)?, "");
    Ok(())
}

// parity: pool.worker-names, pool.workers-daemonic
fn workers_have_names_and_are_daemonic(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    let names: Vec<_> = pool.stats().workers.into_iter().map(|worker| worker.name).collect();
    let before = match ctx.get_start_method().as_str() {
        "fork" => "ForkPoolWorker-",
        "spawn" => "SpawnPoolWorker-",
        _ => "ForkServerPoolWorker-",
    };
    assert!(names.iter().all(|name| name.starts_with(before)), "{names:?}");
    assert_ne!(names[0], names[1]);
    let (name, daemon) = pool.apply(
        || (multiproc::current_process().name(), multiproc::current_process().daemon()),
        (),
    )?;
    assert!(names.contains(&name) && daemon);
    let fleeting =
        Pool::builder().processes(1).max_tasks_per_child(1).context(ctx.clone()).build()?;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let name = fleeting.apply(|| multiproc::current_process().name(), ())?;
        numbers.push(name.strip_prefix(before).ok_or("no worker")?.parse::<u32>()?);
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "replacements count on: {numbers:?}");
    // DIFFERENCE: a daemonic process may have children.
    assert_eq!(
        pool.apply(|| Pool::new(1).map(|pool| pool.apply(square, (3,)).ok()).ok(), ())?,
        Some(Some(9))
    );
    Ok(())
}

// parity: pool.chunksize-default
fn chunks_are_as_python_cuts_them() -> TestResult {
    // A worker is replaced after each task, so whoever shares a worker shares a chunk.
    let pool = Pool::builder().processes(3).max_tasks_per_child(1).build()?;
    for (items, size) in [(25u32, 3), (24, 2), (1, 1), (12, 1), (13, 2)] {
        let pids = pool.map(|_: u32| std::process::id(), 0..items)?;
        let chunks: Vec<_> = pids.chunk_by(|one, next| one == next).map(<[_]>::len).collect();
        let (last, full) = chunks.split_last().ok_or("there are chunks")?;
        assert!(full.iter().all(|len| *len == size) && *last <= size, "{items}: {chunks:?}");
    }
    Ok(())
}

// parity: pool.map-any-iterable
fn any_iterator_will_do() -> TestResult {
    let pool = Pool::new(2)?;
    let odd = (0..100u64).filter(|x| x % 2 == 1);
    assert_eq!(pool.map(square, odd.clone())?, odd.clone().map(square).collect::<Vec<_>>());
    assert_eq!(pool.map(square, odd.clone().collect::<std::collections::BTreeSet<_>>())?.len(), 50);
    Ok(())
}

/// A value that refuses to be written.
#[derive(Clone, Copy, serde::Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("not for sending"))
    }
}

// parity: pool.map-unserialisable
fn what_cannot_be_encoded_is_an_error() -> TestResult {
    let pool = Pool::new(2)?;
    let refused = pool.map(|_: Unwritable| (), [Unwritable; 10]);
    assert!(matches!(refused, Err(TaskError::Encode(why)) if why.contains("not for sending")));
    let refused = pool.map_async(|_: Unwritable| (), [Unwritable; 10]).get();
    assert!(matches!(refused, Err(TaskError::Encode(_))));
    assert_eq!(pool.map(square, [3])?, [9]);
    Ok(())
}
