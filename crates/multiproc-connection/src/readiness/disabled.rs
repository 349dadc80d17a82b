//! Nobody awaits anything.

use std::marker::PhantomData;

/// Nothing is known.
pub(crate) type Readiness = PhantomData<()>;
