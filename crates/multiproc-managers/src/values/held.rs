//! A value in a shared container, with the shared objects that it refers to.

use std::sync::Arc;

use multiproc_wire::pickle::Object;

use crate::server::Entry;

/// A value that keeps the shared objects alive whose proxies are in it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) object: Object,
    _referents: Option<Arc<[Arc<Entry>]>>,
}

impl Held {
    /// Holds a value with the objects that its proxies refer to.
    pub(crate) fn new(object: Object, referents: Vec<Arc<Entry>>) -> Self {
        let referents = (!referents.is_empty()).then(|| referents.into());
        Self { object, _referents: referents }
    }

    /// Holds a value in which there are no proxies.
    pub(crate) fn plain(object: Object) -> Self {
        Self { object, _referents: None }
    }
}
