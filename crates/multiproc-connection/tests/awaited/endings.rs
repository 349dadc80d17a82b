//! What a task sees when the other end is gone.

use std::{
    future::poll_fn,
    os::{fd::OwnedFd, unix::net::UnixStream},
    pin::pin,
    process::{Command, Stdio},
    task::Poll,
};

use multiproc_connection::{Connection, RecvError, SendError, pipe};

use crate::{double, on_both, watchdog};

/// Polls a future once, and sees that it waits.
pub(crate) async fn begin<F: Future<Output: std::fmt::Debug>>(mut future: std::pin::Pin<&mut F>) {
    poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        assert!(polled.is_pending(), "{polled:?}");
        Poll::Ready(())
    })
    .await;
}

#[test]
fn killed_peer_ends_a_receive_that_is_awaited() {
    on_both(async || {
        let (ours, theirs) = pipe::<u8, u8>().unwrap();
        let stdin = Stdio::from(OwnedFd::try_from(theirs).unwrap());
        let mut child = Command::new("sleep").arg("1000").stdin(stdin).spawn().unwrap();
        let mut receiving = pin!(ours.recv_async());
        begin(receiving.as_mut()).await;
        child.kill().unwrap();
        assert!(receiving.await.unwrap_err().is_closed());
        child.wait().unwrap();
    });
}

#[test]
fn killed_peer_ends_a_send_that_is_awaited() {
    on_both(async || {
        let (ours, theirs) = pipe::<u32, ()>().unwrap();
        let stdin = Stdio::from(OwnedFd::try_from(theirs).unwrap());
        let mut child = Command::new("sleep").arg("1000").stdin(stdin).spawn().unwrap();
        while ours.try_send(&0).is_ok() {}
        let mut sending = pin!(ours.send_async(&0));
        begin(sending.as_mut()).await;
        child.kill().unwrap();
        assert!(sending.await.unwrap_err().is_closed());
        child.wait().unwrap();
    });
}

#[test]
fn peer_killed_within_a_message_is_no_short_message() {
    on_both(async || {
        let (peer, ours) = UnixStream::pair().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", r"printf '\0\0\0\012ab'; exec sleep 1000"])
            .stdin(Stdio::null())
            .stdout(Stdio::from(OwnedFd::from(peer)))
            .spawn()
            .unwrap();
        let ours = Connection::<(), ()>::from(OwnedFd::from(ours));
        assert!(ours.poll(None).unwrap());
        let mut receiving = pin!(ours.recv_bytes_async());
        begin(receiving.as_mut()).await;
        child.kill().unwrap();
        let err = receiving.await.unwrap_err();
        assert!(matches!(err, RecvError::Truncated), "{err:?}");
        child.wait().unwrap();
    });
}

#[test]
fn runtime_that_shuts_down_ends_the_wait() {
    watchdog::watch();
    let (a, b) = pipe::<u8, u8>().unwrap();
    let (first, second) = (double(), double());
    // It waits by the second runtime's epoll, and is polled by the first.
    let mut receiving = Box::pin(a.recv_async());
    second.block_on(begin(receiving.as_mut()));
    second.shutdown_background();
    let err = first.block_on(receiving).unwrap_err();
    assert!(matches!(err, RecvError::Io(_)), "{err:?}");
    b.send(&1).unwrap();
    assert_eq!(first.block_on(a.recv_async()).unwrap(), 1, "nothing was lost");
}

#[test]
fn end_outlives_its_runtimes() {
    watchdog::watch();
    let (a, b) = pipe::<u8, u8>().unwrap();
    for number in 0..5 {
        let runtime = double();
        let received = runtime.block_on(async {
            let mut receiving = pin!(a.recv_async());
            begin(receiving.as_mut()).await;
            b.send_async(&number).await.unwrap();
            receiving.await
        });
        assert_eq!(received.unwrap(), number);
    }
}

#[test]
fn awaited_end_is_given_away_itself_not_a_duplicate() {
    on_both(async || {
        let (a, b) = pipe::<u8, u8>().unwrap();
        {
            let mut receiving = pin!(a.recv_async());
            begin(receiving.as_mut()).await;
        }
        let number = std::os::fd::AsRawFd::as_raw_fd(&a);
        let fd = OwnedFd::try_from(a).unwrap();
        assert_eq!(std::os::fd::AsRawFd::as_raw_fd(&fd), number);
        drop(fd);
        let err = b.send_async(&1).await.unwrap_err();
        assert!(matches!(err, SendError::Closed), "{err:?}");
    });
}

#[test]
fn descriptor_stays_as_it_was() {
    on_both(async || {
        let (a, b) = pipe::<Vec<u8>, ()>().unwrap();
        let flags = || [&a as &dyn std::os::fd::AsFd, &b].map(rustix::fs::fcntl_getfl);
        let before = flags().map(Result::unwrap);
        let (sent, received) = tokio::join!(a.send_async(&vec![1; 1 << 20]), b.recv_async());
        sent.unwrap();
        assert_eq!(received.unwrap().len(), 1 << 20);
        let mut receiving = pin!(b.recv_async());
        begin(receiving.as_mut()).await;
        assert_eq!(flags().map(Result::unwrap), before);
    });
}
