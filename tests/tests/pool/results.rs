//! Every call gives its result, in its place.

use std::{collections::HashMap, process};

use multiproc::{Context, FnRef, Pool, TaskError, connection::Sender, partial, simplex, wire::Fd};
use multiproc_tests::{TestResult, each_start_method, once};

use crate::{pool, square};

each_start_method! {
    map_gives_all_results_in_order, imap_gives_them_in_order, imap_unordered_gives_each_once, apply_takes_several_arguments,
    bound_state_reaches_every_worker, workers_stay_the_same, threads_share_a_pool, large_arguments_and_results_travel,
    long_input_is_read_as_workers_take_it, handles_travel, plain_data_are_copied, results_wait_until_they_are_taken,
    large_results_that_nobody_takes_block_no_small_ones,
}

once! { pool_has_at_least_one_worker, default_pool_works }

fn map_gives_all_results_in_order(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 3)?;
    for count in [0, 1, 2, 3, 11, 12, 13, 1000] {
        let expected: Vec<u64> = (0..count).map(square).collect();
        assert_eq!(pool.map(square, 0..count)?, expected);
    }
    let words = ["a", "bc", ""].map(String::from);
    assert_eq!(pool.map(|word: String| word.len(), words)?, [1, 2, 0]);
    assert_eq!(pool.map(|_: u8| (), [1, 2, 3])?.len(), 3);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn imap_gives_them_in_order(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 3)?;
    let expected: Vec<u64> = (0..200).map(square).collect();
    for chunksize in [1, 7, 200, 1000] {
        let results: Result<Vec<_>, _> = pool.imap(square, 0..200).chunksize(chunksize).collect();
        assert_eq!(results?, expected);
    }
    assert_eq!(pool.imap(square, []).count(), 0);
    // Without end.
    let first: Result<Vec<_>, _> = pool.imap(square, 0..).chunksize(3).take(200).collect();
    assert_eq!(first?, expected);
    let mut short = pool.imap(square, 0..2);
    assert_eq!(
        (short.next(), short.next(), short.next(), short.next()),
        (Some(Ok(0)), Some(Ok(1)), None, None)
    );
    Ok(())
}

fn imap_unordered_gives_each_once(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 3)?;
    for chunksize in [1, 7, 1000] {
        let results: Result<Vec<_>, _> =
            pool.imap_unordered(square, 0..200).chunksize(chunksize).collect();
        let mut results = results?;
        results.sort_unstable();
        assert_eq!(results, (0..200).map(square).collect::<Vec<_>>());
    }
    assert_eq!(pool.imap_unordered(square, []).count(), 0);

    // The first item waits for the second's result to be here.
    let (ready, go) = simplex::<()>()?;
    let wait = |(at, line): (u32, Option<multiproc::connection::Receiver<()>>)| {
        if let Some(line) = line {
            line.recv().unwrap();
        }
        at
    };
    let items = vec![(0, Some(ready)), (1, None)];
    let mut results = pool.imap_unordered(wait, items);
    assert_eq!(results.next(), Some(Ok(1)));
    go.send(&())?;
    assert_eq!(results.next(), Some(Ok(0)));
    assert_eq!(results.next(), None);
    Ok(())
}

fn apply_takes_several_arguments(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    assert_eq!(pool.apply(|| 7, ())?, 7);
    assert_eq!(pool.apply(i32::pow, (2, 10))?, 1024);
    assert_eq!(
        pool.apply(|a: u8, b: String, c: Option<f64>| (c, b, a), (1, "b".into(), None))?,
        (None, "b".into(), 1)
    );
    let function: FnRef<(f64,), f64> = FnRef::new(f64::sqrt);
    assert_eq!(pool.apply(function, (2.25,))?, 1.5);
    Ok(())
}

