//! How a pool ends, and that nothing is left of it.

use multiproc::{
    Connection, Context, Failure, Pool, TaskError, connection::Receiver, pipe, simplex,
};
use multiproc_tests::{
    TestResult, context_named, each_start_method, in_child, ledger::Ledger, name_of, procfs,
};

use crate::{abort, pool, square};

each_start_method! {
    nothing_is_left_however_it_ends, busy_pool_is_terminated, closed_pool_finishes_its_work, stubborn_worker_is_killed,
    pool_that_never_worked_ends, ten_thousand_queued_calls_end_at_once,
}

fn nothing_is_left_however_it_ends(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), end_in_every_way, (name_of(ctx),))
}

/// A way to end a pool.
type Way = fn(Pool);

fn end_in_every_way(method: String) -> Result<(), Failure> {
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();
    let ways: [(&str, Way); 9] = [
        ("drop", drop),
        ("close, join", |pool| {
            pool.close();
            pool.join().unwrap();
            assert_eq!(pool.apply(square, (2,)), Err(TaskError::NotRunning));
        }),
        ("terminate, join", |pool| {
            pool.terminate();
            pool.join().unwrap();
            assert_eq!(pool.map(square, [2]), Err(TaskError::NotRunning));
        }),
        ("close twice, join", |pool| {
            pool.close();
            pool.close();
            assert_eq!(pool.join(), Ok(()));
        }),
        ("close, drop", |pool| pool.close()),
        ("terminate, drop", |pool| pool.terminate()),
        ("join twice", |pool| {
            pool.close();
            pool.join().unwrap();
            pool.join().unwrap();
            pool.terminate();
        }),
        ("drop with work in hand", |pool| {
            let mut results = pool.imap(square, 0..).chunksize(10);
            assert_eq!(results.next(), Some(Ok(0)));
        }),
        ("drop after a death", |pool| {
            assert!(pool.apply(abort, ()).is_err());
            assert_eq!(pool.map(square, [2, 3]), Ok(vec![4, 9]));
        }),
    ];
    for (way, end) in ways {
        let pool = pool(&ctx, 3)?;
        assert_eq!(pool.map(square, 0..10)?.len(), 10);
        end(pool);
        multiproc::stop_forkserver();
        before.check(way)?;
    }
    for _ in 0..30 {
        drop(pool(&ctx, 2)?);
    }
    multiproc::stop_forkserver();
    before.check("many pools")
}

fn busy_pool_is_terminated(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    let (ours, theirs) = pipe::<(), u32>()?;
    let pid = std::thread::scope(|scope| {
        let pool = &pool;
        let waiting = scope.spawn(move || pool.apply(say_pid_and_wait, (theirs,)));
        let pid = ours.recv().map_err(|err| err.to_string())?;
        pool.terminate();
        pool.join().unwrap();
        match waiting.join() {
            Ok(Err(TaskError::NotRunning)) => Ok(pid),
            other => Err(format!("{other:?}")),
        }
    })?;
    assert_eq!(procfs::state(pid), None, "neither a process nor a zombie");
    Ok(())
}

fn closed_pool_finishes_its_work(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 1)?;
    let (wait, go) = simplex::<()>()?;
    std::thread::scope(|scope| {
        let first = scope.spawn(|| pool.apply(|line: Receiver<()>| line.recv().is_ok(), (wait,)));
        let (wait, go_too) = simplex::<()>().unwrap();
        let second = scope.spawn(|| pool.apply(|line: Receiver<()>| line.recv().is_ok(), (wait,)));
        // Both are with the pool before it is closed: a closed one would refuse them.
        go_too.send(&()).unwrap();
        let third = pool.imap(square, 0..5);
        go.send(&()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(true));
        assert_eq!(second.join().unwrap(), Ok(true));
        drop(third);
    });
    let mut results = pool.imap(square, 0..8).buffersize(8);
    assert_eq!(results.next(), Some(Ok(0)));
    pool.close();
    assert_eq!(pool.apply(square, (1,)), Err(TaskError::NotRunning));
    // Eight were taken; that there are no more cannot be known without asking.
    let rest: Vec<_> = results.by_ref().take_while(Result::is_ok).flatten().collect();
    assert_eq!(rest, [1, 4, 9, 16, 25, 36, 49]);
    pool.join().unwrap();
    Ok(())
}

fn stubborn_worker_is_killed(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 1)?;
    let (ours, theirs) = pipe::<(), u32>()?;
    let pid = std::thread::scope(|scope| {
        let pool = &pool;
        scope.spawn(move || {
            pool.apply(
                |line: Connection<u32, ()>| {
                    // SAFETY: Plain numbers.
                    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
                    say_pid_and_wait(line);
                },
                (theirs,),
            )
        });
        let pid = ours.recv();
        pool.terminate();
        pid
    })?;
    pool.join().unwrap();
    assert_eq!(procfs::state(pid), None);
    Ok(())
}

fn pool_that_never_worked_ends(ctx: &Context) -> TestResult {
    for processes in [1, 5] {
        drop(pool(ctx, processes)?);
        let idle = pool(ctx, processes)?;
        idle.close();
        idle.join().unwrap();
        assert_eq!(idle.workers_lost(), 0);
    }
    Ok(())
}

fn ten_thousand_queued_calls_end_at_once(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    // Two that never end, so that all others stay where they are.
    let endless = pool.map_async(|()| std::thread::sleep(std::time::Duration::MAX), [(), ()]);
    let queued: Vec<_> = (0..10_000).map(|x| pool.apply_async(square, (x,))).collect();
    let mapped = pool.chunksize(1).map_async(square, 0..10_000);
    pool.terminate();
    pool.join().unwrap();
    assert_eq!(endless.into_result(), Err(TaskError::NotRunning));
    assert_eq!(mapped.into_result(), Err(TaskError::NotRunning));
    for result in queued {
        assert!(result.ready(), "nothing is left to be waited for");
        assert!(matches!(result.into_result(), Err(TaskError::NotRunning)));
    }
    Ok(())
}

fn say_pid_and_wait(line: Connection<u32, ()>) {
    let _ = line.send(&std::process::id());
    // The other end lives as long as the test.
    let _ = line.recv();
}
