//! Knowing when a descriptor is ready: with the feature `tokio`, else nothing.

#[cfg(feature = "tokio")]
mod enabled;
#[cfg(feature = "tokio")]
use enabled as imp;

#[cfg(not(feature = "tokio"))]
mod disabled;
#[cfg(not(feature = "tokio"))]
use disabled as imp;

#[cfg(feature = "tokio")]
pub(crate) use self::imp::Attempt;
pub(crate) use self::imp::Readiness;
