//! A fork server and nothing else: request, fork, `_exit`, wait, reply.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::fork;

/// A helper process with one thread that forks when asked, and ends with this handle.
pub(crate) struct Server {
    socket: Option<OwnedFd>,
    pid: libc::pid_t,
}

impl Server {
    /// Forks the helper, which keeps the size that this process has now.
    pub(crate) fn start() -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let mut ours = Some(ours);
        let pid = fork::fork(|| {
            // Else the helper would itself keep the connection open whose end is its own.
            ours = None;
            serve(&theirs)
        })?;
        Ok(Self { socket: ours, pid })
    }

    /// Has a child forked, and returns when it has been waited for.
    pub(crate) fn request(&self) -> io::Result<()> {
        let socket = self.socket.as_ref().expect("only `drop` takes it").as_fd();
        rustix::io::write(socket, b"f")?;
        let mut reply = [0];
        match rustix::io::read(socket, &mut reply)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.socket = None;
        let _ = fork::wait(self.pid);
    }
}

/// Serves until the other end is closed.
fn serve(socket: &OwnedFd) -> libc::c_int {
    let mut request = [0];
    while let Ok(1) = rustix::io::read(socket, &mut request) {
        if fork::fork_and_wait().is_err() || rustix::io::write(socket, &request).is_err() {
            return 1;
        }
    }
    0
}
