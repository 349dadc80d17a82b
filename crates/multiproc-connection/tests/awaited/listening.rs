//! Listeners and clients, awaited.

use std::{pin::pin, sync::Arc, thread, time::Duration};

use multiproc_connection::{
    AcceptError, Address, AuthenticationError, Client, ConnectError, Connection, Family, Listener,
};
use tokio::task::JoinSet;

use crate::{endings::begin, on_both};

const KEY: &str = "our secret";

async fn connect(address: &Address) -> Result<Connection<u64>, ConnectError> {
    Client::builder().authkey(KEY).connect_async(address).await
}

#[test]
fn client_is_served() {
    on_both(async || {
        for family in Family::ALL {
            let listener = Listener::builder().family(family).authkey(KEY).bind().unwrap();
            let (client, served) =
                tokio::join!(connect(listener.address()), listener.accept_async::<u64, u64>());
            let (client, served) = (client.unwrap(), served.unwrap());
            client.send_async(&1).await.unwrap();
            assert_eq!(served.recv_async().await.unwrap(), 1);
            for end in [&client, &served] {
                let flags = rustix::fs::fcntl_getfl(end).unwrap();
                assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
            }
            assert_eq!(listener.last_accepted().unwrap().family(), family);
        }
    });
}

/// How often the main future of a runtime is polled: each time would be a look for a new client.
#[test]
fn what_an_accepted_client_sends_does_not_wake_who_accepts() {
    on_both(async || {
        let listener = Listener::builder().authkey(KEY).bind().unwrap();
        let (client, served) =
            tokio::join!(connect(listener.address()), listener.accept_async::<u64, u64>());
        let (client, served) = (client.unwrap(), served.unwrap());
        let mut accepting = pin!(listener.accept_async::<u64, u64>());
        begin(accepting.as_mut()).await;
        let mut polled = 0;
        let counted = std::future::poll_fn(|context| {
            polled += 1;
            accepting.as_mut().poll(context).map(drop)
        });
        let talking = tokio::spawn(async move {
            for number in 0..100 {
                client.send_async(&number).await.unwrap();
                assert_eq!(served.recv_async().await.unwrap(), number);
                tokio::task::yield_now().await;
            }
        });
        tokio::select! {
            () = counted => unreachable!("nobody comes"),
            done = talking => done.unwrap(),
        }
        assert!(polled < 10, "{polled} times");
    });
}

#[test]
fn host_name_is_looked_up() {
    on_both(async || {
        let listener = Listener::builder().address("localhost:0").bind().unwrap();
        let Address::Tcp(address) = listener.address() else { panic!() };
        let address = ("localhost", address.port());
        let client = Client::builder().connect_async::<u8, u8, _>(address);
        let (client, served) = tokio::join!(client, listener.accept_async::<u8, u8>());
        client.unwrap().send_async(&1).await.unwrap();
        assert_eq!(served.unwrap().recv_async().await.unwrap(), 1);
    });
}

#[test]
fn nobody_there_is_an_error() {
    on_both(async || {
        for text in ["/nowhere/socket", "127.0.0.1:1"] {
            let err = Client::builder().connect_async::<u8, u8, _>(text).await.unwrap_err();
            assert!(matches!(err, ConnectError::Io { .. }), "{err:?}");
        }
        let err = Client::builder().connect_async::<u8, u8, _>("nothing").await.unwrap_err();
        assert!(matches!(err, ConnectError::Address(_)), "{err:?}");
    });
}

#[test]
fn wrong_key_is_an_error_on_both_ends() {
    on_both(async || {
        let listener = Listener::builder().authkey(KEY).bind().unwrap();
        let client =
            Client::builder().authkey("wrong").connect_async::<u8, u8, _>(listener.address());
        let (client, served) = tokio::join!(client, listener.accept_async::<u8, u8>());
        let err = client.unwrap_err();
        assert!(
            matches!(err, ConnectError::Authentication(AuthenticationError::Rejected)),
            "{err:?}"
        );
        let err = served.unwrap_err();
        assert!(
            matches!(err, AcceptError::Authentication(AuthenticationError::WrongDigest)),
            "{err:?}"
        );
    });
}

