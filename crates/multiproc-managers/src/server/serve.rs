//! Accepting clients, until told to stop.

use std::{io, sync::Arc, time::Duration};

use multiproc_connection::{AcceptError, Address, Connection, Listener};
use multiproc_image::logging;
use tokio::{runtime, time};

use super::{Table, aside, control::unlink_segments, guest::Guest, table::lock};
use crate::{registry::Registry, tls::Front, values::LongFile};

/// A server of shared objects that runs in this process.
///
/// # If a process dies
///
/// A client that is gone, killed too, leaves nothing here: its locks are free again, its references
/// are dropped, its calls that wait are forgotten. When the server's process dies, the shared objects
/// are gone, and every call of a proxy is an error.
///
/// # Python
///
/// What `BaseManager.get_server` returns. Its `serve_forever` ends the process, this one returns.
///
/// # Examples
///
/// ```
/// use std::thread;
///
/// use multiproc_managers::{BaseManager, types::Queue};
///
/// let server = BaseManager::builder().authkey("k").share("get_queue", Queue::new()).get_server()?;
/// let address = server.address().clone();
/// let serving = thread::spawn(move || server.serve_forever());
///
/// let client = BaseManager::builder().authkey("k").address(&address).connect()?;
/// let queue = client.create("get_queue", ())?;
/// queue.call_method("put", ("hello",))?;
/// assert_eq!(queue.call::<_, String>("get", ())?, "hello");
///
/// drop(queue);
/// client.shutdown_server()?;
/// serving.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a server serves nobody before `serve_forever`"]
pub struct Server {
    listener: Listener,
    /// What stands before the listener.
    front: Option<Front>,
    table: Arc<Table>,
}

impl Server {
    pub(crate) fn new((listener, front): (Listener, Option<Front>), registry: Registry) -> Self {
        let address = front.as_ref().map_or(listener.address(), Front::address).clone();
        Self { listener, front, table: Table::new(registry, address) }
    }

    /// Where the server listens.
    pub fn address(&self) -> &Address {
        self.table.own_address()
    }

    /// Serves clients until one of them says `shutdown`.
    ///
    /// # Errors
    ///
    /// Returns the system's error when tasks cannot be run here.
    pub fn serve_forever(mut self) -> io::Result<()> {
        // One thread: a call is over before another thread would have been woken for it. What takes
        // its time, methods of your types and long messages, runs on threads of their own.
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("multiproc-manager")
            .build()?;
        if let Some(front) = &mut self.front {
            front.start(&self.listener)?;
        }
        let table = self.table.clone();
        runtime.spawn(async move { table.looking.run().await });
        runtime.block_on(accept(&self.listener, &self.table));
        runtime.shutdown_background();
        aside::wait(LAST_DROPS);
        if let Some(front) = self.front {
            front.stop();
        }
        unlink_segments(&mut lock(&self.table.segments));
        Ok(())
    }

    pub(crate) fn stopper(&self) -> impl FnOnce() + Send + 'static {
        let table = self.table.clone();
        move || table.stop.notify_one()
    }
}

/// How long the drops of shared objects may take that are under way when the server ends.
const LAST_DROPS: Duration = Duration::from_secs(1);

/// How long to wait before accepting again when the system has refused: out of descriptors, until a
/// client leaves.
const PAUSE: Duration = Duration::from_millis(10);

async fn accept(listener: &Listener, table: &Arc<Table>) {
    loop {
        let accepted: Result<Connection<LongFile, ()>, _> = tokio::select! {
            accepted = listener.accept_async() => accepted,
            () = table.stop.notified() => return,
        };
        match accepted {
            Ok(connection) => drop(tokio::spawn(Guest::new(table.clone(), connection).serve())),
            Err(err @ AcceptError::Authentication(_)) => {
                logging::info(format_args!("client refused: {}", crate::error::chain(&err)));
            }
            Err(err) => {
                logging::warning(format_args!("{}", crate::error::chain(&err)));
                time::sleep(PAUSE).await;
            }
        }
    }
}
