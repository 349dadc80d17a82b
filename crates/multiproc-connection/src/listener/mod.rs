//! Waiting for others to connect.

mod builder;
mod place;
mod face;
mod reception;
#[cfg(feature = "tokio")]
mod awaited;

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use multiproc_wire::Handle;

pub use self::builder::ListenerBuilder;
use self::{
    face::Face,
    place::Place,
    reception::{Guest, Manners, Reception, Terms},
};
use crate::{
    AcceptError, AcceptTimeoutError, Address, Auth, Connection, TryAcceptError,
    patience::Patience,
    readiness::Readiness,
    turn::{Taken, Turn},
};

/// Waits for others to connect, and makes connections of them.
///
/// With a key both sides prove that they know it before [`accept`](Self::accept) returns. Any number
/// of clients are at that at the same time, each with a deadline of its own, so one that stays
/// silent holds up nobody. The handshakes go on while some thread accepts.
///
/// Ready in [`wait`](crate::wait) is a listener when somebody has connected or gone on with a
/// handshake: call [`try_accept`](Self::try_accept) then, because it may take more.
///
/// # If a process dies
///
/// The system closes the listener. The path of a killed one stays behind in the file system, and
/// has to be removed before another can listen there; an abstract name is free at once. A client
/// that dies within its handshake is one [`AcceptError::Authentication`].
///
/// A forked child that also accepts works on its own clients only, also where it was forked while
/// another thread or a task was accepting. The path is removed by the process that made the
/// listener, and only if it is still this listener's.
///
/// # Python
///
/// `multiprocessing.connection.Listener`. There one client that connects and then says nothing keeps
/// `accept` from all others.
///
/// # Examples
///
/// ```
/// use multiproc_connection::{Client, Connection, Family, Listener};
///
/// let listener = Listener::builder().family(Family::Inet).bind()?;
/// let client: Connection<u8> = Client::builder().connect(listener.address())?;
/// let served: Connection<u8> = listener.accept()?;
/// client.send(&7)?;
/// assert_eq!(served.recv()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Listener {
    // First, so that nobody finds a path at which nobody listens.
    place: Option<Place>,
    // Before the descriptors, for it goes before they do.
    readiness: Readiness,
    socket: Handle,
    address: Address,
    door: Option<Door>,
    limit: u64,
    reception: Turn<Reception>,
    last_accepted: Turn<Option<Address>>,
}

/// What a listener with a key has for its guests; one without takes whoever comes.
struct Door {
    auth: Auth,
    manners: Manners,
    /// Becomes ready when there is something to do in `accept`.
    face: Face,
}

impl Listener {
    /// Starts to describe a listener.
    pub fn builder() -> ListenerBuilder {
        ListenerBuilder::new()
    }

