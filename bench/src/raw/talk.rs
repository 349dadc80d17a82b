//! Two processes and a socket pair: there and back, and one way.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::{
    io::{read, write},
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
        sockopt::set_socket_send_buffer_size,
    },
};

use super::fork;
use crate::machine;

/// How the bytes on a socket become messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One packet a message.
    Packets,
    /// A stream on which the length goes first.
    Prefix,
    /// A stream with 4 MiB of buffer, and messages of a length that both sides know.
    Bulk,
}

const PREFIX: usize = size_of::<u32>();

/// Returns the seconds that `count` words take to a child on core `there` and back.
pub(crate) fn echo(there: usize, count: u32) -> io::Result<f64> {
    let child = |socket: &OwnedFd| {
        let mut word = [0; 8];
        while read(socket, &mut word)? == word.len() {
            write(socket, &word)?;
        }
        Ok(())
    };
    with_child(SocketType::STREAM, Some(there), child, |socket| {
        let mut word = [0; 8];
        let mut exchange = |number: u64| {
            write(socket, &number.to_le_bytes())?;
            let got = read(socket, &mut word)?;
            let is_same = got == word.len() && u64::from_le_bytes(word) == number;
            if is_same { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
        };
        // The child is there, and both are warm.
        (0..100).try_for_each(&mut exchange)?;
        let started = Instant::now();
        (0..u64::from(count)).try_for_each(&mut exchange)?;
        Ok(started.elapsed().as_secs_f64())
    })
}

/// Returns the seconds that `count` messages of `length` bytes take to a child on core `there`.
pub(crate) fn flow(framing: Framing, there: usize, length: usize, count: u32) -> io::Result<f64> {
    let kind = match framing {
        Framing::Packets => SocketType::SEQPACKET,
        Framing::Prefix | Framing::Bulk => SocketType::STREAM,
    };
    let framed = if framing == Framing::Prefix { PREFIX + length } else { length };
    let child = |socket: &OwnedFd| {
        let mut buffer = vec![0; framed];
        take(socket.as_fd(), &mut buffer)?;
        write(socket, b"k")?;
        for _ in 0..count {
            take(socket.as_fd(), &mut buffer)?;
        }
        write(socket, b"k")?;
        Ok(())
    };
    with_child(kind, Some(there), child, |socket| {
        if framing == Framing::Bulk {
            set_socket_send_buffer_size(socket, 4 << 20)?;
        }
        let mut message = vec![b'm'; framed];
        if framing == Framing::Prefix {
            message[..PREFIX].copy_from_slice(&(length as u32).to_le_bytes());
        }
        // The child is there, and has taken the one that warms up.
        put(socket, &message)?;
        take(socket, &mut [0])?;
        let started = Instant::now();
        for _ in 0..count {
            put(socket, &message)?;
        }
        take(socket, &mut [0])?;
        Ok(started.elapsed().as_secs_f64())
    })
}

/// Sends one message, with one call where the socket takes it whole.
pub(super) fn put(socket: BorrowedFd<'_>, mut message: &[u8]) -> io::Result<()> {
    while !message.is_empty() {
        let sent = send(socket, message, SendFlags::empty())?;
        message = &message[sent..];
    }
    Ok(())
}

/// Receives one message, with one call where it is there whole.
pub(super) fn take(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let (_, got) = recv(socket, &mut buffer[filled..], RecvFlags::empty())?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += got;
    }
    Ok(())
}

/// Runs `child` in a fork, on core `there` if one is named, and `parent` here, each with an end of a socket pair.
pub(super) fn with_child<T>(
    kind: SocketType,
    there: Option<usize>,
    child: impl FnOnce(&OwnedFd) -> io::Result<()>,
    parent: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>,
) -> io::Result<T> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    let mut ours = Some(ours);
    let pid = fork::fork(|| {
        // Else the child would itself keep the connection open whose end it waits for.
        ours = None;
        let result =
            there.map_or(Ok(()), |core| machine::pin_to(&[core])).and_then(|()| child(&theirs));
        libc::c_int::from(result.is_err())
    })?;
    drop(theirs);
    let result = match &ours {
        Some(ours) => parent(ours.as_fd()),
        None => Err(io::ErrorKind::NotConnected.into()),
    };
    drop(ours);
    fork::wait(pid)?;
    result
}
