//! A value in a shared container, with the shared objects that it refers to.

use std::sync::Arc;

use multiproc_wire::pickle::Object;

use super::Long;
use crate::{
    Answer, Call,
    server::Entry,
    shared::{Filed, Lent},
};

/// A value that keeps the shared objects alive whose proxies are in it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) object: Object,
    pub(crate) referents: Option<Arc<[Arc<Entry>]>>,
    /// Where its file is, if it is long. A value that is changed is another one.
    long: Option<Arc<Long>>,
}

impl Held {
    /// Holds a value with the objects that its proxies refer to.
    pub(crate) fn new(object: Object, referents: Vec<Arc<Entry>>) -> Self {
        let referents = (!referents.is_empty()).then(|| referents.into());
        Self { referents, ..Self::plain(object) }
    }

    /// Holds a value in which there are no proxies.
    pub(crate) fn plain(object: Object) -> Self {
        let long = Long::of(&object);
        Self { object, referents: None, long }
    }

    /// Answers a call with a copy, or by way of its file where the caller can take one.
    pub(crate) fn answer(&self, call: &Call) -> Answer {
        let long = self.long.as_ref().filter(|_| call.takes_files);
        match long.and_then(|long| long.file(&self.object)) {
            Some((told, file)) => Answer::Filed(Filed { told, file }),
            None => Answer::Value(self.object.clone()),
        }
    }
}

/// For a value that is no longer in a container.
impl From<Held> for Answer {
    fn from(held: Held) -> Self {
        match held.referents {
            Some(_) => Self::Lent(Lent(held)),
            None => Self::Value(held.object),
        }
    }
}
