//! Many at the same end: tasks, threads, runtimes.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    pin::pin,
    sync::Arc,
    thread,
    time::Duration,
};

use multiproc_connection::{Connection, pipe};
use tokio::task::JoinSet;

use crate::{double, endings::begin, on_both, single, watchdog};

const EACH: u64 = 2000;

fn ends() -> [(Connection<u64>, Connection<u64>); 2] {
    let (a, b) = UnixStream::pair().unwrap();
    [pipe().unwrap(), (OwnedFd::from(a).into(), OwnedFd::from(b).into())]
}

#[test]
fn end_that_reads_ahead_misses_no_message_and_no_end() {
    on_both(async || {
        let (a, b) = UnixStream::pair().unwrap();
        let (tx, rx) = (OwnedFd::from(a), OwnedFd::from(b));
        let (tx, rx) = (Connection::<u64>::from(tx), Connection::<u64>::from(rx).read_ahead());
        for round in 0..EACH {
            // As many at once as there are, so that an event tells of several and of none.
            for number in 0..round % 5 {
                tx.send(&number).unwrap();
            }
            for number in 0..round % 5 {
                // Every other one by a call that waits, which leaves the rest to who awaits.
                let received =
                    if (round + number) % 2 == 0 { rx.recv() } else { rx.recv_async().await };
                assert_eq!(received.unwrap(), number);
            }
            if round % 7 == 0 {
                let (received, sent) = tokio::join!(rx.recv_async(), tx.send_async(&round));
                sent.unwrap();
                assert_eq!(received.unwrap(), round);
            }
        }
        tx.send(&7).unwrap();
        drop(tx);
        assert_eq!(rx.recv_async().await.unwrap(), 7);
        assert!(rx.recv_async().await.unwrap_err().is_closed());
    });
}

#[test]
fn message_goes_to_exactly_one_of_many_tasks_and_threads() {
    on_both(async || {
        for (tx, rx) in ends() {
            let rx = Arc::new(rx);
            let mut tasks = JoinSet::new();
            for _ in 0..4 {
                let rx = rx.clone();
                tasks.spawn(async move {
                    let mut received = vec![];
                    while let Ok(number) = rx.recv_async().await {
                        received.push(number);
                    }
                    received
                });
            }
            let threads = [0, 1].map(|which| {
                let rx = rx.clone();
                thread::spawn(move || {
                    let mut received = vec![];
                    loop {
                        let result = if which == 0 {
                            rx.recv()
                        } else {
                            match rx.recv_timeout(Duration::from_secs(3600)) {
                                Ok(number) => Ok(number),
                                Err(_) => return received,
                            }
                        };
                        match result {
                            Ok(number) => received.push(number),
                            Err(_) => return received,
                        }
                    }
                })
            });
            for number in 0..4 * EACH {
                tx.send_async(&number).await.unwrap();
            }
            drop(tx);
            let mut all: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
            all.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
            all.sort_unstable();
            assert!(all.into_iter().eq(0..4 * EACH));
        }
    });
}

#[test]
fn many_send_on_one_end() {
    on_both(async || {
        for (tx, rx) in ends() {
            let tx = Arc::new(tx);
            let mut tasks = JoinSet::new();
            for sender in 0..4 {
                let tx = tx.clone();
                tasks.spawn(async move {
                    for number in 0..EACH {
                        tx.send_async(&(sender * EACH + number)).await.unwrap();
                    }
                });
            }
            let thread = thread::spawn(move || {
                for number in 4 * EACH..5 * EACH {
                    tx.send(&number).unwrap();
                }
            });
            let mut last = [None; 5];
            let mut count = 0;
            while let Ok(number) = rx.recv_async().await {
                let last = &mut last[(number / EACH) as usize];
                assert!(*last < Some(number), "a sender's messages come in order, and once");
                *last = Some(number);
                count += 1;
            }
            assert_eq!(count, 5 * EACH);
            tasks.join_all().await;
            thread.join().unwrap();
        }
    });
}

