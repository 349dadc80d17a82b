//! One shared object in the table.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use multiproc_wire::pickle::Object;

use super::Table;
use crate::Shared;

/// A shared object by the id that clients know.
///
/// It is in the table as long as somebody has it: a client, or another shared object.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) typeid: String,
    pub(crate) exposed: Vec<String>,
    /// The methods whose results are shared, with the results' types.
    pub(crate) returns: Vec<(String, String)>,
    pub(crate) shared: Arc<dyn Shared>,
    pub(super) table: Weak<Table>,
}

impl Entry {
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
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:x}", self.typeid, self.id)
    }
}