fn bound_state_reaches_every_worker(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 3)?;
    let table: HashMap<u32, String> = (0..100).map(|n| (n, format!("number {n}"))).collect();
    let look_up = |table: HashMap<u32, String>, n: u32| table.get(&n).cloned();
    let found = pool.map(partial(look_up, table.clone()), 0..101)?;
    assert_eq!(found.len(), 101);
    assert!(found.iter().zip(0..).all(|(text, n)| text.as_ref() == table.get(&n)));
    // Another state of the same function is another program.
    let few: HashMap<u32, String> = [(5, "five".into())].into();
    assert_eq!(pool.map(partial(look_up, few), [4, 5])?, [None, Some("five".into())]);
    Ok(())
}

fn workers_stay_the_same(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    assert_eq!(pool.processes(), 2);
    let mut pids = pool.map(|_: u32| process::id(), 0..400)?;
    pids.extend(pool.map(|_: u32| process::id(), 0..400)?);
    pids.sort_unstable();
    pids.dedup();
    assert!(pids.len() <= 2 && !pids.contains(&process::id()), "{pids:?}");
    let name = pool.apply(|| multiproc::current_process().name(), ())?;
    assert!(name.contains("PoolWorker-"), "{name}");
    assert!(pool.apply(|| multiproc::current_process().daemon(), ())?);
    Ok(())
}

fn threads_share_a_pool(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let pool = &pool;
                scope.spawn(move || {
                    let from = thread * 1000;
                    assert_eq!(
                        pool.map(|x: u64| x + 1, from..from + 50),
                        Ok((from + 1..from + 51).collect())
                    );
                    for at in from..from + 50 {
                        assert_eq!(pool.apply(|x: u64| x * 2, (at,)), Ok(at * 2));
                    }
                    let all: Result<Vec<_>, _> = pool.imap(|x: u64| x, from..from + 50).collect();
                    assert_eq!(all, Ok((from..from + 50).collect()));
                })
            })
            .collect();
        assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
    });
    Ok(())
}

