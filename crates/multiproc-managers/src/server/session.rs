//! What one client process has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use super::{Entry, Table, table::lock};
use crate::Owner;

/// A client process that tells of itself, as ours do: all its connections, and what it refers to.
///
/// It ends with the last of its connections: then its references and locks go.
#[derive(Debug)]
pub(super) struct Session {
    /// Known to the client only.
    pub(super) name: String,
    pub(super) holdings: Holdings,
    table: Arc<Table>,
    references: Mutex<HashMap<u64, (Arc<Entry>, usize)>>,
}

impl Session {
    pub(super) fn begin(table: &Arc<Table>) -> Result<Arc<Self>, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let name = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let holdings = Holdings::new(table.owner());
        let session =
            Arc::new(Self { name, holdings, table: table.clone(), references: Mutex::default() });
        table.add_session(&session);
        Ok(session)
    }

    /// Begins a session that refers to all that another refers to.
    pub(super) fn inherit(table: &Arc<Table>, from: &Self) -> Result<Arc<Self>, getrandom::Error> {
        let session = Self::begin(table)?;
        let references = lock(&from.references).clone();
        *lock(&session.references) = references;
        Ok(session)
    }

    pub(super) fn add(&self, entry: Arc<Entry>) {
        lock(&self.references).entry(entry.id).or_insert((entry, 0)).1 += 1;
    }

    /// Drops one reference, and returns whether there was one.
    pub(super) fn remove(&self, ident: &str) -> bool {
        let Ok(id) = u64::from_str_radix(ident, 16) else { return false };
        let mut references = lock(&self.references);
        let Some((_, count)) = references.get_mut(&id) else { return false };
        *count -= 1;
        let gone = if *count == 0 { references.remove(&id) } else { None };
        drop(references);
        drop(gone);
        true
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.table.remove_session(&self.name);
    }
}

/// Somebody who may hold locks, with the objects that may be held.
#[derive(Debug)]
pub(super) struct Holdings {
    pub(super) owner: Owner,
    touched: Mutex<HashMap<u64, Weak<Entry>>>,
}

impl Holdings {
    pub(super) fn new(owner: Owner) -> Self {
        Self { owner, touched: Mutex::default() }
    }

    /// Notes that something of this object may be held from now on.
    pub(super) fn touch(&self, entry: &Arc<Entry>) {
        let mut touched = lock(&self.touched);
        if !touched.contains_key(&entry.id) {
            // So that what is gone does not gather.
            if touched.len().is_power_of_two() {
                touched.retain(|_, entry| 0 < entry.strong_count());
            }
            touched.insert(entry.id, Arc::downgrade(entry));
        }
    }
}

impl Drop for Holdings {
    fn drop(&mut self) {
        let touched = std::mem::take(&mut *lock(&self.touched));
        for entry in touched.into_values().filter_map(|entry| entry.upgrade()) {
            entry.shared().forget(self.owner);
        }
    }
}
