//! Messages that are Python objects, between Rust ends.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

#[path = "../support/watchdog.rs"]
mod watchdog;
mod values;
mod refused;
mod bounded;

use std::{
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use multiproc_connection::{Connection, pipe};

type End = Connection<(), ()>;

/// Both ends of a pipe, of a Unix stream and of a network one.
fn transports() -> [(End, End); 3] {
    watchdog::watch();
    let (a, b) = UnixStream::pair().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let served = listener.accept().unwrap().0;
    let stream = |fd: OwnedFd| End::from(fd);
    [
        pipe().unwrap(),
        (stream(a.into()), stream(b.into())),
        (stream(client.into()), stream(served.into())),
    ]
}
