//! What is sent arrives: values, handles, and messages of every size.

use std::{
    cell::Cell, fs::File, io::Read, marker::PhantomData, os::fd::OwnedFd,
    os::unix::net::UnixStream, rc::Rc,
};

use multiproc_connection::{Connection, RecvError, SendError, pipe, simplex};
use multiproc_wire::Handle;
use serde::{Deserialize, Serialize};

use crate::on_both;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    name: String,
    weights: Vec<f64>,
}

fn stream<S, R>() -> (Connection<S, R>, Connection<R, S>) {
    let (a, b) = UnixStream::pair().unwrap();
    (OwnedFd::from(a).into(), OwnedFd::from(b).into())
}

#[test]
fn values_go_both_ways() {
    on_both(async || {
        for (a, b) in [pipe::<Job, u64>().unwrap(), stream()] {
            let serving = tokio::spawn(async move {
                while let Ok(job) = b.recv_async().await {
                    b.send_async(&(job.weights.len() as u64)).await.unwrap();
                }
            });
            for len in 0..100 {
                let job = Job { name: len.to_string(), weights: vec![0.5; len] };
                a.send_async(&job).await.unwrap();
                assert_eq!(a.recv_async().await.unwrap(), len as u64);
            }
            drop(a);
            serving.await.unwrap();
        }
    });
}

#[test]
fn handles_travel() {
    on_both(async || {
        for (a, b) in [pipe::<Vec<Handle>, ()>().unwrap(), stream()] {
            // One, as many as a packet takes, more than that.
            for count in [1, 250, 300] {
                let open = || Handle::from(OwnedFd::from(File::open("/dev/zero").unwrap()));
                let sent: Vec<_> = std::iter::repeat_n(open(), count).collect();
                let (sent, received) = tokio::join!(a.send_async(&sent), b.recv_async());
                sent.unwrap();
                let received = received.unwrap();
                assert_eq!(received.len(), count);
                let last = received.into_iter().next_back().unwrap().into_owned().unwrap();
                let mut byte = [1];
                File::from(last).read_exact(&mut byte).unwrap();
                assert_eq!(byte, [0]);
            }
        }
    });
}

#[test]
fn messages_of_every_size_arrive() {
    on_both(async || {
        for (a, b) in [pipe::<(), ()>().unwrap(), stream()] {
            for size in [0, 1, 64 << 10, (64 << 10) + 1, 1 << 20, 64 << 20] {
                let message: Vec<_> = (0..size).map(|index| (index % 251) as u8).collect();
                let sending = a.send_bytes_async(&message);
                let (sent, received) = tokio::join!(sending, b.recv_bytes_async());
                sent.unwrap();
                assert!(received.unwrap() == message, "{size} bytes");
            }
        }
    });
}

#[test]
fn limits_and_buffers_are_those_of_the_calls_that_wait() {
    on_both(async || {
        let (rx, tx) = simplex::<()>().unwrap();
        tx.send_bytes_async(b"longer").await.unwrap();
        let err = rx.recv_bytes_max_async(5).await.unwrap_err();
        assert!(matches!(err, RecvError::TooLong { length: 6, limit: 5 }), "{err:?}");

        tx.send_bytes_async(b"too long").await.unwrap();
        tx.send_bytes_async(b"fits").await.unwrap();
        let mut buffer = [0; 4];
        match rx.recv_bytes_into_async(&mut buffer).await {
            Err(RecvError::BufferTooShort { message, capacity: 4 }) => {
                assert_eq!(message, b"too long");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(rx.recv_bytes_into_async(&mut buffer).await.unwrap(), 4);
        assert_eq!(&buffer, b"fits");
    });
}

#[test]
fn value_that_refuses_is_an_error_and_sends_nothing() {
    #[derive(Deserialize)]
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    on_both(async || {
        let (rx, tx) = simplex::<Stubborn>().unwrap();
        let err = tx.send_async(&Stubborn).await.unwrap_err();
        assert!(matches!(err, SendError::Encode(_)), "{err:?}");
        assert!(!rx.poll(std::time::Duration::ZERO).unwrap());
    });
}

#[test]
fn futures_go_between_threads_whatever_the_values_are() {
    fn check<F: Send>(_: F) {}
    #[derive(Serialize, Deserialize)]
    struct Local(Cell<u8>, #[serde(skip)] PhantomData<Rc<()>>);
    let (rx, tx) = simplex::<Local>().unwrap();
    let sending = {
        let value = Local(Cell::new(7), PhantomData);
        tx.send_async(&value)
    };
    check(rx.recv_async());
    check(sending);
}
