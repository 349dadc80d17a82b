//! Those who have connected and are still to prove who they are.
//!
//! One thread at a time is in here. It polls the listening socket and all guests at once, so the
//! slowest guest costs the others nothing.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use multiproc_sys::poll;
use multiproc_wire::Handle;
use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{Shutdown, SocketFlags, acceptfrom_with, shutdown},
};

use crate::{
    AcceptError, Address, Auth, AuthenticationError, TryAcceptError, TryRecvError,
    auth::{Dialogue, LONGEST},
    endpoint::{address_of, hurry},
    patience::Patience,
    socket::Socket,
    turn::Inherited,
};

/// How long a guest may take, and how many there may be.
#[derive(Clone, Copy)]
pub(super) struct Manners {
    pub(super) timeout: Duration,
    pub(super) most: usize,
}

/// Somebody who has connected.
pub(super) struct Guest {
    pub(super) socket: Socket,
    pub(super) peer: Address,
}

/// Somebody who has connected and is within the handshake.
pub(super) struct Pending {
    pub(super) guest: Guest,
    dialogue: Dialogue,
    deadline: Option<Instant>,
}

/// All who are within the handshake, the oldest first.
pub(super) struct Reception {
    pub(super) pending: Vec<Pending>,
    /// When somebody was in here last: what passes without us is not the guests' time.
    pub(super) left: Instant,
    /// In a forked child whose tasks await clients: what the listener's own face is elsewhere.
    pub(super) face: Option<Handle>,
}

impl Reception {
    pub(super) fn new() -> Self {
        Self { pending: Vec::new(), left: Instant::now(), face: None }
    }

    /// What a forked child begins with: the guests are the parent's.
    pub(super) fn inherit(inherited: Inherited<'_, Self>) -> Self {
        if let Inherited::Whole(parents) | Inherited::Attended(parents) = inherited {
            parents.pending.clear();
            parents.face = None;
        }
        Self::new()
    }

    /// Gives the guests the time that passed since somebody was in here.
    pub(super) fn make_up(&mut self) {
        let away = self.left.elapsed();
        for pending in &mut self.pending {
            pending.deadline = pending.deadline.and_then(|deadline| deadline.checked_add(away));
        }
    }

    /// Works on all handshakes until one is over or patience ends.
    pub(super) fn accept(
        &mut self,
        listener: BorrowedFd<'_>,
        face: Option<BorrowedFd<'_>>,
        auth: Option<(&Auth, Manners)>,
        patience: Patience,
    ) -> Result<Guest, TryAcceptError> {
        let own = self.face.clone();
        let face = face.or(own.as_ref().map(AsFd::as_fd));
        let result = self.serve(listener, face, auth, patience);
        self.left = Instant::now();
        result
    }

    fn serve(
        &mut self,
        listener: BorrowedFd<'_>,
        face: Option<BorrowedFd<'_>>,
        auth: Option<(&Auth, Manners)>,
        patience: Patience,
    ) -> Result<Guest, TryAcceptError> {
        loop {
            match next(listener)? {
                Some(guest) => match auth {
                    None => return Ok(guest),
                    Some((auth, manners)) => self.welcome(guest, face, auth, manners)?,
                },
                None => {
                    if let Some(guest) = self.step()? {
                        return Ok(guest);
                    }
                    self.expire()?;
                    if !self.wait(listener, patience)? {
                        return Err(TryAcceptError::Empty);
                    }
                }
            }
        }
    }

    /// Challenges a new guest.
    fn welcome(
        &mut self,
        guest: Guest,
        face: Option<BorrowedFd<'_>>,
        auth: &Auth,
        manners: Manners,
    ) -> Result<(), AcceptError> {
        let (dialogue, opening) = Dialogue::listener(auth.clone())?;
        guest.socket.try_send_bytes(&opening).map_err(AuthenticationError::from)?;
        if let Some(face) = face {
            // Closing the guest's socket takes it out again.
            let data = EventData::new_u64(0);
            epoll::add(face, &guest.socket, data, EventFlags::IN).map_err(io::Error::from)?;
        }
        let deadline = poll::deadline_after(manners.timeout);
        let turned_away = (manners.most <= self.pending.len()).then(|| self.pending.remove(0));
        self.pending.push(Pending { guest, dialogue, deadline });
        match turned_away {
            None => Ok(()),
            Some(oldest) => {
                oldest.turn_away();
                Err(AuthenticationError::TimedOut.into())
            }
        }
    }

