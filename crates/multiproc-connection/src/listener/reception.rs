//! Those who have connected and are still to prove who they are.
//!
//! One thread at a time is in here. It polls the listening socket and all guests at once, so the
//! slowest guest costs the others nothing.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use multiproc_sys::poll;
use rustix::{
    io::Errno,
    net::{Shutdown, SocketFlags, acceptfrom_with, shutdown},
};

use super::face;
use crate::{
    AcceptError, Address, Auth, AuthenticationError, TryAcceptError, TryRecvError,
    auth::{Dialogue, LONGEST},
    endpoint::{address_of, hurry},
    patience::Patience,
    socket::Socket,
    turn::Inherited,
};

/// How long others wait at most for a guest who is not through, while there is no room for them.
const LONGEST_GRACE: Duration = Duration::from_secs(10);

/// How long a guest may take, and how many there may be.
#[derive(Clone, Copy)]
pub(super) struct Manners {
    pub(super) timeout: Duration,
    pub(super) most: usize,
}

/// On what terms guests are received: the key, the manners, and what tells of them.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) auth: &'a Auth,
    pub(super) manners: Manners,
    pub(super) face: BorrowedFd<'a>,
}

/// Somebody who has connected.
pub(super) struct Guest {
    pub(super) socket: Socket,
    pub(super) peer: Address,
}

/// Somebody who has connected and is within the handshake.
struct Pending {
    guest: Guest,
    dialogue: Dialogue,
    /// Until then those who find no room wait, from then on this one makes room.
    safe: Instant,
    deadline: Option<Instant>,
}

/// All who are within the handshake, the oldest first.
pub(super) struct Reception {
    pending: Vec<Pending>,
    /// There is no room, and nobody who has to make some before that moment. Who comes meanwhile
    /// makes the face ready all the same: nothing else would tell of the moment.
    full_until: Option<Instant>,
    /// When somebody was in here last: what passes without us is not the guests' time.
    pub(super) left: Instant,
}

impl Reception {
    pub(super) fn new() -> Self {
        Self { pending: Vec::new(), full_until: None, left: Instant::now() }
    }

    /// What a forked child begins with: the guests are the parent's.
    pub(super) fn inherit(inherited: Inherited<'_, Self>) -> Self {
        if let Inherited::Whole(parents) | Inherited::Attended(parents) = inherited {
            parents.pending.clear();
        }
        Self::new()
    }

    /// Gives the guests the time that passed since somebody was in here.
    pub(super) fn make_up(&mut self) {
        let away = self.left.elapsed();
        for pending in &mut self.pending {
            pending.safe += away;
            pending.deadline = pending.deadline.and_then(|deadline| deadline.checked_add(away));
        }
    }

    /// Returns the next who has connected; on terms, the next who has met them.
    ///
    /// Works on all handshakes until one is over or patience ends.
    pub(super) fn accept(
        &mut self,
        listener: BorrowedFd<'_>,
        terms: Option<Terms<'_>>,
        patience: Patience,
    ) -> Result<Guest, TryAcceptError> {
        let result = loop {
            let arrived = match terms {
                None => next(listener),
                Some(terms) => self.serve(listener, terms),
            };
            match arrived {
                Ok(Some(guest)) => break Ok(guest),
                Ok(None) => {}
                Err(err) => break Err(err.into()),
            }
            match self.wait(listener, patience) {
                Ok(true) => {}
                Ok(false) => break Err(TryAcceptError::Empty),
                Err(err) => break Err(err.into()),
            }
        };
        self.left = Instant::now();
        result
    }

