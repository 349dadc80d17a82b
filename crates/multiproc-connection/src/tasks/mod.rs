//! Tasks that wait for a lock to be released: with the feature `tokio`, else nobody.

#[cfg(feature = "tokio")]
mod enabled;
#[cfg(feature = "tokio")]
use enabled as imp;

#[cfg(not(feature = "tokio"))]
mod disabled;
#[cfg(not(feature = "tokio"))]
use disabled as imp;

#[cfg(feature = "tokio")]
pub(crate) use self::imp::Place;
pub(crate) use self::imp::Tasks;
