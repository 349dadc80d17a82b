//! The end of a process, awaited.

use std::{pin::pin, time::Duration};

use multiproc::{Connection, Context, HandleError, Process, ProcessError, active_children, pipe};
use multiproc_tests::{TestResult, each_start_method, once};
use tokio::time::timeout;

use crate::on_both;

each_start_method! {
    results_are_awaited,
    killed_process_ends_the_wait_and_its_connection,
    many_tasks_await_one_process,
    dropped_wait_leaves_the_process_alone,
    fifty_processes_are_awaited_at_once,
    messages_go_to_and_fro,
    thread_and_task_wait_for_the_same_process,
}

once! { process_that_was_not_started_is_an_error }

fn wait_for_ever() {
    loop {
        std::thread::park();
    }
}

fn results_are_awaited(ctx: &Context) -> TestResult {
    on_both(async || {
        let process = ctx.start(|a: u32, b: u32| a + b, (3, 4))?;
        assert_eq!(process.result_async().await?, 7);
        let err = process.result_async().await.unwrap_err();
        assert!(matches!(err, ProcessError::Taken), "{err:?}");

        let process = ctx.start(|| -> () { panic!("oh no") }, ())?;
        match process.result_async().await {
            Err(ProcessError::Panicked(report)) => assert_eq!(report.message, "oh no"),
            other => panic!("{other:?}"),
        }
        assert_eq!(process.wait_async().await?, 1);

        let process = ctx.start(|| -> () { multiproc::exit(7) }, ())?;
        assert_eq!(process.wait_async().await?, 7);
        Ok(())
    })
}

fn killed_process_ends_the_wait_and_its_connection(ctx: &Context) -> TestResult {
    on_both(async || {
        let (ours, theirs) = pipe::<u8, u8>()?;
        let hold = |end: Connection<u8>| {
            end.send(&1).unwrap();
            wait_for_ever();
        };
        let process = ctx.start(hold, (theirs,))?;
        assert_eq!(ours.recv_async().await?, 1);
        let (code, received, killed) =
            tokio::join!(process.wait_async(), ours.recv_async(), async { process.kill() });
        killed?;
        assert_eq!(code?, -9);
        assert!(received.unwrap_err().is_closed());
        let err = process.result_async().await.unwrap_err();
        assert!(matches!(err, ProcessError::Signaled { signal: 9 }), "{err:?}");
        Ok(())
    })
}

fn many_tasks_await_one_process(ctx: &Context) -> TestResult {
    on_both(async || {
        let process = ctx.start(wait_for_ever, ())?;
        let child = process.child()?;
        let waits: Vec<_> = (0..10)
            .map(|_| {
                let child = child.clone();
                tokio::spawn(async move { child.wait_async().await })
            })
            .collect();
        process.terminate()?;
        for wait in waits {
            assert_eq!(wait.await??, -15);
        }
        Ok(())
    })
}

fn dropped_wait_leaves_the_process_alone(ctx: &Context) -> TestResult {
    on_both(async || {
        let (ours, theirs) = pipe::<u8, u8>()?;
        let process = ctx.start(|end: Connection<u8>| end.recv().unwrap(), (theirs,))?;
        for _ in 0..20 {
            let waiting = timeout(Duration::from_millis(1), process.result_async());
            assert!(waiting.await.is_err());
        }
        assert!(process.is_alive());
        ours.send_async(&7).await?;
        assert_eq!(process.result_async().await?, 7);
        Ok(())
    })
}

fn fifty_processes_are_awaited_at_once(ctx: &Context) -> TestResult {
    on_both(async || {
        let mut waits = vec![];
        for number in 0..50 {
            let process: Process<u32> = ctx.start(|number: u32| 2 * number, (number,))?;
            waits.push(tokio::spawn(async move { process.result_async().await }));
        }
        for (number, wait) in waits.into_iter().enumerate() {
            assert_eq!(wait.await??, 2 * number as u32);
        }
        Ok(())
    })
}

fn messages_go_to_and_fro(ctx: &Context) -> TestResult {
    on_both(async || {
        let (ours, theirs) = pipe::<Vec<u8>, usize>()?;
        let count = |end: Connection<usize, Vec<u8>>| {
            // Not until the end of the pipe: a forked child has a copy of the other end, too.
            for _ in 0..4 {
                end.send(&end.recv().unwrap().len()).unwrap();
            }
        };
        let process = ctx.start(count, (theirs,))?;
        for size in [0, 1, 64 << 10, 1 << 20] {
            ours.send_async(&vec![1; size]).await?;
            assert_eq!(ours.recv_async().await?, size);
        }
        process.result_async().await?;
        Ok(())
    })
}

fn thread_and_task_wait_for_the_same_process(ctx: &Context) -> TestResult {
    on_both(async || {
        let process = ctx.start(wait_for_ever, ())?;
        let child = process.child()?.clone();
        let thread = std::thread::spawn(move || child.join().map_err(|err| err.to_string()));
        let mut waiting = pin!(process.join_async());
        assert!(timeout(Duration::from_millis(1), waiting.as_mut()).await.is_err());
        process.kill()?;
        waiting.await?;
        thread.join().unwrap()?;
        assert!(!active_children().iter().any(|child| Some(child.pid()) == process.pid()));
        Ok(())
    })
}

fn process_that_was_not_started_is_an_error() -> TestResult {
    on_both(async || {
        let process = Process::new(wait_for_ever, ());
        let err = process.join_async().await.unwrap_err();
        assert!(matches!(err, HandleError::NotStarted { .. }), "{err:?}");
        Ok(())
    })
}
