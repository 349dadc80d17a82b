//! Where a server is, and how to get in.

use std::{cell::RefCell, io, time::Duration};

use multiproc_connection::{
    Address, AuthKey, Client, ClientBuilder, ConnectError, ConnectTimeoutError,
};

use super::Line;
use crate::{
    CallError,
    silence::end_in_silence,
    tls::{TlsClient, dial},
};

/// Where a server is, and the key that it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    pub(crate) key: AuthKey,
    /// True if a server from before Python 3.12 is trusted.
    pub(crate) md5: bool,
    /// What is trusted to be the server, where the connection is sealed.
    pub(crate) tls: Option<TlsClient>,
}

impl Endpoint {
    /// Makes a connection that has shown the key.
    pub(crate) fn dial(&self) -> Result<Line, CallError> {
        Ok(self.reach()?.read_ahead())
    }

    fn reach(&self) -> Result<Line, CallError> {
        if let Some(tls) = &self.tls {
            return dial(tls, &self.address, &self.key, self.md5, None);
        }
        let connection: Line = self.client().connect(&self.address)?;
        end_in_silence(&connection);
        Ok(connection)
    }

    /// Makes a connection that has shown the key, if that can be done in time.
    pub(crate) fn dial_within(&self, limit: Duration) -> Result<Line, CallError> {
        if let Some(tls) = &self.tls {
            return dial(tls, &self.address, &self.key, self.md5, Some(limit));
        }
        let connected = self.client().connect_timeout(&self.address, limit);
        let connection: Line = connected.map_err(|err| match err {
            ConnectTimeoutError::Connect(err) => err,
            ConnectTimeoutError::Timeout => {
                let address = self.address.clone();
                ConnectError::Io { address, source: io::ErrorKind::TimedOut.into() }
            }
        })?;
        end_in_silence(&connection);
        Ok(connection)
    }

    fn client(&self) -> ClientBuilder {
        let client = Client::builder().authkey(self.key.clone());
        if self.md5 { client.allow_md5() } else { client }
    }
}

thread_local! {
    /// Which server a reply comes from while it is read: proxies in it are of that server.
    static HERE: RefCell<Option<Endpoint>> = const { RefCell::new(None) };
}

/// Calls `read` with proxies of that address being those of this server.
pub(crate) fn within<R>(endpoint: &Endpoint, read: impl FnOnce() -> R) -> R {
    struct Restore(Option<Endpoint>);
    impl Drop for Restore {
        fn drop(&mut self) {
            HERE.set(self.0.take());
        }
    }
    let _restore = Restore(HERE.replace(Some(endpoint.clone())));
    read()
}

/// Returns the server that is being listened to, if one is.
pub(crate) fn here() -> Option<Endpoint> {
    HERE.with_borrow(Clone::clone)
}