#[test]
fn one_task_sends_and_another_receives_on_the_same_end() {
    on_both(async || {
        for (a, b) in ends() {
            // The echo is slower than either, so both have to wait for it.
            let echo = tokio::spawn(async move {
                while let Ok(number) = b.recv_async().await {
                    b.send_async(&number).await.unwrap();
                }
            });
            let sending = async {
                for number in 0..4 * EACH {
                    a.send_async(&number).await.unwrap();
                }
            };
            let receiving = async {
                for number in 0..4 * EACH {
                    assert_eq!(a.recv_async().await.unwrap(), number);
                }
            };
            tokio::join!(sending, receiving);
            drop(a);
            echo.await.unwrap();
        }
    });
}

#[test]
fn task_takes_over_when_a_thread_lets_go_of_a_stream() {
    on_both(async || {
        let [_, (a, b)] = ends();
        let b = Arc::new(b);
        // The thread has the stream until a first message comes.
        let thread = thread::spawn({
            let b = b.clone();
            move || b.recv().unwrap()
        });
        // It has it once it has taken the beginning of a message.
        assert_eq!(rustix::io::write(&a, &[0, 0]).unwrap(), 2);
        while rustix::io::ioctl_fionread(&*b).unwrap() != 0 {
            thread::yield_now();
        }
        let mut receiving = pin!(b.recv_async());
        begin(receiving.as_mut()).await;
        // Both at once: one wake-up for two who wait.
        let mut two = [0, 1, 5, 0, 0, 0, 1, 5].as_slice();
        while !two.is_empty() {
            let sent = rustix::io::write(&a, two).unwrap();
            two = &two[sent..];
        }
        assert_eq!(receiving.await.unwrap(), 5);
        assert_eq!(tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap(), 5);
    });
}

#[test]
fn two_runtimes_await_the_same_end() {
    watchdog::watch();
    for (tx, rx) in ends() {
        let rx = &rx;
        let received = thread::scope(|scope| {
            let receivers = [single(), double()].map(|runtime| {
                scope.spawn(move || {
                    runtime.block_on(async {
                        let mut received = vec![];
                        while let Ok(number) = rx.recv_async().await {
                            received.push(number);
                        }
                        received
                    })
                })
            });
            for number in 0..EACH {
                tx.send(&number).unwrap();
            }
            drop(tx);
            let mut all: Vec<_> =
                receivers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            all.sort_unstable();
            all
        });
        assert!(received.into_iter().eq(0..EACH));
    }
}

#[test]
fn task_that_always_finds_a_message_lets_others_run() {
    watchdog::watch();
    // One thread: whoever never waits would keep it.
    single().block_on(async {
        let (a, b) = pipe::<u64, u64>().unwrap();
        let eager = tokio::spawn(async move {
            loop {
                a.send_async(&1).await.unwrap();
                if b.recv_async().await.is_err() {
                    break;
                }
            }
        });
        tokio::task::yield_now().await;
        eager.abort();
        assert!(eager.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn task_for_each_of_five_hundred_connections() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let more = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, more).unwrap();
    on_both(async || {
        let mut tasks = JoinSet::new();
        let mut ours = vec![];
        for _ in 0..250 {
            for (a, b) in ends() {
                ours.push(a);
                tasks.spawn(async move {
                    let mut sum = 0;
                    while let Ok(number) = b.recv_async().await {
                        sum += number;
                        b.send_async(&sum).await.unwrap();
                    }
                    sum
                });
            }
        }
        for round in 1..=10 {
            for end in &ours {
                end.send_async(&round).await.unwrap();
            }
            for end in &ours {
                assert_eq!(end.recv_async().await.unwrap(), round * (round + 1) / 2);
            }
        }
        drop(ours);
        assert_eq!(tasks.join_all().await, [55; 500]);
    });
}
