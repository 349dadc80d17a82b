//! Which types a server knows.

mod plan;
mod sync;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use multiproc_wire::pickle::Exception;

pub(crate) use self::{plan::Plan, sync::sync_types};
use crate::{Call, Shared};

/// Makes a shared object from the arguments of a call.
pub(crate) type Make = Arc<dyn Fn(Call) -> Result<Arc<dyn Shared>, Exception> + Send + Sync>;

/// The types of a server by the names that clients know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    pub(crate) types: HashMap<String, Registration>,
}

/// What a server knows of a type.
#[derive(Clone, Default)]
pub(crate) struct Registration {
    /// Makes one; without it none is made, but methods may return some.
    pub(crate) make: Option<Make>,
    /// True if making one takes no time.
    pub(crate) is_quick: bool,
    /// The methods that may be called, unless they are those that the object names.
    pub(crate) exposed: Option<Vec<String>>,
    /// The methods whose results are shared, with the names of the results' types.
    pub(crate) returns: Vec<(String, String)>,
}

impl Registration {
    pub(crate) fn with(make: Make) -> Self {
        Self { make: Some(make), ..Self::default() }
    }

    pub(crate) fn quick(make: fn(Call) -> Result<Arc<dyn Shared>, Exception>) -> Self {
        Self { is_quick: true, ..Self::with(Arc::new(make)) }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { make, exposed, returns, .. } = self;
        f.debug_struct("Registration")
            .field("makes", &make.is_some())
            .field("exposed", exposed)
            .field("returns", returns)
            .finish()
    }
}

/// Has `make` run once: all get what it has made then.
fn once(make: Make) -> Make {
    let made: Mutex<Option<Arc<dyn Shared>>> = Mutex::new(None);
    Arc::new(move |call| {
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some(shared) => Ok(shared.clone()),
            None => Ok(made.insert(make(call)?).clone()),
        }
    })
}
