//! Starting a server in a process of its own, and ending it.

use std::{
    fs, process,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use multiproc_connection::{Address, Listener, Sender, simplex};
use multiproc_image::{FnRef, family, logging};
use multiproc_process::{Process, parent_process};
use multiproc_sys::signals::{Disposition, Signal};
use multiproc_wire::pickle::Object;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::{BaseManager, Builder, builder::place};
use crate::{
    ManagerError, Server,
    client::{Endpoint, Session},
    error::chain,
    registry::{Plan, Registry},
    tls::{Front, TlsServer},
};

/// What the server's process is told. It cannot be shown: a private key is in it.
#[derive(Serialize, Deserialize)]
struct Setup {
    address: Option<String>,
    md5: bool,
    handshake: Duration,
    standard: bool,
    plans: Vec<Plan>,
    initializer: Option<FnRef<(), ()>>,
    /// Certificates and key.
    tls: Option<(Vec<u8>, Vec<u8>)>,
}

/// What it tells: where it listens, or why not.
type Ready = Result<String, String>;

pub(super) fn start(builder: Builder) -> Result<BaseManager, ManagerError> {
    let captured = builder.types.iter().find(|known| known.here.is_some());
    if let Some(known) = captured {
        return Err(ManagerError::Captured(known.plan.typeid.clone()));
    }
    let key = builder.authkey_or_own();
    let is_private = builder.address.is_none();
    let tls = builder.tls_server.as_ref().map(TlsServer::own_client);
    let setup = Setup {
        address: builder.address.transpose()?.map(|address| address.to_string()),
        md5: builder.md5,
        handshake: builder.handshake,
        standard: builder.standard,
        plans: builder.types.into_iter().map(|known| known.plan).collect(),
        initializer: builder.initializer,
        tls: builder.tls_server.map(TlsServer::into_parts),
    };
    let (receiver, sender) = simplex::<Ready>()?;
    let process = Process::builder().daemon(false).context(builder.context).authkey(key.clone());
    let mut process = process.new(run, (setup, sender));
    let number = process.name().split_once('-').map_or("1", |(_, number)| number).to_owned();
    process.set_name(format!("{}-{number}", builder.class));
    process.start()?;
    // The end of the process ends the pipe: nobody waits for a server that has died.
    let ready = receiver.recv().unwrap_or_else(|err| Err(format!("its process ended: {err}")));
    let address = match ready {
        Ok(address) => address.parse()?,
        Err(text) => {
            let _ = process.join();
            return Err(ManagerError::Server(text));
        }
    };
    let endpoint = Endpoint { address, key, md5: builder.md5, tls };
    let running = Running::new(process, endpoint.clone(), builder.timeout, is_private);
    // Dropped where it fails, it ends the process.
    let session = Session::with(&endpoint)?;
    Ok(BaseManager::new(session, Some(running)))
}

/// The life of the server's process.
fn run(setup: Setup, ready: Sender<Ready>) {
    // Whoever interrupts the program does not mean its manager, which ends with it anyway.
    let _ = Disposition::ignore(Signal::Interrupt);
    if let Some(initializer) = setup.initializer {
        initializer.call(());
    }
    let bound = bind(setup.address, setup.md5, setup.handshake, setup.tls);
    let server = match bound {
        Ok(place) => Server::new(place, Registry::of(setup.standard, setup.plans)),
        Err(err) => {
            let _ = ready.send(&Err(chain(&err)));
            return;
        }
    };
    make_room();
    let stop = server.stopper();
    let watched = thread::Builder::new().name("multiproc-parent".to_owned()).spawn(move || {
        if let Some(parent) = parent_process()
            && parent.join().is_ok()
        {
            stop();
        }
    });
    if let Err(err) = watched {
        let _ = ready.send(&Err(format!("no thread to watch the parent: {err}")));
        return;
    }
    if ready.send(&Ok(server.address().to_string())).is_err() {
        return;
    }
    drop(ready);
    logging::info(format_args!("manager serving at {}", server.address()));
    if let Err(err) = server.serve_forever() {
        logging::error(format_args!("manager ends: {err}"));
        process::exit(1);
    }
}

fn bind(
    address: Option<String>,
    md5: bool,
    handshake: Duration,
    tls: Option<(Vec<u8>, Vec<u8>)>,
) -> Result<(Listener, Option<Front>), ManagerError> {
    let address = address.map(|address| address.parse());
    let tls = tls.and_then(TlsServer::from_parts);
    place(address, family::record().authkey.clone(), md5, handshake, tls.as_ref())
}

/// Allows as many clients as the system lets this process have descriptors.
fn make_room() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Without, there are as many as there were.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// A server's process that was started here.
#[derive(Debug)]
pub(super) struct Running {
    process: Mutex<Process<()>>,
    endpoint: Endpoint,
    timeout: Duration,
    /// Nobody named the address: it is a path in a folder of the server's own.
    is_private: bool,
    /// The process that started it; a forked child of that has only a copy of this.
    maker: u32,
}

impl Running {
    fn new(process: Process<()>, endpoint: Endpoint, timeout: Duration, is_private: bool) -> Self {
        Self { process: Mutex::new(process), endpoint, timeout, is_private, maker: process::id() }
    }

    /// Asks the server to end, then terminates it, then kills it, and waits for its end.
    pub(super) fn shut_down(&self) -> Result<(), ManagerError> {
        if self.maker != process::id() {
            return Ok(());
        }
        let process = self.process();
        if process.is_alive() {
            logging::info(format_args!("sending shutdown message to manager"));
            if let Err(err) = self.say_shutdown() {
                logging::info(format_args!("manager does not listen: {err}"));
            }
            if !process.join_timeout(self.timeout)? {
                logging::info(format_args!("manager still alive, terminating it"));
                process.terminate()?;
                if !process.join_timeout(self.timeout)? {
                    logging::info(format_args!("manager still alive after terminate, killing it"));
                    process.kill()?;
                }
            }
        }
        process.join()?;
        self.clean_up();
        Ok(())
    }

    /// Removes what a server that was killed has left behind.
    fn clean_up(&self) {
        if self.is_private
            && let Address::Path(path) = &self.endpoint.address
            && let Some(folder) = path.parent()
        {
            // Gone already where it ended by itself.
            let _ = fs::remove_file(path);
            let _ = fs::remove_dir(folder);
        }
    }

    /// Sends the message, and waits as long as is allowed for the answer.
    fn say_shutdown(&self) -> Result<(), String> {
        let connection = self.endpoint.dial_within(self.timeout).map_err(|err| chain(&err))?;
        let request: (Option<()>, &str, [(); 0], Object) =
            (None, "shutdown", [], Object::Dict(vec![]));
        connection.send_object(&request).map_err(|err| chain(&err))?;
        connection.recv_bytes_timeout(self.timeout).map(drop).map_err(|err| chain(&err))
    }

    pub(super) fn join_timeout(&self, timeout: Duration) -> Result<bool, ManagerError> {
        Ok(self.process().join_timeout(timeout)?)
    }

    pub(super) fn join(&self) -> Result<(), ManagerError> {
        Ok(self.process().join()?)
    }

    pub(super) fn with<R>(&self, look: impl FnOnce(&Process<()>) -> R) -> R {
        look(&self.process())
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Process<()>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
