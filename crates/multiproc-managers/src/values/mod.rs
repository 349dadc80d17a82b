//! What Python's containers do with the values in them: equality, order, keys and indices.

mod held;
mod long;
mod key;
mod ordered_map;
mod equality;
mod order;
mod index;
mod elements;
mod length;

pub(crate) use self::{
    elements::elements,
    equality::equal,
    held::Held,
    index::{Place, place},
    key::Key,
    length::{LONG, is_long},
    long::{KIND, Long, LongFile},
    order::sort,
    ordered_map::OrderedMap,
};
