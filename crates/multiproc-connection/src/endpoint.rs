//! From an address to a socket, and back.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
    time::Instant,
};

use multiproc_sys::poll;
use rustix::{
    io::Errno,
    net::{
        self, AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType,
        sockopt::{self, Timeout},
    },
};

use crate::{Address, patience::Patience};

/// An address as the system takes it.
pub(crate) enum Endpoint {
    Inet(SocketAddr),
    Unix(SocketAddrUnix),
}

impl Endpoint {
    /// Returns every endpoint that the address stands for: a host may have several.
    pub(crate) fn resolve(address: &Address) -> io::Result<Vec<Self>> {
        match address {
            Address::Tcp(address) => Ok(vec![Self::Inet(*address)]),
            Address::Host(host, port) => {
                let found: Vec<_> = (&**host, *port).to_socket_addrs()?.map(Self::Inet).collect();
                if found.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "host has no address"));
                }
                Ok(found)
            }
            Address::Path(path) => {
                Ok(vec![Self::Unix(SocketAddrUnix::new(path.as_os_str().as_bytes())?)])
            }
            Address::Abstract(name) => {
                Ok(vec![Self::Unix(SocketAddrUnix::new_abstract_name(name)?)])
            }
            Address::Unnamed => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    pub(crate) fn socket(&self, flags: SocketFlags) -> io::Result<OwnedFd> {
        let family = match self {
            Self::Inet(SocketAddr::V4(_)) => AddressFamily::INET,
            Self::Inet(SocketAddr::V6(_)) => AddressFamily::INET6,
            Self::Unix(_) => AddressFamily::UNIX,
        };
        let flags = flags | SocketFlags::CLOEXEC;
        Ok(net::socket_with(family, SocketType::STREAM, flags, None)?)
    }

    /// Makes a socket that listens here. To accept from it never waits.
    pub(crate) fn listen(&self, backlog: u32) -> io::Result<OwnedFd> {
        let socket = self.socket(SocketFlags::NONBLOCK)?;
        match self {
            Self::Inet(address) => {
                // What the last listener here left behind for a minute must not bar the next.
                sockopt::set_socket_reuseaddr(&socket, true)?;
                net::bind(&socket, address)?;
            }
            Self::Unix(address) => net::bind(&socket, address)?,
        }
        net::listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(socket)
    }

    /// Makes a socket that is connected to here; None if patience ends first.
    pub(crate) fn connect(&self, patience: Patience) -> io::Result<Option<OwnedFd>> {
        let socket = self.socket(SocketFlags::empty())?;
        loop {
            if let Patience::Until(deadline) = patience {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(None);
                }
                sockopt::set_socket_timeout(&socket, Timeout::Send, Some(left))?;
            }
            let result = match self {
                Self::Inet(address) => net::connect(&socket, address),
                Self::Unix(address) => net::connect(&socket, address),
            };
            match result {
                Ok(()) => break,
                // Time is up: the first is TCP's, the second a Unix listener's whose queue is full.
                Err(Errno::INPROGRESS | Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) if let Self::Inet(_) = self => {
                    // The connection is being made all the same.
                    if !poll::wait_writable(socket.as_fd(), patience.deadline())? {
                        return Ok(None);
                    }
                    sockopt::socket_error(&socket)??;
                    break;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if let Patience::Until(_) = patience {
            sockopt::set_socket_timeout(&socket, Timeout::Send, None)?;
        }
        self.hurry(&socket);
        Ok(Some(socket))
    }

    /// Has a TCP socket send small messages at once.
    pub(crate) fn hurry(&self, socket: impl AsFd) {
        if let Self::Inet(_) = self {
            hurry(socket);
        }
    }
}

/// Has a TCP socket send small messages at once; on others this does nothing.
pub(crate) fn hurry(socket: impl AsFd) {
    // Slower where it fails, and right all the same.
    let _ = sockopt::set_tcp_nodelay(socket, true);
}

/// What the system calls an address, as an address of ours.
pub(crate) fn address_of(any: SocketAddrAny) -> Address {
    if let Ok(address) = SocketAddr::try_from(any.clone()) {
        return Address::Tcp(address);
    }
    let Ok(unix) = SocketAddrUnix::try_from(any) else { return Address::Unnamed };
    if let Some(name) = unix.abstract_name() {
        return Address::Abstract(name.to_vec());
    }
    match unix.path_bytes() {
        Some(path) => Address::Path(PathBuf::from(std::ffi::OsStr::from_bytes(path))),
        None => Address::Unnamed,
    }
}
