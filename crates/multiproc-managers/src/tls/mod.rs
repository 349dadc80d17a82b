//! TLS around the connections of remote managers: the feature `tls`.
//!
//! Managers talk over sockets, which they hand out, poll and inherit; TLS has no place in there. So each side has a
//! relay: plain bytes at a local socket, sealed ones on TCP. Keys are proven inside, as without TLS.

#[cfg(feature = "tls")]
#[path = "enabled.rs"]
mod imp;
#[cfg(not(feature = "tls"))]
#[path = "disabled.rs"]
mod imp;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod front;
#[cfg(feature = "tls")]
mod pinned;
#[cfg(feature = "tls")]
mod relay;

pub(crate) use self::imp::{Front, dial};
#[cfg(feature = "tls")]
pub use self::imp::{TlsClient, TlsServer};
#[cfg(not(feature = "tls"))]
pub(crate) use self::imp::{TlsClient, TlsServer};