#[test]
fn silent_client_holds_up_nobody_and_is_turned_away() {
    on_both(async || {
        let builder = Listener::builder().address("127.0.0.1:0").authkey(KEY).backlog(8);
        let listener = builder.handshake_timeout(Duration::from_millis(300)).bind().unwrap();
        let Address::Tcp(address) = listener.address() else { panic!() };
        let _silent = std::net::TcpStream::connect(address).unwrap();
        for _ in 0..3 {
            let (client, served) =
                tokio::join!(connect(listener.address()), listener.accept_async::<u64, u64>());
            client.unwrap();
            served.unwrap();
        }
        let err = listener.accept_async::<u64, u64>().await.unwrap_err();
        assert!(
            matches!(err, AcceptError::Authentication(AuthenticationError::TimedOut)),
            "{err:?}"
        );
    });
}

#[test]
fn silent_client_is_turned_away_though_every_accept_is_dropped() {
    on_both(async || {
        let builder = Listener::builder().address("127.0.0.1:0").authkey(KEY);
        let listener = builder.handshake_timeout(Duration::from_millis(200)).bind().unwrap();
        let Address::Tcp(address) = listener.address() else { panic!() };
        let _silent = std::net::TcpStream::connect(address).unwrap();
        // Each call is given up long before the deadline, and its waiting counts all the same.
        let pause = Duration::from_millis(10);
        let err = loop {
            let accepting = listener.accept_async::<u64, u64>();
            if let Ok(result) = tokio::time::timeout(pause, accepting).await {
                break result.unwrap_err();
            }
        };
        assert!(
            matches!(err, AcceptError::Authentication(AuthenticationError::TimedOut)),
            "{err:?}"
        );
    });
}

#[test]
fn handshake_goes_on_after_an_accept_is_dropped() {
    on_both(async || {
        let listener = Listener::builder().authkey(KEY).bind().unwrap();
        let mut connecting = pin!(connect(listener.address()));
        begin(connecting.as_mut()).await;
        {
            let mut accepting = pin!(listener.accept_async::<u64, u64>());
            begin(accepting.as_mut()).await;
        }
        let (client, served) = tokio::join!(connecting, listener.accept_async::<u64, u64>());
        client.unwrap();
        served.unwrap();
    });
}

#[test]
fn clients_that_find_the_queue_full_come_in_later() {
    on_both(async || {
        // Not so over TCP, where it is the system that tries again, after seconds.
        let listener = Listener::builder().authkey(KEY).bind().unwrap();
        let mut clients = JoinSet::new();
        for _ in 0..30 {
            let address = listener.address().clone();
            clients.spawn(async move { connect(&address).await.unwrap() });
        }
        let mut served = vec![];
        while served.len() < 30 {
            served.push(listener.accept_async::<u64, u64>().await.unwrap());
        }
        assert_eq!(clients.join_all().await.len(), 30);
    });
}

#[test]
fn tasks_and_threads_accept_at_the_same_listener() {
    on_both(async || {
        let listener = Arc::new(Listener::builder().authkey(KEY).backlog(64).bind().unwrap());
        let accepted = Arc::new(tokio::sync::Semaphore::new(0));
        let accept = |served: Connection<u64>, accepted: &tokio::sync::Semaphore| {
            served.send(&1).unwrap();
            accepted.add_permits(1);
        };
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            let (listener, accepted) = (listener.clone(), accepted.clone());
            tasks.spawn(async move {
                loop {
                    accept(listener.accept_async().await.unwrap(), &accepted);
                }
            });
        }
        // It has the listener for as long as nobody comes, and for ten clients.
        let thread = thread::spawn({
            let (listener, accepted) = (listener.clone(), accepted.clone());
            move || {
                for _ in 0..10 {
                    accept(listener.accept().unwrap(), &accepted);
                }
            }
        });
        let mut clients = JoinSet::new();
        for _ in 0..60 {
            let address = listener.address().clone();
            clients.spawn(async move {
                assert_eq!(connect(&address).await.unwrap().recv_async().await.unwrap(), 1);
            });
        }
        let _all = accepted.acquire_many(60).await.unwrap();
        clients.join_all().await;
        tasks.shutdown().await;
        // The thread may have been too slow for ten of them.
        while !thread.is_finished() {
            let more = tokio::time::timeout(Duration::from_millis(20), connect(listener.address()));
            if let Ok(connected) = more.await {
                assert_eq!(connected.unwrap().recv_async().await.unwrap(), 1);
            }
        }
        thread.join().unwrap();
    });
}
