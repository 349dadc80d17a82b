//! How an object gets through serde to our own bridge as it is.
//!
//! Neither side of serde knows the other's type: an object sees some serializer, the bridge sees
//! some value. So they meet in a place of the thread, and only then. Any other format finds nobody
//! there and gets a pickle.

use std::{cell::Cell, mem::ManuallyDrop};

use crate::pickle::Object;

/// By this name the bridge knows an object.
pub(super) const NAME: &str = "$multiproc_wire::pickle::Object";

enum Passage {
    /// Nobody is here.
    Closed,
    /// The bridge awaits an object of so many levels at most.
    Awaits { depth: usize },
    /// Someone has left an object here, which the other side takes at once.
    Holds(ManuallyDrop<Object>),
    /// An object was there, and has more levels than are allowed.
    TooDeep,
}

thread_local! {
    // Has no destructor, so it is there as long as the thread is.
    static PASSAGE: Cell<Passage> = const { Cell::new(Passage::Closed) };
}

fn replace(passage: Passage) -> Passage {
    PASSAGE.with(|place| place.replace(passage))
}

/// What came through while the bridge waited.
pub(super) enum Arrival {
    Object(Object),
    TooDeep,
    /// What used the name was no object, or one that had been written before.
    Nothing,
}

/// Lets the object that `serialize` meets, if it meets one, through to here.
pub(super) fn await_object<R>(depth: usize, serialize: impl FnOnce() -> R) -> (R, Arrival) {
    replace(Passage::Awaits { depth });
    let result = serialize();
    let arrival = match replace(Passage::Closed) {
        Passage::Holds(object) => Arrival::Object(ManuallyDrop::into_inner(object)),
        Passage::TooDeep => Arrival::TooDeep,
        Passage::Awaits { .. } | Passage::Closed => Arrival::Nothing,
    };
    (result, arrival)
}

/// Gives the bridge a copy of the object, and returns true if it waits for one.
pub(super) fn offer(object: &Object) -> bool {
    match replace(Passage::Closed) {
        Passage::Awaits { depth } => {
            replace(if fits(object, depth) {
                Passage::Holds(ManuallyDrop::new(object.clone()))
            } else {
                Passage::TooDeep
            });
            true
        }
        _ => false,
    }
}

/// Lets whoever calls [`take`] within `visit` have the object.
pub(super) fn hand_over<R>(object: Object, visit: impl FnOnce() -> R) -> R {
    replace(Passage::Holds(ManuallyDrop::new(object)));
    let result = visit();
    // Dropped here, if nobody came for it.
    take();
    result
}

/// Returns the object that the bridge hands over, if it does.
pub(super) fn take() -> Option<Object> {
    match replace(Passage::Closed) {
        Passage::Holds(object) => Some(ManuallyDrop::into_inner(object)),
        _ => None,
    }
}

/// Returns whether an object has so many levels at most. It looks no deeper than that.
fn fits(object: &Object, depth: usize) -> bool {
    let all = |below: usize, items: &[Object]| items.iter().all(|item| fits(item, below));
    let pairs = |below: usize, pairs: &[(Object, Object)]| {
        pairs.iter().all(|(key, value)| fits(key, below) && fits(value, below))
    };
    let below = depth.checked_sub(1);
    match object {
        Object::List(items)
        | Object::Tuple(items)
        | Object::Set(items)
        | Object::FrozenSet(items) => below.is_some_and(|below| all(below, items)),
        Object::Dict(items) => below.is_some_and(|below| pairs(below, items)),
        Object::Exception(exception) => below.is_some_and(|below| {
            all(below, &exception.args) && pairs(below, &exception.attributes)
        }),
        Object::Instance(instance) => below.is_some_and(|below| {
            all(below, &instance.args)
                && pairs(below, &instance.kwargs)
                && all(below, &instance.items)
                && pairs(below, &instance.pairs)
                && all(below, instance.state.as_slice())
        }),
        _ => true,
    }
}