    /// Does what there is to do, until a handshake is over.
    fn serve(
        &mut self,
        listener: BorrowedFd<'_>,
        terms: Terms<'_>,
    ) -> Result<Option<Guest>, AcceptError> {
        self.full_until = None;
        let admitted = self.admit(listener, terms);
        if let Err(AcceptError::Authentication(err)) = admitted {
            return Err(err.into());
        }
        // Also where the system admits nobody: who is here already needs no descriptor for the rest.
        if let Some(guest) = self.step(terms.face)? {
            return Ok(Some(guest));
        }
        self.expire(terms.face)?;
        admitted?;
        if let Some(oldest) = self.pending.first()
            && terms.manners.most <= self.pending.len()
        {
            if Instant::now() < oldest.safe {
                self.full_until = Some(oldest.safe);
            } else if let Some(guest) = next(listener)? {
                self.welcome(guest, terms)?;
                self.remove(0, terms.face).turn_away();
                return Err(AuthenticationError::TimedOut.into());
            }
        }
        Ok(None)
    }

    /// Challenges those who have connected, as long as there is room.
    fn admit(&mut self, listener: BorrowedFd<'_>, terms: Terms<'_>) -> Result<(), AcceptError> {
        while self.pending.len() < terms.manners.most
            && let Some(guest) = next(listener)?
        {
            self.welcome(guest, terms)?;
        }
        Ok(())
    }

    /// Challenges a new guest.
    fn welcome(&mut self, guest: Guest, terms: Terms<'_>) -> Result<(), AcceptError> {
        let (dialogue, opening) = Dialogue::listener(terms.auth.clone())?;
        guest.socket.try_send_bytes(&opening).map_err(AuthenticationError::from)?;
        face::add(terms.face, guest.socket.as_fd())?;
        let Manners { timeout, .. } = terms.manners;
        let safe = Instant::now() + LONGEST_GRACE.min(timeout / 20);
        let deadline = poll::deadline_after(timeout);
        self.pending.push(Pending { guest, dialogue, safe, deadline });
        Ok(())
    }

    /// Goes on with every handshake, until one is over.
    fn step(&mut self, face: BorrowedFd<'_>) -> Result<Option<Guest>, AcceptError> {
        let mut index = 0;
        while let Some(pending) = self.pending.get_mut(index) {
            match pending.step() {
                Ok(false) => index += 1,
                Ok(true) => return Ok(Some(self.remove(index, face).guest)),
                Err(err) => {
                    self.remove(index, face).turn_away();
                    return Err(err.into());
                }
            }
        }
        Ok(None)
    }

    fn expire(&mut self, face: BorrowedFd<'_>) -> Result<(), AcceptError> {
        let now = Instant::now();
        let late = |pending: &Pending| pending.deadline.is_some_and(|deadline| deadline <= now);
        match self.pending.iter().position(late) {
            None => Ok(()),
            Some(index) => {
                self.remove(index, face).turn_away();
                Err(AuthenticationError::TimedOut.into())
            }
        }
    }

    /// Takes a guest out: the only way to leave.
    fn remove(&mut self, index: usize, face: BorrowedFd<'_>) -> Pending {
        let pending = self.pending.remove(index);
        face::remove(face, pending.guest.socket.as_fd());
        pending
    }

    /// When there is something to do though nobody does anything: a guest is too late, or has to
    /// make room.
    pub(super) fn next_moment(&self) -> Option<Instant> {
        let deadlines = self.pending.iter().filter_map(|pending| pending.deadline);
        deadlines.chain(self.full_until).min()
    }

    /// Waits until there is something to do; false if patience ends first.
    fn wait(&self, listener: BorrowedFd<'_>, patience: Patience) -> Result<bool, AcceptError> {
        if let Patience::None = patience {
            return Ok(false);
        }
        let mut fds = Vec::with_capacity(1 + self.pending.len());
        fds.extend(self.pending.iter().map(|pending| pending.guest.socket.as_fd()));
        if self.full_until.is_none() {
            fds.push(listener);
        }
        let ours = patience.deadline();
        let until = [ours, self.next_moment()].into_iter().flatten().min();
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
            // Said before the system looks whether anybody is there.
            Err(Errno::MFILE | Errno::NFILE) if !is_somebody_there(listener)? => return Ok(None),
            Err(errno) => return Err(AcceptError::Io(errno.into())),
        }
    }
}

fn is_somebody_there(listener: BorrowedFd<'_>) -> Result<bool, AcceptError> {
    Ok(poll::wait_readable(listener, Some(Instant::now()))?)
}
