//! What an idle child weighs.

use multiproc::Context;

use super::{Case, Figures};
use crate::{
    Result,
    memory::Memory,
    ours::{self, Method},
    raw,
};

/// Weighs children that sleep.
pub(super) struct Idle {
    method: Method,
    context: Context,
}

impl Idle {
    /// Prepares children of this method.
    pub(super) fn new(method: Method) -> Self {
        Self { method, context: method.context() }
    }
}

impl Case for Idle {
    fn ours(&mut self) -> Result<Figures> {
        ours::idle_memory(&self.context).map(figures)
    }

    fn limit(&mut self) -> Result<Figures> {
        let memory = match self.method {
            Method::Fork => raw::forked_idle_memory()?,
            Method::Spawn => raw::spawned_idle_memory()?,
            Method::Forkserver => return Err("no row weighs a child of the fork server".into()),
        };
        Ok(figures(memory))
    }
}

fn figures(memory: Memory) -> Figures {
    vec![memory.rss, memory.pss]
}
