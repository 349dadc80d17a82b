//! Connections over every kind of socket, without a listener.

use std::{
    io,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use multiproc::{Connection, pipe};

/// The kinds of connections.
pub const KINDS: [&str; 3] = ["pipe", "unix", "tcp"];

/// Both ends of a connection of a kind.
///
/// # Errors
///
/// What the system reports.
pub fn ends<S, R>(kind: &str) -> io::Result<(Connection<S, R>, Connection<R, S>)> {
    let (a, b): (OwnedFd, OwnedFd) = match kind {
        "pipe" => return pipe(),
        "unix" => {
            let (a, b) = UnixStream::pair()?;
            (a.into(), b.into())
        }
        "tcp" => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            (client.into(), listener.accept()?.0.into())
        }
        _ => panic!("no connection is called {kind}"),
    };
    Ok((a.into(), b.into()))
}

/// A second handle to the same end, to read and write what stands on the wire.
///
/// # Errors
///
/// What dup(2) reports.
pub fn raw<S, R>(end: &Connection<S, R>) -> io::Result<std::fs::File> {
    Ok(end.as_fd().try_clone_to_owned()?.into())
}
