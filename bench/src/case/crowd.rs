//! What a call of one client takes while thousands of others are connected, half of whom wait.

use multiproc::{
    Connection,
    connection::Client,
    managers::{DictProxy, QueueProxy, SyncManager, TypedProxy, pickle::Object},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Case, Figures, median_us};
use crate::Result;

/// How many others there are.
const CROWD: usize = 2000;

/// How many calls a round has.
const CALLS: u32 = 5000;

/// Two managers, one of which has a crowd of clients.
pub(super) struct Crowd {
    crowded: Side,
    alone: Side,
    _clients: Vec<Connection<()>>,
}

struct Side {
    dict: DictProxy<i64, i64>,
    manager: SyncManager,
}

impl Crowd {
    pub(super) fn new() -> Result<Self> {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
        let (crowded, alone) = (Side::new()?, Side::new()?);
        let queue = crowded.manager.queue(0)?;
        let clients = (0..CROWD).map(|n| crowded.client(&queue, n % 2 == 0));
        let _clients = clients.collect::<Result<_>>()?;
        Ok(Self { crowded, alone, _clients })
    }
}

impl Side {
    fn new() -> Result<Self> {
        let manager = SyncManager::start()?;
        Ok(Self { dict: manager.dict([(7, 7)])?, manager })
    }

    /// One who is connected, and waits for an item that never comes, or for nothing.
    fn client(&self, queue: &QueueProxy<i64>, waits: bool) -> Result<Connection<()>> {
        let key = multiproc::current_process().authkey();
        let client = Client::builder().authkey(key).connect(self.manager.address())?;
        let ask = |client: &Connection<()>, ident: Option<&str>, method, args: Vec<Object>| {
            let (args, kwargs) = (Object::Tuple(args), Object::Dict(vec![]));
            client.send_object(&(ident, method, args, kwargs))
        };
        ask(&client, None, "accept_connection", vec!["one of many".into()])?;
        let _: Object = client.recv_object()?;
        if waits {
            ask(&client, Some(queue.as_proxy().id()), "get", vec![])?;
        }
        Ok(client)
    }

    fn latency(&self) -> Result<Figures> {
        Ok(vec![median_us(CALLS, || self.dict.get(&7).map(drop))?])
    }
}

impl Case for Crowd {
    fn ours(&mut self) -> Result<Figures> {
        self.crowded.latency()
    }

    fn limit(&mut self) -> Result<Figures> {
        self.alone.latency()
    }
}
