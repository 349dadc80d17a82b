//! Real Pythons at the other end: every one that is found, as client and as listener.
//!
//! Looked for are `python3` and what pyenv has installed, from 3.8 on. Where there is none this says
//! so and shows nothing.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

#[path = "../support/watchdog.rs"]
mod watchdog;
mod python;
#[cfg(feature = "python")]
mod objects;

use std::{io::Write, sync::OnceLock, thread};

use multiproc_connection::{
    AcceptError, Address, AuthenticationError, Client, ClientBuilder, ConnectError, Connection,
    Digest, Family, Listener, ListenerBuilder,
};

use self::python::Python;

const KEY: &[u8] = b"our secret";
const SIZES: [usize; 5] = [0, 1, 16 << 10, (16 << 10) + 1, 64 << 20];

fn pythons() -> &'static [Python] {
    static FOUND: OnceLock<Vec<Python>> = OnceLock::new();
    watchdog::watch();
    FOUND.get_or_init(|| {
        let found = Python::find();
        // To the terminal itself, past the harness: a skipped test must not look like a passed one.
        let mut out = std::io::stderr().lock();
        match &found[..] {
            [] => writeln!(out, "interop: skipped, no python3 was found").unwrap(),
            found => {
                let versions: Vec<_> = found.iter().map(|python| python.version()).collect();
                writeln!(out, "interop: Python {}", versions.join(", ")).unwrap();
            }
        }
        found
    })
}

/// What this Python can do: one before 3.12 knows MD5 only.
fn listener(python: &Python, family: Family) -> ListenerBuilder {
    let builder = Listener::builder().family(family);
    if python.is_old() { builder.allow_md5() } else { builder }
}

fn client(python: &Python) -> ClientBuilder {
    if python.is_old() { Client::builder().allow_md5() } else { Client::builder() }
}

fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index % 251) as u8).collect()
}

fn check_echo(connection: &Connection<()>) {
    for size in SIZES {
        let sent = payload(size);
        thread::scope(|scope| {
            scope.spawn(|| connection.send_bytes(&sent).unwrap());
            assert!(connection.recv_bytes().unwrap() == sent, "{size} bytes");
        });
    }
}

// parity: connection.wire-header, connection.bytes-roundtrip
#[test]
fn python_client_is_served() {
    for python in pythons() {
        for family in Family::ALL {
            let listener = listener(python, family).authkey(KEY).bind().unwrap();
            let mut child =
                python.start("connect", &[&python::literal(listener.address()), "our secret"]);
            let served: Connection<()> = listener.accept().unwrap();
            check_echo(&served);
            drop(served);
            child.finish();
        }
    }
}

#[test]
fn python_listener_serves() {
    for python in pythons() {
        for family in ["AF_INET", "AF_UNIX"] {
            let mut child = python.start("listen", &[family, "our secret"]);
            let address: Address = child.line().parse().unwrap();
            let connection: Connection<()> = client(python).authkey(KEY).connect(address).unwrap();
            check_echo(&connection);
            drop(connection);
            child.finish();
        }
    }
}

// parity: auth.wrong-key-both-sides
#[test]
fn wrong_key_is_an_error_on_both_ends() {
    for python in pythons() {
        let listener = listener(python, Family::Unix).authkey(KEY).bind().unwrap();
        let mut child = python.start("connect", &[&python::literal(listener.address()), "wrong"]);
        let err = listener.accept::<(), ()>().unwrap_err();
        assert!(
            matches!(err, AcceptError::Authentication(AuthenticationError::WrongDigest)),
            "{err:?}"
        );
        assert_eq!(child.line(), "AuthenticationError");
        child.finish();

        let mut child = python.start("listen", &["AF_UNIX", "wrong"]);
        let address: Address = child.line().parse().unwrap();
        let err = client(python).authkey(KEY).connect::<(), (), _>(address).unwrap_err();
        assert!(
            matches!(err, ConnectError::Authentication(AuthenticationError::Rejected)),
            "{err:?}"
        );
        assert_eq!(child.line(), "AuthenticationError");
        child.finish();
    }
}

#[test]
fn old_python_is_refused_unless_it_is_allowed() {
    for python in pythons().iter().filter(|python| python.is_old()) {
        let listener = Listener::builder().authkey(KEY).bind().unwrap();
        let mut child =
            python.start("connect", &[&python::literal(listener.address()), "our secret"]);
        let err = listener.accept::<(), ()>().unwrap_err();
        let AcceptError::Authentication(AuthenticationError::DigestRefused(Digest::Md5)) = err
        else {
            panic!("{err:?}")
        };
        assert_eq!(child.line(), "AuthenticationError");
        child.finish();
    }
}

#[test]
fn every_digest_is_understood_by_new_pythons() {
    for python in pythons().iter().filter(|python| !python.is_old()) {
        for digest in Digest::ALL {
            let builder = Listener::builder().authkey(KEY).digest(digest).allow_md5();
            let listener = builder.bind().unwrap();
            let address = python::literal(listener.address());
            let mut child = python.start("connect", &[&address, "our secret"]);
            let served: Connection<()> = listener.accept().unwrap();
            served.send_bytes(b"x").unwrap();
            assert_eq!(served.recv_bytes().unwrap(), b"x");
            drop(served);
            child.finish();
        }
    }
}

/// What the messages of more than 2 GiB need: each end has one, and one that grows.
const NEEDED: u64 = 12 << 30;

/// Bytes of memory that are there to be had.
fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

// parity: connection.wire-header-huge, connection.above-32mib
#[test]
fn more_than_two_gib_go_both_ways() {
    const SIZE: usize = (1 << 31) + 5;
    // The newest: all of them write the same, and each takes seconds.
    let Some(python) = pythons().last() else { return };
    if available() < NEEDED {
        let mut out = std::io::stderr().lock();
        writeln!(out, "interop: more than 2 GiB skipped, it needs {} GiB", NEEDED >> 30).unwrap();
        return;
    }
    let listener = Listener::builder().max_message(1 << 32).bind().unwrap();
    let mut child = python.start("huge", &[&python::literal(listener.address()), "5"]);
    let served: Connection<()> = listener.accept().unwrap();
    let mut message = served.recv_bytes().unwrap();
    assert_eq!(message.len(), SIZE);
    assert_eq!((message[0], message[SIZE - 1]), (b'<', b'>'));
    message[0] = b'[';
    message[SIZE - 1] = b']';
    served.send_bytes(&message).unwrap();
    drop((message, served));
    assert_eq!(child.line(), format!("{SIZE} [ ]"));
    child.finish();
}

// parity: listener.abstract-socket, auth.no-key-no-auth
#[test]
fn abstract_names_and_no_key() {
    for (number, python) in pythons().iter().enumerate() {
        // A name each: the child of another test holds copies of our descriptors until it has executed its program.
        let name = format!("mpcn-interop-{}-{number}", std::process::id());
        let listener = Listener::builder().address(Address::Abstract(name.into())).bind().unwrap();
        let mut child = python.start("connect", &[&python::literal(listener.address())]);
        let served: Connection<()> = listener.accept().unwrap();
        served.send_bytes(b"hello").unwrap();
        assert_eq!(served.recv_bytes().unwrap(), b"hello");
        drop(served);
        child.finish();
    }
}