    /// Goes on with every handshake, until one is over.
    fn step(&mut self) -> Result<Option<Guest>, AcceptError> {
        let mut index = 0;
        while let Some(pending) = self.pending.get_mut(index) {
            match pending.step() {
                Ok(false) => index += 1,
                Ok(true) => return Ok(Some(self.pending.remove(index).guest)),
                Err(err) => {
                    self.pending.remove(index).turn_away();
                    return Err(err.into());
                }
            }
        }
        Ok(None)
    }

    /// When the first of the guests is too late.
    pub(super) fn first_deadline(&self) -> Option<Instant> {
        self.pending.iter().filter_map(|pending| pending.deadline).min()
    }

    fn expire(&mut self) -> Result<(), AcceptError> {
        let now = Instant::now();
        let late = |pending: &Pending| pending.deadline.is_some_and(|deadline| deadline <= now);
        match self.pending.iter().position(late) {
            None => Ok(()),
            Some(index) => {
                self.pending.remove(index).turn_away();
                Err(AuthenticationError::TimedOut.into())
            }
        }
    }

    /// Waits until somebody does something or is too late; false if patience ends first.
    fn wait(&self, listener: BorrowedFd<'_>, patience: Patience) -> Result<bool, AcceptError> {
        if let Patience::None = patience {
            return Ok(false);
        }
        let mut fds = vec![listener];
        fds.extend(self.pending.iter().map(|pending| pending.guest.socket.as_fd()));
        let ours = patience.deadline();
        let until = [ours, self.first_deadline()].into_iter().flatten().min();
        let ready = poll::wait_many(&fds, until).map_err(AcceptError::Io)?;
        Ok(!ready.is_empty() || ours.is_none_or(|ours| Instant::now() < ours))
    }
}

impl Pending {
    /// Ends the conversation, also where a child that was forked meanwhile has a copy of the socket.
    fn turn_away(self) {
        // Fails where the other end has gone already.
        let _ = shutdown(&self.guest.socket, Shutdown::Both);
    }

    /// Takes what has come; true says that the handshake is over.
    fn step(&mut self) -> Result<bool, AuthenticationError> {
        loop {
            let message = match self.guest.socket.recv_from_stranger(LONGEST, Patience::None) {
                Ok(message) => message,
                Err(TryRecvError::Empty) => return Ok(false),
                Err(TryRecvError::Recv(err)) => return Err(err.into()),
            };
            let step = self.dialogue.step(&message);
            if let Some(reply) = step.reply {
                // To one who reads nothing there is nothing more to say; what has gone wrong
                // before counts more.
                let sent = self.guest.socket.try_send_bytes(&reply);
                if step.result.is_ok() {
                    sent?;
                }
            }
            if step.result? {
                return Ok(true);
            }
        }
    }
}

/// Returns the next who has connected, if there is one.
fn next(listener: BorrowedFd<'_>) -> Result<Option<Guest>, AcceptError> {
    loop {
        match acceptfrom_with(listener, SocketFlags::CLOEXEC) {
            Ok((socket, peer)) => {
                let peer = peer.map_or(Address::Unnamed, address_of);
                if let Address::Tcp(_) = peer {
                    hurry(&socket);
                }
                return Ok(Some(Guest { socket: Socket::stream(socket.into()), peer }));
            }
            Err(Errno::AGAIN) => return Ok(None),
            // Gone again before we came.
            Err(Errno::INTR | Errno::CONNABORTED | Errno::PROTO) => {}
            Err(errno) => return Err(AcceptError::Io(errno.into())),
        }
    }
}
