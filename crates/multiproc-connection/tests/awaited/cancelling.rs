//! Futures that are dropped at any moment lose nothing and double nothing.

use std::{
    future::poll_fn,
    os::{fd::OwnedFd, unix::net::UnixStream},
    pin::pin,
    task::Poll,
    thread,
};

use multiproc_connection::{Connection, RecvError, pipe};

use crate::{Dice, endings::begin, on_both};

const MESSAGES: u64 = 2000;

type Numbered = (u64, Vec<u8>);

/// A message whose size and content follow from its number: most are short, some do not fit the
/// socket.
fn message(number: u64) -> Numbered {
    let size = if number.is_multiple_of(50) { 300_000 } else { (number % 1000) as usize };
    (number, vec![(number % 251) as u8; size])
}

fn ends() -> [(Connection<Numbered>, Connection<Numbered>); 2] {
    let (a, b) = UnixStream::pair().unwrap();
    [pipe().unwrap(), (OwnedFd::from(a).into(), OwnedFd::from(b).into())]
}

/// Polls at most so often, with the runtime at work in between, and then drops the future.
async fn polled<F: Future>(future: F, times: u64) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[test]
fn dropped_receives_lose_no_message() {
    on_both(async || {
        for (tx, rx) in ends() {
            // It sends as fast as it can, from a thread that knows nothing of the tasks.
            let sending = thread::spawn(move || {
                for number in 0..MESSAGES {
                    tx.send(&message(number)).unwrap();
                }
            });
            let (mut dice, mut next, mut dropped) = (Dice(1), 0, 0);
            loop {
                match polled(rx.recv_async(), dice.roll(3)).await {
                    None => dropped += 1,
                    Some(Ok(received)) => {
                        assert!(received == message(next), "{} for {next}", received.0);
                        next += 1;
                    }
                    Some(Err(err)) => {
                        assert!(err.is_closed(), "{err:?}");
                        break;
                    }
                }
            }
            assert_eq!(next, MESSAGES);
            assert!(100 < dropped, "{dropped} futures were dropped");
            sending.join().unwrap();
        }
    });
}

#[test]
fn dropped_sends_double_no_message_and_break_none() {
    on_both(async || {
        for (tx, rx) in ends() {
            let receiving = thread::spawn(move || {
                let mut received = vec![];
                while let Ok(found) = rx.recv() {
                    assert!(found == message(found.0), "{}", found.0);
                    received.push(found.0);
                    if received.len().is_multiple_of(5) {
                        // Slower than the sender, so that the pipe is full at times.
                        thread::yield_now();
                    }
                }
                received
            });
            let (mut dice, mut sent) = (Dice(2), vec![]);
            for number in 0..MESSAGES {
                if let Some(result) = polled(tx.send_async(&message(number)), dice.roll(3)).await {
                    result.unwrap();
                    sent.push(number);
                }
            }
            // What was begun last goes out whole with this.
            tx.send_async(&message(MESSAGES)).await.unwrap();
            drop(tx);
            let received = receiving.join().unwrap();
            assert!(received.is_sorted_by(|a, b| a < b), "each once, in order");
            let missing = sent.iter().find(|number| received.binary_search(number).is_err());
            assert_eq!(missing, None);
            assert_eq!(received.last(), Some(&MESSAGES));
            assert!(sent.len() < MESSAGES as usize, "some were dropped");
        }
    });
}

#[test]
fn dropped_send_on_a_pipe_has_sent_nothing() {
    on_both(async || {
        let (a, b) = pipe::<u32, ()>().unwrap();
        let full = (0..).take_while(|number| a.try_send(number).is_ok()).count();
        {
            let mut sending = pin!(a.send_async(&u32::MAX));
            begin(sending.as_mut()).await;
        }
        for number in 0..full {
            assert_eq!(b.recv_async().await.unwrap(), number as u32);
        }
        drop(a);
        assert!(b.recv_async().await.unwrap_err().is_closed());
    });
}

#[test]
fn half_a_message_on_a_stream_is_finished_by_whoever_sends_next() {
    on_both(async || {
        let [_, (a, b)] = ends();
        let large = (1, vec![7; 5 << 20]);
        for by_thread in [false, true] {
            {
                let mut sending = pin!(a.send_async(&large));
                begin(sending.as_mut()).await;
            }
            assert!(matches!(a.try_send(&(2, vec![])), Err(err) if !err.is_closed()));
            thread::scope(|scope| {
                let receiving = scope.spawn(|| (b.recv().unwrap(), b.recv().unwrap()));
                if by_thread {
                    a.send(&(2, vec![])).unwrap();
                }
                // The runtime is not blocked by us: the receiver is another thread.
                scope.spawn(|| {
                    if !by_thread {
                        crate::single().block_on(a.send_async(&(2, vec![]))).unwrap();
                    }
                });
                let (first, second) = receiving.join().unwrap();
                assert!(first == large);
                assert_eq!(second, (2, vec![]));
            });
        }
    });
}

#[test]
fn end_with_half_a_message_cannot_be_handed_on_and_cuts_it_off_when_closed() {
    on_both(async || {
        let [_, (a, b)] = ends();
        {
            let mut sending = pin!(a.send_async(&(1, vec![7; 5 << 20])));
            begin(sending.as_mut()).await;
        }
        let err = multiproc_wire::encode(&a).unwrap_err();
        assert!(format!("{err:?}").contains("sent already"), "{err:?}");
        drop(a);
        let err = b.recv_async().await.unwrap_err();
        assert!(matches!(err, RecvError::Truncated), "{err:?}");
    });
}

#[test]
fn half_received_message_is_there_for_a_call_that_waits() {
    on_both(async || {
        let (peer, ours) = UnixStream::pair().unwrap();
        let ours = Connection::<(), ()>::from(OwnedFd::from(ours));
        rustix::io::write(&peer, &[0, 0, 0, 3, 1]).unwrap();
        {
            let mut receiving = pin!(ours.recv_bytes_async());
            begin(receiving.as_mut()).await;
        }
        rustix::io::write(&peer, &[2, 3]).unwrap();
        assert_eq!(ours.recv_bytes().unwrap(), [1, 2, 3]);
    });
}
