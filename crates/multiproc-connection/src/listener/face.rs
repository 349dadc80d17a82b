//! What is ready when a listener with a key has something to do.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::OnceLock,
};

use multiproc_image::renewed::Renewed;
use multiproc_wire::Handle;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// An epoll instance of the listening socket and of all guests.
///
/// A forked child makes one of its own when it first needs it: the parent's tells of the parent's
/// guests.
///
/// **Invariant:** a guest is in it as long as the listener works on its handshake, and no longer. To
/// close the socket would not take it out: it may have become a connection, or a forked child may
/// have a copy.
pub(super) struct Face {
    epoll: Renewed<OnceLock<Handle>>,
}

impl Face {
    pub(super) fn new(listener: &Handle) -> io::Result<Self> {
        Ok(Self { epoll: Renewed::new(OnceLock::from(create(listener)?)) })
    }

    /// The descriptor of this process.
    ///
    /// An error says that a forked child has found no room for it; it tries again the next time.
    pub(super) fn get(&self, listener: &Handle) -> io::Result<&Handle> {
        let ours = self.epoll.get(|_| OnceLock::new());
        if let Some(face) = ours.get() {
            return Ok(face);
        }
        let made = create(listener)?;
        // Another thread's, if it was faster.
        Ok(ours.get_or_init(|| made))
    }
}

fn create(listener: &Handle) -> io::Result<Handle> {
    let face = epoll::create(CreateFlags::CLOEXEC)?;
    add(face.as_fd(), listener.as_fd())?;
    Ok(face.into())
}

/// Has the face tell of this socket.
pub(super) fn add(face: BorrowedFd<'_>, socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(epoll::add(face, socket, EventData::new_u64(0), EventFlags::IN)?)
}

/// Has the face tell of this socket no more.
pub(super) fn remove(face: BorrowedFd<'_>, socket: BorrowedFd<'_>) {
    // Fails only where it is not in there.
    let _ = epoll::delete(face, socket);
}
