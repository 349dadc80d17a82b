//! Forked children, which share their parent's epoll instance.

use std::{
    pin::pin,
    sync::{Mutex, OnceLock},
};

use multiproc::{
    Connection, Context, Failure, HandleError, Process,
    connection::{Client, Listener},
    pipe,
};
use multiproc_tests::{TestResult, once, once_alone};

use crate::{begin, in_own_runtime, single};

once_alone! {
    child_that_drops_an_awaited_end_leaves_the_parents_wait_alone,
    child_awaits_at_an_inherited_end,
    child_accepts_at_an_inherited_listener,
}

once! { inherited_handle_is_not_awaited }

static INHERITED: Mutex<Option<Connection<u8>>> = Mutex::new(None);

fn take() -> Connection<u8> {
    INHERITED.lock().unwrap().take().unwrap()
}

fn child_that_drops_an_awaited_end_leaves_the_parents_wait_alone() -> Result<(), Failure> {
    let (ours, peer) = pipe::<u8, u8>()?;
    let runtime = single()?;
    runtime.block_on(async { begin(pin!(ours.recv_async())).await });
    *INHERITED.lock().unwrap() = Some(ours);
    Context::fork().allow_threads().start(|| drop(take()), ())?.result()?;
    let ours = take();
    runtime.block_on(async {
        let (sent, received) = tokio::join!(async { peer.send(&7) }, async {
            begin(pin!(ours.recv_async())).await;
            ours.recv_async().await
        });
        sent?;
        assert_eq!(received?, 7);
        Ok(())
    })
}

fn child_awaits_at_an_inherited_end() -> Result<(), Failure> {
    let (ours, peer) = pipe::<u8, u8>()?;
    let runtime = single()?;
    runtime.block_on(async { begin(pin!(ours.recv_async())).await });
    *INHERITED.lock().unwrap() = Some(ours);
    // Forked within the runtime, too: the child must not mistake it for its own.
    let process: Process<()> = runtime.block_on(async {
        let echo = || {
            in_own_runtime(async || {
                let end = take();
                let received = end.recv_async().await.unwrap();
                end.send_async(&received).await.unwrap();
            });
        };
        Context::fork().allow_threads().start(echo, ())
    })?;
    drop(take());
    runtime.block_on(async {
        begin(pin!(peer.recv_async())).await;
        peer.send_async(&7).await?;
        assert_eq!(peer.recv_async().await?, 7);
        process.result_async().await?;
        Ok(())
    })
}

fn child_accepts_at_an_inherited_listener() -> Result<(), Failure> {
    static LISTENER: OnceLock<Listener> = OnceLock::new();
    let listener = LISTENER.get_or_init(|| Listener::builder().authkey("key").bind().unwrap());
    let runtime = single()?;
    runtime.block_on(async {
        let client =
            Client::builder().authkey("key").connect_async::<u8, u8, _>(listener.address());
        let (client, served) = tokio::join!(client, listener.accept_async::<u8, u8>());
        client?;
        served?;
        Ok::<_, Failure>(())
    })?;
    let serve = || {
        in_own_runtime(async || {
            for _ in 0..3 {
                let served: Connection<u8> = LISTENER.get().unwrap().accept_async().await.unwrap();
                served.send_async(&7).await.unwrap();
            }
        });
    };
    let process = Context::fork().allow_threads().start(serve, ())?;
    runtime.block_on(async {
        for _ in 0..3 {
            let client = Client::builder().authkey("key");
            let client: Connection<u8> = client.connect_async(listener.address()).await?;
            assert_eq!(client.recv_async().await?, 7);
        }
        process.result_async().await?;
        Ok(())
    })
}

fn inherited_handle_is_not_awaited() -> TestResult {
    static HANDLE: OnceLock<Process<()>> = OnceLock::new();
    let process = Context::spawn().start(|| (), ())?;
    let handle = HANDLE.get_or_init(|| process);
    let check = || {
        in_own_runtime(async || {
            let err = HANDLE.get().unwrap().join_async().await.unwrap_err();
            assert!(matches!(err, HandleError::NotOurChild { .. }), "{err:?}");
        });
    };
    Context::fork().allow_threads().start(check, ())?.result()?;
    single()?.block_on(handle.join_async())?;
    Ok(())
}
