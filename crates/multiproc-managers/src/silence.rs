//! Noticing that the host at the other end is gone: no end is told of a power cut or of a cable.

use std::{os::fd::AsFd, time::Duration};

use rustix::net::{
    AddressFamily,
    sockopt::{
        set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl,
        set_tcp_user_timeout, socket_domain,
    },
};

/// After so long in silence the other host is asked for a sign of life, then so often, and so many times.
const IDLE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(10);
const PROBES: u32 = 6;

/// In milliseconds, as the system counts it: how long what was sent may stay without an answer. The same time.
const UNANSWERED: u32 = 120_000;

/// Has a connection over TCP end when nothing has been heard of the other host for two minutes.
pub(crate) fn end_in_silence(socket: impl AsFd) {
    let socket = socket.as_fd();
    if let Ok(AddressFamily::INET | AddressFamily::INET6) = socket_domain(socket) {
        // Where the system knows one of these not, the others are there.
        let _ = set_socket_keepalive(socket, true);
        let _ = set_tcp_keepidle(socket, IDLE);
        let _ = set_tcp_keepintvl(socket, INTERVAL);
        let _ = set_tcp_keepcnt(socket, PROBES);
        let _ = set_tcp_user_timeout(socket, UNANSWERED);
    }
}
