//! The types of a `SyncManager`.

use std::{collections::HashMap, sync::Arc};

use multiproc_wire::pickle::Exception;

use super::{Registration, Registry};
use crate::{
    Call, Shared,
    types::{
        Array, Barrier, Condition, Dict, Event, List, Lock, Namespace, Pool, Queue, RLock,
        Semaphore, Set, Value,
    },
};

type Create = fn(Call) -> Result<Arc<dyn Shared>, Exception>;

const TYPES: &[(&str, Create)] = &[
    ("Array", Array::create),
    ("Barrier", Barrier::create),
    ("BoundedSemaphore", Semaphore::create_bounded),
    ("Condition", Condition::create),
    ("Event", Event::create),
    ("JoinableQueue", Queue::create),
    ("Lock", Lock::create),
    ("Namespace", Namespace::create),
    ("Queue", Queue::create),
    ("RLock", RLock::create),
    ("Semaphore", Semaphore::create),
    ("Value", Value::create),
    ("dict", Dict::create),
    ("list", List::create),
    ("set", Set::create),
];

/// Returns the types that every `SyncManager` knows.
pub(crate) fn sync_types() -> Registry {
    let types = TYPES.iter().map(|(name, create)| (*name, Registration::quick(*create)));
    let mut types: HashMap<_, _> = types.map(|(name, made)| (name.to_owned(), made)).collect();
    // To start its workers takes a while.
    types.insert("Pool".to_owned(), Registration::with(Arc::new(Pool::create)));
    Registry { types }
}
