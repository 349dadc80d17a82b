//! Calls of proxies, and what a bare socket needs for as many bytes there and back.

use std::{thread, time::Instant};

use multiproc::managers::{BaseManager, DictProxy, SyncManager, TypedProxy};

use super::{Case, Figures};
use crate::{Result, raw};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A dict's items, set and got in turn, by so many clients.
    Dict { clients: usize, tcp: bool },
    /// One value of a MiB.
    Long,
    /// New shared objects, over TCP.
    NewProxy,
}

/// How long a long value is.
const LONG: usize = 1 << 20;

/// A manager, a bare server, and what is asked of both.
pub(super) struct Managers {
    what: What,
    count: usize,
    manager: SyncManager,
    raw: raw::Replies,
}

impl Managers {
    /// Starts both servers, for `count` calls of each client a round.
    pub(super) fn new(what: What, count: usize) -> Result<Self> {
        let tcp = matches!(what, What::Dict { tcp: true, .. } | What::NewProxy);
        let reply = if matches!(what, What::Long) { LONG } else { raw::SHORT };
        // What is forked by the bare kernel has to be there before a manager has threads.
        let raw = raw::Replies::start(tcp, reply)?;
        let builder = SyncManager::builder();
        let builder = if tcp { builder.address("127.0.0.1:0") } else { builder };
        let manager = SyncManager::from(builder.start()?);
        Ok(Self { what, count, manager, raw })
    }

    /// Has every client make its calls at once, and returns how many a second were made by all.
    fn rate(&self, clients: usize, calls: impl Fn(usize) -> Result<()> + Sync) -> Result<Figures> {
        let started = Instant::now();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..clients)
                .map(|client| {
                    let calls = &calls;
                    scope.spawn(move || calls(client).map_err(|err| err.to_string()))
                })
                .collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => Err("a client panicked".to_owned()),
            })
        })?;
        Ok(vec![(clients * self.count) as f64 / started.elapsed().as_secs_f64()])
    }
}

impl Case for Managers {
    fn ours(&mut self) -> Result<Figures> {
        match self.what {
            What::Dict { clients, .. } => {
                let dict: DictProxy<i64, i64> = self.manager.dict([])?;
                let calls = |_| {
                    for n in 0..self.count as i64 / 2 {
                        dict.set(&(n % 64), &n)?;
                        dict.get(&(n % 64))?;
                    }
                    Ok(())
                };
                Ok(vec![self.rate(clients, calls)?[0] / 1e3])
            }
            What::Long => {
                let value =
                    self.manager.value_of("c", &multiproc::pickle::Object::Bytes(vec![7; LONG]))?;
                self.rate(1, |_| {
                    for _ in 0..self.count {
                        value.as_proxy().call_method("get", ())?;
                    }
                    Ok(())
                })
            }
            What::NewProxy => {
                let manager: &BaseManager = &self.manager;
                self.rate(1, |_| {
                    for _ in 0..self.count {
                        manager.create("list", ())?;
                    }
                    Ok(())
                })
            }
        }
    }

    fn limit(&mut self) -> Result<Figures> {
        let (clients, unit) = match self.what {
            What::Dict { clients, .. } => (clients, 1e3),
            What::Long | What::NewProxy => (1, 1.0),
        };
        Ok(vec![self.raw.rate(clients, self.count)? / unit])
    }
}
