//! Describing a listener.

use std::{io, net::Ipv4Addr, time::Duration};

use multiproc_image::family::AuthKey;
use multiproc_wire::Handle;
use rustix::net::getsockname;

use super::{
    Door, Listener,
    face::Face,
    place::{self, Place},
    reception::{Manners, Reception},
};
use crate::{
    Address, AddressError, Auth, BindError, Digest, Family, bounds,
    endpoint::{Endpoint, address_of},
    readiness::Readiness,
    turn::{Inherited, Turn},
};

/// How long a client has for its handshake unless said.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// How many clients may be within their handshake at once, unless said.
const PENDING: usize = 128;

/// How to listen. Made by [`Listener::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing listens before `bind`"]
pub struct ListenerBuilder {
    address: Option<Result<Address, AddressError>>,
    family: Family,
    backlog: u32,
    key: Option<AuthKey>,
    digest: Digest,
    md5: bool,
    limit: u64,
    handshake: Duration,
    pending: usize,
}

impl ListenerBuilder {
    pub(super) fn new() -> Self {
        Self {
            address: None,
            family: Family::default(),
            backlog: 1,
            key: None,
            digest: Digest::Sha256,
            md5: false,
            limit: bounds::DEFAULT,
            handshake: HANDSHAKE,
            pending: PENDING,
        }
    }

    /// Listens at this address. One that is none is an error of [`bind`](Self::bind).
    pub fn address(mut self, address: impl TryInto<Address, Error: Into<AddressError>>) -> Self {
        self.address = Some(address.try_into().map_err(Into::into));
        self
    }

    /// Chooses the family where no address is given, [`Family::Unix`] unless said.
    ///
    /// A Unix socket then gets a path in a private folder; TCP a free port of 127.0.0.1.
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Sets how many clients may wait in the system's queue, 1 unless said, as in Python.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// Has both ends prove that they know this key. Without one nobody proves anything.
    pub fn authkey(mut self, key: impl Into<AuthKey>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Asks clients to prove the key by this digest, SHA-256 unless said.
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = digest;
        self
    }

    /// Lets clients use MD5, as CPython 3.11 and before does: it knows nothing else.
    pub fn allow_md5(mut self) -> Self {
        self.md5 = true;
        self
    }

    /// Sets the longest message that accepted connections take, 1 GiB unless said.
    ///
    /// See [`Connection::max_message`](crate::Connection::max_message).
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Sets how long a client has for its handshake, 20 seconds unless said.
    ///
    /// Time in which nobody accepts does not count.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake = timeout;
        self
    }

    /// Sets how many clients may be within their handshake at once, 128 unless said.
    ///
    /// While they are that many, others stay in the system's queue until one is through, or until
    /// the one that has been at it the longest has had a twentieth of its time. Then that one is
    /// turned away for the next who comes. So neither a burst of honest clients nor those who
    /// connect and say nothing keep anybody out.
    pub fn max_handshakes(mut self, most: usize) -> Self {
        self.pending = most.max(1);
        self
    }

    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// Returns [`BindError`] when the address is none, is in use (also by a path that a killed
    /// listener left behind), or the system refuses.
    pub fn bind(self) -> Result<Listener, BindError> {
        let (socket, asked, place) = match self.address {
            Some(address) => {
                let address = address?;
                let failed = |err| BindError::Io { address: address.clone(), source: err };
                let socket = bind(&address, self.backlog).map_err(failed)?;
                let place = Place::of(&address).map_err(failed)?;
                (socket, address, place)
            }
            None if self.family == Family::Inet => {
                let address = Address::Tcp((Ipv4Addr::LOCALHOST, 0).into());
                let failed = |err| BindError::Io { address: address.clone(), source: err };
                (bind(&address, self.backlog).map_err(failed)?, address, None)
            }
            None => bind_privately(self.backlog)?,
        };
        // From here on what fails takes the path along.
        let failed = |err| BindError::Io { address: asked.clone(), source: err };
        let address = match &asked {
            // As it was said, not as the system cut it.
            Address::Path(_) | Address::Abstract(_) => asked.clone(),
            _ => address_of(getsockname(&socket).map_err(|errno| failed(errno.into()))?),
        };
        let manners = Manners { timeout: self.handshake, most: self.pending };
        let door = match Auth::of(self.key, self.digest, self.md5) {
            None => None,
            Some(auth) => Some(Door { auth, manners, face: Face::new(&socket).map_err(failed)? }),
        };
        Ok(Listener {
            readiness: Readiness::default(),
            socket,
            address,
            door,
            limit: self.limit,
            reception: Turn::new(Reception::new(), Reception::inherit),
            last_accepted: Turn::new(None, |inherited| match inherited {
                Inherited::Whole(last) | Inherited::Attended(last) => last.take(),
                Inherited::InUse => None,
            }),
            place,
        })
    }
}

fn bind(address: &Address, backlog: u32) -> io::Result<Handle> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for endpoint in Endpoint::resolve(address)? {
        match endpoint.listen(backlog) {
            Ok(socket) => return Ok(socket.into()),
            Err(err) => last = err,
        }
    }
    Err(last)
}

/// Listens at a path of its own, in a folder that nobody else may enter.
fn bind_privately(backlog: u32) -> Result<(Handle, Address, Option<Place>), BindError> {
    let (path, folder) = place::private_path().map_err(BindError::Folder)?;
    let address = Address::Path(path.clone());
    let socket = bind(&address, backlog);
    let place = socket.and_then(|socket| Ok((socket, Place::of(&address)?)));
    match place {
        Ok((socket, place)) => Ok((socket, address, place.map(|place| place.within(folder)))),
        Err(err) => {
            // Whatever is in there is ours.
            let _ = std::fs::remove_file(path);
            let _ = std::fs::remove_dir(folder);
            Err(BindError::Io { address, source: err })
        }
    }
}
