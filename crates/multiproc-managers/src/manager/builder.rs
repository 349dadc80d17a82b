//! How a manager is made.

use std::time::Duration;

use multiproc_connection::{Address, AddressError, AuthKey, Listener};
use multiproc_image::{FnRef, Function, family};
use multiproc_process::Context;

use super::{BaseManager, Type, launch};
use crate::{
    ManagerError, Server, Shared, SharedType,
    client::{Endpoint, Session},
    registry::{Registry, sync_types},
    tls::{Front, TlsClient, TlsServer},
};

/// How to make a manager. Made by [`BaseManager::builder`] and its kin.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start`, `connect`, `get_server` or `serve_forever`"]
pub struct Builder {
    pub(super) address: Option<Result<Address, AddressError>>,
    pub(super) key: Option<AuthKey>,
    pub(super) md5: bool,
    pub(super) context: Context,
    pub(super) timeout: Duration,
    pub(super) handshake: Duration,
    pub(super) standard: bool,
    pub(super) types: Vec<Type>,
    pub(super) initializer: Option<FnRef<(), ()>>,
    pub(crate) tls_server: Option<TlsServer>,
    pub(crate) tls_client: Option<TlsClient>,
    /// What the server's process is called, with its number behind.
    pub(super) class: &'static str,
}

impl Builder {
    pub(super) fn new(class: &'static str) -> Self {
        Self {
            address: None,
            key: None,
            md5: false,
            context: Context::default(),
            timeout: Duration::from_secs(1),
            handshake: Duration::from_secs(20),
            standard: false,
            types: vec![],
            initializer: None,
            tls_server: None,
            tls_client: None,
            class,
        }
    }

    /// Sets where the server listens, or where it is; by default it listens at a socket that nobody else
    /// can find, and that goes with the server. A TCP port of 0 is any that is free.
    pub fn address(mut self, address: impl TryInto<Address, Error: Into<AddressError>>) -> Self {
        self.address = Some(address.try_into().map_err(Into::into));
        self
    }

    /// Sets the key that clients have to know; by default that of this process.
    pub fn authkey(mut self, key: impl Into<AuthKey>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Also trusts MD5, which CPython before 3.12 needs.
    pub fn allow_md5(mut self) -> Self {
        self.md5 = true;
        self
    }

    /// Sets the context, and with it the start method, of the server's process.
    #[doc(alias = "ctx")]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Sets how long [`shutdown`](BaseManager::shutdown) waits before it terminates the server, and
    /// again before it kills it; by default a second.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long a client may take to show the server that it knows the key, 20 seconds unless said.
    ///
    /// With TLS its own handshake may take as long, before that.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake = timeout;
        self
    }

    /// Has a function run first in the server's process.
    pub fn initializer<F: Function<(), Output = (), State = ()>>(mut self, function: F) -> Self {
        self.initializer = Some(FnRef::new(function));
        self
    }

    /// Has the server know a type of yours by its own name.
    pub fn register<T: SharedType>(self) -> Self {
        self.add(Type::of::<T>(T::NAME))
    }

    /// Has a server in this process hand out this one object under a name.
    pub fn share(self, typeid: &str, object: impl Shared) -> Self {
        self.add(Type::value(typeid, object))
    }

    /// Has the server know a type; one that it knew under that name is forgotten.
    #[expect(clippy::should_implement_trait, reason = "nothing is summed up")]
    pub fn add(mut self, known: Type) -> Self {
        self.types.retain(|other| other.plan.typeid != known.plan.typeid);
        self.types.push(known);
        self
    }

    /// Has the server know the types of a [`SyncManager`](crate::SyncManager) too.
    pub fn sync_types(mut self) -> Self {
        self.standard = true;
        self
    }

    /// Starts a server in a process of its own, which ends with the manager, or with this process.
    ///
    /// # Errors
    ///
    /// [`ManagerError`]: no process could be started, or the server could not listen.
    pub fn start(self) -> Result<BaseManager, ManagerError> {
        launch::start(self)
    }

    /// Connects to a server that runs somewhere.
    ///
    /// # Errors
    ///
    /// [`ManagerError`]: no address was named, or there is no server there that knows the key.
    pub fn connect(self) -> Result<BaseManager, ManagerError> {
        let address = self.address.clone().ok_or(ManagerError::NoAddress)??;
        let key = self.authkey_or_own();
        let endpoint = Endpoint { address, key, md5: self.md5, tls: self.tls_client };
        let session = Session::with(&endpoint)?;
        Ok(BaseManager::new(session, None))
    }

    /// Makes a server that runs in this process.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Bind`] when it cannot listen there.
    pub fn get_server(self) -> Result<Server, ManagerError> {
        let key = self.authkey_or_own();
        let place = place(self.address, key, self.md5, self.handshake, self.tls_server.as_ref())?;
        let mut registry = if self.standard { sync_types() } else { Registry::default() };
        registry.types.extend(self.types.into_iter().map(Type::into_registration));
        Ok(Server::new(place, registry))
    }

    /// Serves in this process until a client says `shutdown`.
    ///
    /// # Errors
    ///
    /// As [`get_server`](Self::get_server) and [`Server::serve_forever`].
    pub fn serve_forever(self) -> Result<(), ManagerError> {
        Ok(self.get_server()?.serve_forever()?)
    }

    pub(super) fn authkey_or_own(&self) -> AuthKey {
        self.key.clone().unwrap_or_else(|| family::record().authkey.clone())
    }
}

/// How many clients may stand before the door: those of a whole cluster that starts.
const BACKLOG: u32 = 1024;

/// Where clients come in: a listener, and what stands before it where they come by TLS.
pub(super) fn place(
    address: Option<Result<Address, AddressError>>,
    key: AuthKey,
    md5: bool,
    handshake: Duration,
    tls: Option<&TlsServer>,
) -> Result<(Listener, Option<Front>), ManagerError> {
    let builder = Listener::builder().backlog(BACKLOG).max_handshakes(4096).authkey(key);
    let builder = builder.handshake_timeout(handshake);
    let builder = if md5 { builder.allow_md5() } else { builder };
    let address = address.transpose()?;
    let front = match tls {
        Some(tls) => {
            let outside = address.as_ref().ok_or(ManagerError::NoAddress)?;
            Some(Front::bind(outside, tls, handshake)?)
        }
        None => None,
    };
    // What TLS lets through comes in at a socket that nobody else finds.
    let builder = match address {
        Some(address) if front.is_none() => builder.address(address),
        _ => builder,
    };
    Ok((builder.bind()?, front))
}
