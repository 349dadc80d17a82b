//! Listeners of a process that has no descriptors left.

use std::{io, thread, time::Duration};

use multiproc_connection::{
    AcceptError, AcceptTimeoutError, Address, Auth, AuthenticationError, BindError, Client,
    Connection, Listener, TryAcceptError, answer_challenge, deliver_challenge,
};
use rustix::io::Errno;

use crate::{LIMIT, watchdog, with_room};

const SHORT: Duration = Duration::from_millis(10);

fn connect(listener: &Listener) -> Connection<u8> {
    Client::builder().connect(listener.address()).unwrap()
}

/// Somebody who is within the handshake.
fn guest(listener: &Listener) -> Connection<u8> {
    let client = connect(listener);
    let accepted = listener.try_accept::<u8, u8>();
    assert!(matches!(accepted, Err(TryAcceptError::Empty)), "{accepted:?}");
    client
}

fn is_exhausted(err: &io::Error) -> bool {
    err.raw_os_error() == Some(Errno::MFILE.raw_os_error())
}

/// Accepts until something else is said than that there is no room.
fn accept(listener: &Listener) -> Result<Connection<u8>, AcceptError> {
    loop {
        match listener.accept() {
            Err(AcceptError::Io(err)) if is_exhausted(&err) => thread::yield_now(),
            accepted => return accepted,
        }
    }
}

#[test]
fn handshakes_go_on() {
    watchdog::watch();
    let _alone = LIMIT.lock();
    for is_somebody_there in [false, true] {
        let listener = Listener::builder().authkey("key").backlog(8).bind().unwrap();
        let client = guest(&listener);
        // One who cannot be accepted must not be in the way.
        let queued = is_somebody_there.then(|| connect(&listener));
        let served = thread::scope(|scope| {
            // Goes first, so that nobody waits for it when something has failed.
            let listener = listener;
            scope.spawn(|| {
                let auth = Auth::new("key");
                answer_challenge(&client, &auth).unwrap();
                deliver_challenge(&client, &auth).unwrap();
            });
            with_room(0, || if is_somebody_there { accept(&listener) } else { listener.accept() })
        });
        served.unwrap().send(&7).unwrap();
        assert_eq!(client.recv().unwrap(), 7);
        drop(queued);
    }
}

#[test]
fn silent_guests_are_turned_away() {
    watchdog::watch();
    let _alone = LIMIT.lock();
    for is_somebody_there in [false, true] {
        let listener = Listener::builder().authkey("key").handshake_timeout(SHORT);
        let listener = listener.backlog(8).bind().unwrap();
        let _silent = guest(&listener);
        let _queued = is_somebody_there.then(|| connect(&listener));
        let outcome =
            with_room(0, || if is_somebody_there { accept(&listener) } else { listener.accept() });
        let Err(AcceptError::Authentication(AuthenticationError::TimedOut)) = outcome else {
            panic!("{outcome:?}")
        };
    }
}

#[test]
fn it_matters_only_when_somebody_is_there() {
    watchdog::watch();
    let _alone = LIMIT.lock();
    for builder in [Listener::builder(), Listener::builder().authkey("key")] {
        let listener = builder.bind().unwrap();
        let outcome = with_room(0, || listener.accept_timeout::<u8, u8>(SHORT));
        assert!(matches!(outcome, Err(AcceptTimeoutError::Timeout)), "{outcome:?}");
        let _queued = connect(&listener);
        let outcome = with_room(0, || listener.accept::<u8, u8>());
        assert!(matches!(&outcome, Err(AcceptError::Io(err)) if is_exhausted(err)), "{outcome:?}");
    }
}

#[test]
fn bind_without_room_leaves_no_path_behind() {
    watchdog::watch();
    let _alone = LIMIT.lock();
    let path = std::env::temp_dir().join(format!("mpcn-exhausted-{}", std::process::id()));
    let bind = || Listener::builder().address(Address::Path(path.clone())).authkey("key").bind();
    // The socket fits, and what tells of it does not.
    let err = with_room(1, bind).unwrap_err();
    assert!(matches!(&err, BindError::Io { source, .. } if is_exhausted(source)), "{err:?}");
    assert!(!path.exists());
    bind().unwrap();
    assert!(!path.exists());
}
