//! Start and join of an empty function, by each method.

use multiproc::Context;

use super::{Case, Figures, median_us};
use crate::{
    Result,
    ours::{self, Method},
    raw,
};

/// Starts children and joins them.
pub(super) struct Start {
    context: Context,
    limit: Limit,
    count: u32,
}

/// What the bare kernel needs for the same.
enum Limit {
    Fork,
    Spawn(raw::Image),
    Forkserver(raw::Server),
}

impl Start {
    /// Prepares `count` starts a round.
    pub(super) fn new(method: Method, count: u32) -> Result<Self> {
        let limit = match method {
            Method::Fork => Limit::Fork,
            Method::Spawn => Limit::Spawn(raw::Image::new("exit")?),
            Method::Forkserver => Limit::Forkserver(raw::Server::start()?),
        };
        Ok(Self { context: method.context(), limit, count })
    }
}

impl Case for Start {
    fn ours(&mut self) -> Result<Figures> {
        // The first start may also be the start of the fork server, which is not the row's work.
        ours::start_and_join(&self.context)?;
        Ok(vec![median_us(self.count, || ours::start_and_join(&self.context))?])
    }

    fn limit(&mut self) -> Result<Figures> {
        let figure = match &mut self.limit {
            Limit::Fork => median_us(self.count, raw::fork_and_wait)?,
            Limit::Forkserver(server) => median_us(self.count, || server.request())?,
            // The faster of two ways; which one it is depends on the C library.
            Limit::Spawn(image) => {
                let half = self.count.div_ceil(2);
                let by_clone = median_us(half, || image.vfork_and_wait())?;
                by_clone.min(median_us(half, || image.posix_spawn_and_wait())?)
            }
        };
        Ok(vec![figure])
    }
}
