//! Proxies: what clients hold of shared objects.

#[macro_use]
mod typed;
mod proxy;
mod token;
mod batch;
mod list;
mod dict;
mod set;
mod namespace;
mod value;
mod array;
mod queue;
mod acquirer;
mod condition;
mod event;
mod barrier;
mod iterator;
mod pool;
mod async_result;

pub use self::{
    acquirer::{Guard, LockProxy, RLockProxy, SemaphoreProxy},
    array::ArrayProxy,
    async_result::AsyncResultProxy,
    barrier::BarrierProxy,
    batch::Batch,
    condition::ConditionProxy,
    dict::DictProxy,
    event::EventProxy,
    iterator::IteratorProxy,
    list::ListProxy,
    namespace::NamespaceProxy,
    pool::{PoolCallError, PoolProxy},
    proxy::Proxy,
    queue::{JoinableQueueProxy, QueueProxy},
    set::SetProxy,
    typed::TypedProxy,
    value::{TypeCode, ValueProxy},
};
pub(crate) use self::{dict::pairs, proxy::names};

use multiproc_wire::pickle::{Object, to_object};
use serde::Serialize;

use crate::CallError;

/// Makes an argument of a value.
pub(crate) fn object(value: &(impl Serialize + ?Sized)) -> Result<Object, CallError> {
    to_object(value).map_err(CallError::Encode)
}

/// Makes a list of values, which are returned too: what proxies among them refer to has to be there
/// until the server has the list.
pub(crate) fn objects<T: Serialize>(
    values: impl IntoIterator<Item = T>,
) -> Result<(Object, Vec<T>), CallError> {
    let values: Vec<T> = values.into_iter().collect();
    let objects = values.iter().map(object).collect::<Result<_, _>>()?;
    Ok((Object::List(objects), values))
}

/// Makes the arguments of a call of a value: of a tuple its parts, of `()` none.
pub(crate) fn arguments(args: &(impl Serialize + ?Sized)) -> Result<Vec<Object>, CallError> {
    Ok(match object(args)? {
        Object::Tuple(args) => args,
        Object::None => vec![],
        one => vec![one],
    })
}
