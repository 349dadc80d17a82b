//! All that a server shares.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use multiproc_connection::Address;
use multiproc_sys::primitive::{AtomicU64, Ordering};
use multiproc_wire::pickle::Object;
use tokio::sync::Notify;

use super::{Entry, looking::Looking, session::Session};
use crate::{
    Owner, Shared,
    address::{of_object, to_object},
    registry::{Registration, Registry},
};

/// The shared objects of a server, and who refers to them.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) registry: Registry,
    address: Address,
    // Lock order: no entry is dropped while `objects` is locked, for its drop locks it.
    objects: Mutex<Objects>,
    /// What those refer to who tell of references but not of themselves, as Python's clients do.
    strangers: Mutex<HashMap<u64, (Arc<Entry>, usize)>>,
    sessions: Mutex<HashMap<String, Weak<Session>>>,
    /// The names of blocks of shared memory that go when the server does.
    pub(super) segments: Mutex<Vec<String>>,
    next: AtomicU64,
    pub(super) stop: Notify,
    pub(super) looking: Looking,
}

#[derive(Debug, Default)]
struct Objects {
    by_id: HashMap<u64, Weak<Entry>>,
    /// By where the object is, so that one object has one entry.
    by_place: HashMap<usize, u64>,
}

impl Table {
    pub(crate) fn new(registry: Registry, address: Address) -> Arc<Self> {
        Arc::new(Self {
            registry,
            address,
            objects: Mutex::default(),
            strangers: Mutex::default(),
            sessions: Mutex::default(),
            segments: Mutex::default(),
            next: AtomicU64::new(1),
            stop: Notify::new(),
            looking: Looking::default(),
        })
    }

    pub(super) fn own_address(&self) -> &Address {
        &self.address
    }

    /// The server's address, as tokens have it.
    pub(super) fn address(&self) -> Object {
        to_object(&self.address)
    }

    /// A number that nothing else in this server has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn owner(&self) -> Owner {
        Owner(self.number())
    }

    /// Enters an object, or finds its entry if it has one.
    pub(super) fn enter(
        self: &Arc<Self>,
        typeid: &str,
        shared: Arc<dyn Shared>,
        registration: Option<&Registration>,
    ) -> Arc<Entry> {
        let place = Arc::as_ptr(&shared).cast::<()>() as usize;
        let mut objects = lock(&self.objects);
        let known = objects.by_place.get(&place).and_then(|id| objects.by_id.get(id));
        if let Some(entry) = known.and_then(Weak::upgrade) {
            return entry;
        }
        let (id, typeid) = (self.number(), typeid.to_owned());
        let entry = Arc::new(Entry::new(id, typeid, registration, shared, self));
        objects.by_id.insert(id, Arc::downgrade(&entry));
        objects.by_place.insert(place, id);
        entry
    }

    pub(super) fn remove(&self, entry: &Entry) {
        let mut objects = lock(&self.objects);
        objects.by_id.remove(&entry.id);
        let place = Arc::as_ptr(entry.shared()).cast::<()>() as usize;
        if objects.by_place.get(&place) == Some(&entry.id) {
            objects.by_place.remove(&place);
        }
    }

    /// Finds an object by its id, as it travels.
    pub(super) fn find(&self, ident: &str) -> Option<Arc<Entry>> {
        let id = u64::from_str_radix(ident, 16).ok()?;
        lock(&self.objects).by_id.get(&id)?.upgrade()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.objects).by_id.len()
    }

    /// All objects, by their ids.
    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        let mut entries: Vec<_> =
            lock(&self.objects).by_id.values().filter_map(Weak::upgrade).collect();
        entries.sort_unstable_by_key(|entry| entry.id);
        entries
    }

    /// Counts a reference of somebody who is not known.
    pub(super) fn add_stranger(&self, entry: Arc<Entry>) {
        lock(&self.strangers).entry(entry.id).or_insert((entry, 0)).1 += 1;
    }

    /// Counts one less, and returns whether there was one.
    pub(super) fn remove_stranger(&self, ident: &str) -> bool {
        let Ok(id) = u64::from_str_radix(ident, 16) else { return false };
        let mut strangers = lock(&self.strangers);
        let Some((_, count)) = strangers.get_mut(&id) else { return false };
        *count -= 1;
        let gone = if *count == 0 { strangers.remove(&id) } else { None };
        drop(strangers);
        drop(gone);
        true
    }

    /// How many references of strangers an object has.
    pub(super) fn strangers(&self, id: u64) -> usize {
        lock(&self.strangers).get(&id).map_or(0, |(_, count)| *count)
    }

    pub(super) fn add_session(&self, session: &Arc<Session>) {
        lock(&self.sessions).insert(session.name.clone(), Arc::downgrade(session));
    }

    pub(super) fn session(&self, name: &str) -> Option<Arc<Session>> {
        lock(&self.sessions).get(name)?.upgrade()
    }

    pub(super) fn remove_session(&self, name: &str) {
        lock(&self.sessions).remove(name);
    }

    /// Finds the object here that a proxy refers to.
    pub(crate) fn referent(&self, proxy: &Object) -> Option<Arc<Entry>> {
        let [_, address, ident] = token(proxy)?;
        let address = of_object(address)?;
        let ours = match (&address, &self.address) {
            (Address::Tcp(theirs), Address::Tcp(ours)) => theirs.port() == ours.port(),
            (Address::Host(_, port), Address::Tcp(ours)) => *port == ours.port(),
            (theirs, ours) => theirs == ours,
        };
        if ours { self.find(ident.as_str()?) } else { None }
    }

    /// Finds all objects here whose proxies are in a value.
    pub(crate) fn referents(&self, object: &Object) -> Vec<Arc<Entry>> {
        let mut found = vec![];
        visit(object, &mut |proxy| found.extend(self.referent(proxy)));
        found
    }
}

/// Returns whether there are proxies in a value.
pub(super) fn has_proxies(object: &Object) -> bool {
    let mut found = false;
    visit(object, &mut |_| found = true);
    found
}

/// Returns the token in a proxy.
fn token(proxy: &Object) -> Option<&[Object; 3]> {
    match proxy {
        Object::Instance(made) if made.class.is("multiprocessing.managers", "RebuildProxy") => {
            made.args.get(1)?.as_token()
        }
        _ => None,
    }
}

/// Calls `found` for each proxy in a value.
fn visit(object: &Object, found: &mut impl FnMut(&Object)) {
    match object {
        Object::List(items)
        | Object::Tuple(items)
        | Object::Set(items)
        | Object::FrozenSet(items) => items.iter().for_each(|item| visit(item, found)),
        Object::Dict(pairs) => pairs.iter().for_each(|(key, value)| {
            visit(key, found);
            visit(value, found);
        }),
        Object::Instance(_) if token(object).is_some() => found(object),
        Object::Instance(instance) => {
            instance.args.iter().chain(&instance.items).for_each(|item| visit(item, found));
        }
        _ => {}
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
