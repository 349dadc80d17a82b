//! A shared value.

use std::sync::{Arc, Mutex};

use multiproc_wire::pickle::{Exception, Object};

use super::locked;
use crate::{Call, Outcome, Reply, Shared, values::Held};

/// One value that lives in a manager's server.
///
/// As in Python its type code is only shown: any value can be set.
///
/// # Python
///
/// The `Value` of a manager.
#[derive(Debug)]
pub struct Value {
    code: Object,
    value: Mutex<Held>,
}

impl Value {
    /// Makes a value with a type code.
    #[must_use]
    pub fn new(code: &str, value: Object) -> Self {
        Self { code: code.into(), value: Mutex::new(Held::plain(value)) }
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let (code, value) = (args.required("typecode")?, args.required("value")?);
        let _ = args.object("lock");
        args.finish()?;
        Ok(Arc::new(Self { code, value: Mutex::new(call.hold(value)) }))
    }

    fn answer(&self, method: &str, mut call: Call) -> Outcome {
        let mut args = call.take_args();
        if method == "get" {
            args.finish()?;
            return Ok(locked(&self.value).answer(&call));
        }
        let value = call.hold(args.required("value")?);
        args.finish()?;
        *locked(&self.value) = value;
        Ok(().into())
    }
}

impl Shared for Value {
    fn methods(&self) -> &'static [&'static str] {
        &["get", "set"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let method = std::mem::take(&mut call.method);
        self.answer(&method, call).into()
    }

    fn repr(&self) -> String {
        format!("Value({}, {})", self.code, locked(&self.value).object)
    }
}
