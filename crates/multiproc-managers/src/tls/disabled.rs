//! Without the feature there is no TLS, and nothing that could ask for it.

use std::{io, time::Duration};

use multiproc_connection::{Address, AuthKey, Listener};
use serde::{Deserialize, Serialize};

use crate::{CallError, client::Line};

/// How a client trusts a server; there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TlsClient {}

/// A server's certificate; there is none.
#[derive(Clone, Debug)]
pub(crate) enum TlsServer {}

impl TlsServer {
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<u8>) {
        match self {}
    }

    pub(crate) fn from_parts(_: (Vec<u8>, Vec<u8>)) -> Option<Self> {
        None
    }

    pub(crate) fn own_client(&self) -> TlsClient {
        match *self {}
    }
}

/// What stands before a server's listener; there is none.
#[derive(Debug)]
pub(crate) enum Front {}

impl Front {
    pub(crate) fn bind(_: &Address, server: &TlsServer, _: Duration) -> io::Result<Self> {
        match *server {}
    }

    pub(crate) fn address(&self) -> &Address {
        match *self {}
    }

    pub(crate) fn start(&mut self, _: &Listener) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn stop(self) {
        match self {}
    }
}

pub(crate) fn dial(
    client: &TlsClient,
    _: &Address,
    _: &AuthKey,
    _: bool,
    _: Option<Duration>,
) -> Result<Line, CallError> {
    match *client {}
}
