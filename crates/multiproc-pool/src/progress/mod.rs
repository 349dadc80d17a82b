//! Showing how far an iteration has come, if the feature is chosen.

#[cfg(feature = "progress")]
mod enabled;
#[cfg(not(feature = "progress"))]
mod disabled;

#[cfg(not(feature = "progress"))]
pub(crate) use disabled::Bar;
#[cfg(feature = "progress")]
pub(crate) use enabled::Bar;