fn large_arguments_and_results_travel(ctx: &Context) -> TestResult {
    const LARGE: usize = 100 << 20;
    let pool = pool(ctx, 2)?;
    let text = "x".repeat(LARGE);
    assert_eq!(pool.apply(|text: String| text.len(), (text.clone(),))?, LARGE);
    assert_eq!(pool.apply(|len: usize| "y".repeat(len), (LARGE,))?.len(), LARGE);
    let back = pool.apply(|text: String| text + "!", (text,))?;
    assert!(back.len() == LARGE + 1 && back.ends_with("x!"));
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn plain_data_are_copied(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    let plain = pool.plain();
    assert_eq!(plain.map(square, 0..10_000)?, (0..10_000).map(square).collect::<Vec<_>>());
    assert_eq!(plain.map_async(|x: f32| x / 2.0, [1.0, 3.0]).into_result()?, [0.5, 1.5]);
    let first = plain.chunksize(7).imap(|pair: [u16; 2]| pair[0], (0..100).map(|x| [x, 7]));
    assert_eq!(first.collect::<Result<Vec<_>, _>>()?, (0..100).collect::<Vec<_>>());
    // With more bytes than a length of one byte says, and than stand among others.
    let sums = plain.imap_unordered(|many: [u8; 1000]| many.map(u32::from), [[1; 1000], [1; 1000]]);
    assert!(sums.into_iter().all(|sum| sum == Ok([1; 1000])));
    let large = plain.imap(|many: [u64; 8192]| many[8191], (0..5).map(|x| [x; 8192]));
    assert_eq!(large.collect::<Result<Vec<_>, _>>()?, [0, 1, 2, 3, 4]);
    let odd: Vec<_> = plain.imap(|x: u8| assert!(x != 3, "three is odd"), [2, 3, 4]).collect();
    assert!(odd[0].is_ok() && odd[2].is_ok());
    assert!(
        matches!(&odd[1], Err(TaskError::Panicked(report)) if report.message == "three is odd")
    );
    Ok(())
}

fn results_wait_until_they_are_taken(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    // Far more than there is room for in any memory that is shared, of sizes that fit there and of others.
    let len = |x: usize| [10, 30_000, 47_000, 60_000][x % 4] + x % 7;
    let results = pool.chunksize(50).map_async(|len: usize| "x".repeat(len), (0..400).map(len));
    for (x, text) in results.into_result()?.into_iter().enumerate() {
        assert_eq!(text.len(), len(x));
    }
    let many = pool.imap_unordered(|text: String| text, (0..400).map(|x| "y".repeat(len(x))));
    let mut lens: Vec<_> =
        many.map(|text| text.map(|text| text.len())).collect::<Result<_, _>>()?;
    let mut expected: Vec<_> = (0..400).map(len).collect();
    lens.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lens, expected);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn large_results_that_nobody_takes_block_no_small_ones(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    let make = |len: usize| "x".repeat(len);
    let large: Vec<_> = (0..6).map(|_| pool.apply_async(make, (24 << 20,))).collect();
    let mut many = pool.imap(make, std::iter::repeat(1 << 20)).buffersize(40);
    assert_eq!(many.next().ok_or("it has no end")??.len(), 1 << 20);
    // On the same workers as those that are not taken, before and behind them.
    for x in 0..50 {
        assert_eq!(pool.apply(square, (x,))?, square(x));
    }
    assert_eq!(pool.map(square, 0..1000)?.len(), 1000);
    assert_eq!(many.next().ok_or("it has no end")??.len(), 1 << 20);
    drop(many);
    for text in large {
        assert_eq!(text.get()?.len(), 24 << 20);
    }
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn long_input_is_read_as_workers_take_it(ctx: &Context) -> TestResult {
    const COUNT: u64 = 50_000;
    let pool = pool(ctx, 2)?;
    let expected: Vec<u64> = (0..COUNT).map(square).collect();
    // What others have queued is not waited for.
    let others: Vec<_> = (0..500).map(|x| pool.apply_async(square, (x,))).collect();
    assert_eq!(pool.map(square, 0..COUNT)?, expected);
    for chunksize in [1, 7, 4_999, usize::MAX] {
        assert_eq!(pool.chunksize(chunksize).map(square, 0..COUNT)?, expected);
        assert_eq!(pool.plain().chunksize(chunksize).map(square, 0..COUNT)?, expected);
    }
    // The first that fails, by place, and only once all are done.
    let fail = |x: u64| if x == 40_000 || x == 20_000 { panic!("number {x}") } else { x };
    let failed = pool.map(fail, 0..COUNT);
    assert!(
        matches!(&failed, Err(TaskError::Panicked(report)) if report.message == "number 20000")
    );
    for (x, result) in (0..).zip(others) {
        assert_eq!(result.into_result(), Ok(square(x)));
    }
    // An input that asks the pool itself.
    let asking = (0..2_000).map(|x| pool.apply(square, (x,)).unwrap_or(0));
    assert_eq!(
        pool.map(square, asking)?,
        (0..2_000).map(|x| square(square(x))).collect::<Vec<_>>()
    );
    Ok(())
}

fn handles_travel(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    let (rx, tx) = simplex::<u32>()?;
    assert!(pool.apply(|line: Sender<u32>, n: u32| line.send(&n).is_ok(), (tx, 7))?);
    assert_eq!(rx.recv()?, 7);
    assert!(
        rx.recv().unwrap_err().is_closed(),
        "neither the pool nor its workers keep what they were given"
    );
    let file = pool.apply(
        |path: String| std::fs::File::open(path).map(Fd).ok(),
        ("/proc/self/stat".to_string(),),
    )?;
    let Fd(mut file) = file.ok_or("no file came back")?;
    let mut stat = String::new();
    std::io::Read::read_to_string(&mut file, &mut stat)?;
    assert!(!stat.is_empty());
    Ok(())
}

fn pool_has_at_least_one_worker() -> TestResult {
    assert!(matches!(Pool::new(0), Err(multiproc::PoolError::NoProcesses)));
    Ok(())
}

fn default_pool_works() -> TestResult {
    let pool = Pool::builder().build()?;
    assert_eq!(pool.processes(), multiproc::process_cpu_count());
    assert_eq!(pool.map(square, 0..3)?, [0, 1, 4]);
    Ok(())
}
