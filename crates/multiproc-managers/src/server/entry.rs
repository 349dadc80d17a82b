//! One shared object in the table.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use multiproc_wire::pickle::Object;

use super::{Table, aside::drop_aside};
use crate::{Shared, registry::Registration};

/// A shared object by the id that clients know.
///
/// It is in the table as long as somebody has it: a client, or another shared object.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) typeid: String,
    pub(crate) exposed: Vec<String>,
    /// The methods whose results are shared, with the results' types.
    pub(crate) returns: Vec<(String, String)>,
    /// There until the entry is dropped.
    shared: Option<Arc<dyn Shared>>,
    /// True if to drop it takes no time.
    is_quick: bool,
    table: Weak<Table>,
}

impl Entry {
    pub(super) fn new(
        id: u64,
        typeid: String,
        registration: Option<&Registration>,
        shared: Arc<dyn Shared>,
        table: &Arc<Table>,
    ) -> Self {
        let exposed = registration.and_then(|registration| registration.exposed.clone());
        let exposed = exposed.unwrap_or_else(|| {
            shared.methods().iter().map(|method| (*method).to_owned()).collect()
        });
        let returns = registration.map(|known| known.returns.clone()).unwrap_or_default();
        let is_quick = registration.is_some_and(|known| known.is_quick);
        let (shared, table) = (Some(shared), Arc::downgrade(table));
        Self { id, typeid, exposed, returns, shared, is_quick, table }
    }

    /// The object itself.
    pub(crate) fn shared(&self) -> &Arc<dyn Shared> {
        self.shared.as_ref().expect("only drop takes it out")
    }

    /// The id, as it travels.
    pub(crate) fn ident(&self) -> String {
        format!("{:x}", self.id)
    }

    pub(super) fn exposes(&self, method: &str) -> bool {
        self.exposed.iter().any(|exposed| exposed == method)
    }

    pub(super) fn exposed(&self) -> Object {
        Object::Tuple(self.exposed.iter().map(|name| (&**name).into()).collect())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            table.remove(self);
        }
        if let Some(shared) = self.shared.take()
            && !self.is_quick
        {
            drop_aside(shared);
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:x}", self.typeid, self.id)
    }
}
