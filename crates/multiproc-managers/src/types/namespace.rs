//! A shared namespace.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use multiproc_wire::pickle::Exception;

use super::locked;
use crate::{Call, Outcome, Reply, Shared, raise, values::Held};

/// Values by name that live in a manager's server.
///
/// # Python
///
/// The `Namespace` of a manager.
#[derive(Debug, Default)]
pub struct Namespace(Mutex<BTreeMap<String, Held>>);

impl Namespace {
    /// Makes an empty namespace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let named = args.all_named();
        args.finish()?;
        let named = named.into_iter().map(|(name, value)| (name, call.hold(value))).collect();
        Ok(Arc::new(Self(Mutex::new(named))))
    }

    fn answer(&self, method: &str, mut call: Call) -> Outcome {
        let mut args = call.take_args();
        let mut names = locked(&self.0);
        let name: String = args.take("name")?;
        let missing =
            || raise::attribute_error(format!("'Namespace' object has no attribute '{name}'"));
        match method {
            "__getattribute__" => {
                let found = names.get(&name).ok_or_else(missing)?.answer(&call);
                args.finish()?;
                return Ok(found);
            }
            "__setattr__" => {
                let value = args.required("value")?;
                names.insert(name, call.hold(value));
            }
            _ => drop(names.remove(&name).ok_or_else(missing)?),
        }
        args.finish()?;
        Ok(().into())
    }
}

impl Shared for Namespace {
    fn methods(&self) -> &'static [&'static str] {
        &["__getattribute__", "__setattr__", "__delattr__"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let method = std::mem::take(&mut call.method);
        self.answer(&method, call).into()
    }

    fn repr(&self) -> String {
        let names = locked(&self.0);
        let shown: Vec<_> = names
            .iter()
            .filter(|(name, _)| !name.starts_with('_'))
            .map(|(name, value)| format!("{name}={}", value.object))
            .collect();
        format!("Namespace({})", shown.join(", "))
    }
}
