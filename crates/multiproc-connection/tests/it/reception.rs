//! Handshakes of many clients at one listener.

use std::{io::Write, os::unix::net::UnixStream, thread, time::Duration};

use multiproc_connection::{
    AcceptError, Address, Auth, AuthenticationError, Client, Connection, Listener, TryAcceptError,
    answer_challenge, deliver_challenge, wait,
};

use crate::{
    listening::{addresses, connect},
    watchdog,
};

// complaint: 24
#[test]
fn silent_clients_hold_up_nobody() {
    watchdog::watch();
    let (_scratch, addresses) = addresses("silent");
    for address in addresses {
        let listener = Listener::builder().address(&address).backlog(64).authkey("key");
        let listener = listener.bind().unwrap();
        // Some say nothing at all, some begin and stop.
        let silent: Vec<Connection<u8>> =
            (0..20).map(|_| Client::builder().connect(listener.address()).unwrap()).collect();
        let address = listener.address().clone();
        let client = thread::spawn(move || {
            let client = Client::builder().authkey("key").connect::<u8, u8, _>(address).unwrap();
            client.send(&1).unwrap();
            client
        });
        let served: Connection<u8> = listener.accept().unwrap();
        assert_eq!(served.recv().unwrap(), 1);
        drop((silent, client.join().unwrap()));
    }
}

#[test]
fn silent_client_is_turned_away_in_time() {
    watchdog::watch();
    let listener = Listener::builder().authkey("key").handshake_timeout(Duration::from_millis(5));
    let listener = listener.bind().unwrap();
    let client = connect(listener.address()).unwrap();
    let err = listener.accept::<u8, u8>().unwrap_err();
    let timed_out = AuthenticationError::TimedOut;
    assert!(
        matches!(err, AcceptError::Authentication(err) if err.to_string() == timed_out.to_string())
    );
    assert!(client.recv_bytes().unwrap().starts_with(b"#CHALLENGE#"));
    assert!(client.recv_bytes().unwrap_err().is_closed());
}

#[test]
fn crowd_of_silent_clients_loses_its_oldest_after_a_while() {
    watchdog::watch();
    let listener = Listener::builder().authkey("key").max_handshakes(3).backlog(16).bind().unwrap();
    let silent: Vec<_> = (0..5).map(|_| connect(listener.address()).unwrap()).collect();
    let empty = listener.try_accept::<u8, u8>();
    assert!(
        matches!(empty, Err(TryAcceptError::Empty)),
        "the first have only just come: {empty:?}"
    );
    for _ in 0..2 {
        let err = listener.accept::<u8, u8>().unwrap_err();
        let AcceptError::Authentication(AuthenticationError::TimedOut) = err else {
            panic!("{err:?}")
        };
    }
    assert!(matches!(listener.try_accept::<u8, u8>(), Err(TryAcceptError::Empty)));
    for (index, client) in silent.iter().enumerate() {
        client.recv_bytes().unwrap();
        let is_closed = client.try_recv_bytes().unwrap_err().is_closed();
        assert_eq!(is_closed, index < 2, "client {index}");
    }
}

#[test]
fn burst_of_honest_clients_is_served_to_the_last() {
    const CLIENTS: usize = 40;
    watchdog::watch();
    let listener = Listener::builder().authkey("key").max_handshakes(4).backlog(64);
    // So long that none of them has to make room.
    let listener = listener.handshake_timeout(Duration::from_secs(36_000)).bind().unwrap();
    // All have connected before the first is spoken to.
    let clients: Vec<_> = (0..CLIENTS).map(|_| connect(listener.address()).unwrap()).collect();
    thread::scope(|scope| {
        // Goes first, so that nobody waits for it when something has failed.
        let listener = listener;
        for client in clients {
            scope.spawn(move || {
                let auth = Auth::new("key");
                answer_challenge(&client, &auth).unwrap();
                deliver_challenge(&client, &auth).unwrap();
                assert_eq!(client.recv().unwrap(), "hello");
            });
        }
        for _ in 0..CLIENTS {
            let served: Connection<String> = listener.accept().unwrap();
            served.send(&"hello".to_owned()).unwrap();
        }
    });
}

#[test]
fn listener_is_ready_while_a_handshake_goes_on() {
    watchdog::watch();
    let listener = Listener::builder().authkey("key").bind().unwrap();
    assert_eq!(wait(&[&listener], Duration::ZERO).unwrap(), [] as [usize; 0]);
    let address = listener.address().clone();
    let client = thread::spawn(move || {
        Client::builder().authkey("key").connect::<u8, u8, _>(address).unwrap()
    });
    let served = loop {
        assert_eq!(wait(&[&listener], None).unwrap(), [0]);
        match listener.try_accept::<u8, u8>() {
            Ok(served) => break served,
            Err(TryAcceptError::Empty) => {}
            Err(err) => panic!("{err:?}"),
        }
    };
    assert_eq!(wait(&[&listener], Duration::ZERO).unwrap(), [] as [usize; 0], "nobody is left");
    let client = client.join().unwrap();
    client.send(&1).unwrap();
    assert!(served.poll(None).unwrap());
    assert_eq!(wait(&[&listener], Duration::ZERO).unwrap(), [] as [usize; 0], "not for it to take");
    drop(client);
    assert_eq!(wait(&[&listener], Duration::ZERO).unwrap(), [] as [usize; 0], "nor its end");
    assert_eq!(served.recv().unwrap(), 1);
}

#[test]
fn listener_outlives_clients_that_leave_within_the_handshake() {
    watchdog::watch();
    let listener = Listener::builder().authkey("key").backlog(16).bind().unwrap();
    let Address::Path(path) = listener.address() else { panic!("{listener:?}") };
    let starts: [&[u8]; 4] = [b"", &[0, 0, 0], &[0, 0, 0, 9, 1], &[255, 255, 255, 255]];
    for start in starts {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(start).unwrap();
        drop(stream);
        let err = listener.accept::<u8, u8>().unwrap_err();
        assert!(matches!(err, AcceptError::Authentication(_)), "{err:?}");
    }
    assert!(matches!(listener.try_accept::<u8, u8>(), Err(TryAcceptError::Empty)));
}
