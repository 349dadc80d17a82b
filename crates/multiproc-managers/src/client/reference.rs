//! One reference of this process to a shared object.

use std::sync::Arc;

use multiproc_sys::primitive::Ordering;

use super::{Endpoint, Session, inherit};
use crate::CallError;

/// A reference, which the server counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) session: Arc<Session>,
    ident: String,
}

impl Reference {
    /// Has the server count one more.
    pub(crate) fn take(endpoint: &Endpoint, ident: &str) -> Result<Self, CallError> {
        let session = Session::with(endpoint)?;
        // Over this thread's connection, where the object may have been lent.
        session.ask("incref", vec![ident.into()], vec![])?;
        Ok(Self::adopt(session, ident))
    }

    /// Takes over one that the server has counted already.
    pub(crate) fn adopt(session: Arc<Session>, ident: &str) -> Self {
        inherit::watch();
        session.references.fetch_add(1, Ordering::Relaxed);
        Self { session, ident: ident.to_owned() }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.session.references.fetch_sub(1, Ordering::Relaxed);
        self.session.release(&self.ident);
    }
}
