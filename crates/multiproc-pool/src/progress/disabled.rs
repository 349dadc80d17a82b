//! Shows nothing.

/// A bar that is not there.
#[derive(Debug)]
pub(crate) struct Bar;

impl Bar {
    pub(crate) fn none() -> Self {
        Self
    }

    pub(crate) fn add(&mut self, _has_failed: bool) {}

    pub(crate) fn finish(&mut self) {}
}