    /// Waits for somebody to connect and, with a key, to prove that they know it.
    ///
    /// # Errors
    ///
    /// Returns [`AcceptError::Authentication`] when a client has failed to, and
    /// [`AcceptError::Io`] when the system refuses. The listener stays as usable as it was: loop on.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::{Client, Connection, Listener};
    ///
    /// let listener = Listener::builder().bind()?;
    /// let client: Connection<u8> = Client::builder().connect(listener.address())?;
    /// let connection: Connection<u8> = listener.accept()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accept<S, R>(&self) -> Result<Connection<S, R>, AcceptError> {
        self.accept_within(Patience::Endless).map_err(|err| match err {
            TryAcceptError::Accept(err) => err,
            TryAcceptError::Empty => AcceptError::Io(io::ErrorKind::WouldBlock.into()),
        })
    }

    /// Returns a connection if one is ready.
    ///
    /// # Errors
    ///
    /// Returns [`TryAcceptError::Empty`] where [`accept`](Self::accept) would wait, else as
    /// `accept`.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::{Listener, TryAcceptError};
    ///
    /// let listener = Listener::builder().bind()?;
    /// assert!(matches!(listener.try_accept::<u8, u8>(), Err(TryAcceptError::Empty)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_accept<S, R>(&self) -> Result<Connection<S, R>, TryAcceptError> {
        self.accept_within(Patience::None)
    }

    /// Waits for somebody to connect for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Returns [`AcceptTimeoutError::Timeout`] when nobody did, or nobody finished the handshake;
    /// else as [`accept`](Self::accept).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use multiproc_connection::{AcceptTimeoutError, Listener};
    ///
    /// let listener = Listener::builder().bind()?;
    /// let accepted = listener.accept_timeout::<u8, u8>(Duration::from_millis(1));
    /// assert!(matches!(accepted, Err(AcceptTimeoutError::Timeout)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accept_timeout<S, R>(
        &self,
        timeout: Duration,
    ) -> Result<Connection<S, R>, AcceptTimeoutError> {
        self.accept_within(Patience::lasting(timeout)).map_err(|err| match err {
            TryAcceptError::Accept(err) => err.into(),
            TryAcceptError::Empty => AcceptTimeoutError::Timeout,
        })
    }

    fn accept_within<S, R>(&self, patience: Patience) -> Result<Connection<S, R>, TryAcceptError> {
        let mut reception = self.reception.take(patience).ok_or(TryAcceptError::Empty)?;
        let accepted = self.receive(&mut reception, patience);
        drop(reception);
        Ok(self.connection(accepted?))
    }

    fn receive(
        &self,
        reception: &mut Taken<'_, Reception>,
        patience: Patience,
    ) -> Result<Guest, TryAcceptError> {
        if !reception.is_attended() {
            reception.make_up();
        }
        let terms = match &self.door {
            None => None,
            Some(Door { auth, manners, face }) => {
                let face = face.get(&self.socket).map_err(AcceptError::Io)?.as_fd();
                Some(Terms { auth, manners: *manners, face })
            }
        };
        reception.accept(self.socket.as_fd(), terms, patience)
    }

    /// The descriptor that is ready when there is something to do.
    fn face(&self) -> io::Result<&Handle> {
        match &self.door {
            None => Ok(&self.socket),
            Some(door) => door.face.get(&self.socket),
        }
    }

    fn connection<S, R>(&self, guest: Guest) -> Connection<S, R> {
        let Guest { socket, peer } = guest;
        if let Some(mut last) = self.last_accepted.take(Patience::Endless) {
            *last = Some(peer);
        }
        Connection::new(socket.with_limit(self.limit))
    }

    /// The address that was bound, with the real port where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where the last accepted connection comes from; none before the first.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::{Address, Client, Connection, Listener};
    ///
    /// let listener = Listener::builder().address("127.0.0.1:0").bind()?;
    /// assert_eq!(listener.last_accepted(), None);
    /// let _client: Connection<u8> = Client::builder().connect(listener.address())?;
    /// let _connection: Connection<u8> = listener.accept()?;
    /// assert!(matches!(listener.last_accepted(), Some(Address::Tcp(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn last_accepted(&self) -> Option<Address> {
        self.last_accepted.take(Patience::Endless)?.clone()
    }

    /// Closes the listener and removes its path, as dropping it does.
    ///
    /// Connections that were accepted stay; who waits to be accepted finds the connection closed.
    ///
    /// # Errors
    ///
    /// Returns the system's error when the path is still there and cannot be removed.
    ///
    /// # Examples
    ///
    /// ```
    /// let listener = multiproc_connection::Listener::builder().bind()?;
    /// let path = listener.address().to_string();
    /// assert!(std::fs::exists(&path)?);
    /// listener.close()?;
    /// assert!(!std::fs::exists(&path)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(mut self) -> io::Result<()> {
        self.place.take().map_or(Ok(()), Place::clear)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // A forked child without room for a face of its own cannot accept either, and learns of it
        // when somebody comes.
        self.face().unwrap_or(&self.socket).as_fd()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("address", &self.address)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
