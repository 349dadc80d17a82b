//! A registration on its way into another process.

use std::sync::Arc;

use multiproc_image::FnRef;
use multiproc_wire::pickle::Exception;
use serde::{Deserialize, Serialize};

use super::{Registration, Registry, once, sync_types};
use crate::{Call, Shared};

pub(crate) type Maker = FnRef<(Call,), Result<Arc<dyn Shared>, Exception>>;

/// What a manager tells its server's process about one type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) typeid: String,
    pub(crate) make: Option<Maker>,
    /// True if one is made for all.
    pub(crate) once: bool,
    pub(crate) exposed: Option<Vec<String>>,
    pub(crate) returns: Vec<(String, String)>,
}

impl Registry {
    /// Makes a registry of the standard types, if they are wanted, and those that are planned.
    pub(crate) fn of(standard: bool, plans: Vec<Plan>) -> Self {
        let mut registry = if standard { sync_types() } else { Self::default() };
        for Plan { typeid, make, once: is_once, exposed, returns } in plans {
            let mut registration = Registration { exposed, returns, ..Registration::default() };
            if let Some(maker) = make {
                let make: super::Make = Arc::new(move |call| maker.call((call,)));
                registration.make = Some(if is_once { once(make) } else { make });
            }
            registry.types.insert(typeid, registration);
        }
        registry
    }
}
