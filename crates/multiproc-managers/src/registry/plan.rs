//! A registration on its way into another process.

use std::sync::Arc;

use multiproc_image::FnRef;
use multiproc_wire::pickle::Exception;
use serde::{Deserialize, Serialize};

use super::{Make, Registration, Registry, once, sync_types};
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
        registry.types.extend(plans.into_iter().map(|plan| plan.into_registration(None)));
        registry
    }
}

impl Plan {
    /// Makes what a server knows of the type, and by which name; `here` is what no other process has.
    pub(crate) fn into_registration(self, here: Option<Make>) -> (String, Registration) {
        let make = here.or_else(|| {
            let maker = self.make?;
            let make: Make = Arc::new(move |call| maker.call((call,)));
            Some(if self.once { once(make) } else { make })
        });
        let (exposed, returns) = (self.exposed, self.returns);
        (self.typeid, Registration { make, exposed, returns, is_quick: false })
    }
}
