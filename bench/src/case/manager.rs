//! Calls of proxies, and what a bare socket needs for as many bytes there and back.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    thread,
    time::Instant,
};

use multiproc::{
    Context, Process,
    connection::Address,
    managers::{BaseManager, DictProxy, SyncManager, TypedProxy},
};

use super::{Case, Figures};
use crate::Result;

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

/// How long a request and a reply of a small call are, length prefixes included.
const SHORT: usize = 56;
const LONG: usize = 1 << 20;

/// A manager, a bare server, and what is asked of both.
pub(super) struct Managers {
    what: What,
    count: usize,
    manager: SyncManager,
    raw: Process<()>,
    address: String,
}

impl Managers {
    /// Starts both servers, for `count` calls of each client a round.
    pub(super) fn new(what: What, count: usize) -> Result<Self> {
        let tcp = matches!(what, What::Dict { tcp: true, .. } | What::NewProxy);
        let builder = SyncManager::builder();
        let builder = if tcp { builder.address("127.0.0.1:0") } else { builder };
        let manager = SyncManager::from(builder.start()?);
        let (ours, theirs) = multiproc::pipe::<(), String>()?;
        let reply = if matches!(what, What::Long) { LONG } else { SHORT };
        let process = Context::spawn().process().daemon(true);
        let raw = process.start(echo, (theirs, tcp, reply))?;
        let address = ours.recv()?;
        Ok(Self { what, count, manager, raw, address })
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
        let (clients, thousand, reply) = match self.what {
            What::Dict { clients, .. } => (clients, 1e3, SHORT),
            What::Long => (1, 1.0, LONG),
            What::NewProxy => (1, 1.0, SHORT),
        };
        let rate = self.rate(clients, |_| {
            let mut socket: Box<dyn Stream> = match self.address.parse()? {
                Address::Tcp(address) => {
                    let socket = TcpStream::connect(address)?;
                    socket.set_nodelay(true)?;
                    Box::new(socket)
                }
                _ => Box::new(UnixStream::connect(&self.address)?),
            };
            let (request, mut answer) = ([7; SHORT], vec![0; reply]);
            for _ in 0..self.count {
                socket.write_all(&request)?;
                socket.read_exact(&mut answer)?;
            }
            Ok(())
        })?;
        Ok(vec![rate[0] / thousand])
    }
}

impl Drop for Managers {
    fn drop(&mut self) {
        let _ = self.raw.kill();
    }
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// Answers each request with so many bytes, a thread for each client.
fn echo(line: multiproc::Connection<String, ()>, tcp: bool, reply: usize) {
    let serve = move |mut socket: Box<dyn Stream>| {
        let (mut request, answer) = ([0; SHORT], vec![7; reply]);
        while socket.read_exact(&mut request).is_ok() && socket.write_all(&answer).is_ok() {}
    };
    if tcp {
        let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return };
        let Ok(address) = listener.local_addr() else { return };
        let _ = line.send(&address.to_string());
        for socket in listener.incoming().flatten() {
            let _ = socket.set_nodelay(true);
            thread::spawn(move || serve(Box::new(socket)));
        }
    } else {
        let path = std::env::temp_dir().join(format!("multiproc-bench-{}", std::process::id()));
        let Ok(listener) = UnixListener::bind(&path) else { return };
        let _ = line.send(&path.display().to_string());
        for socket in listener.incoming().flatten() {
            thread::spawn(move || serve(Box::new(socket)));
        }
    }
}
