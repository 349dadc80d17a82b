//! What this process has at one server.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use multiproc_connection::Address;
use multiproc_image::after_fork::ForkLocal;
use multiproc_sys::primitive::{AtomicU64, AtomicUsize, Ordering};
use multiproc_wire::pickle::Object;

use super::{
    Endpoint, Line, Reply, link,
    reply::{exchange, exchange_within},
};
use crate::{CallError, address::of_object};

/// This process as a client of one server.
///
/// A server of ours is told that all connections of this process belong together: it drops what the
/// process refers to and holds when the last of them ends. One of them, the keeper, stays as long as
/// the session does, and carries what is never waited for long. A server of CPython's knows connections
/// only, and counts references of nobody.
pub(crate) struct Session {
    /// Never that of another session, in no fork of this process either.
    pub(super) number: u64,
    pub(crate) endpoint: Endpoint,
    pub(super) kind: Kind,
    /// How many references this process has there.
    pub(super) references: AtomicUsize,
}

pub(super) enum Kind {
    Ours { name: String, keeper: Mutex<Line>, own: Option<Address> },
    Python,
}

type Sessions = Mutex<Vec<Weak<Session>>>;

/// The sessions of this process. A forked child begins its own.
static SESSIONS: ForkLocal<Sessions> = ForkLocal::new(|_| Mutex::default());
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Session {
    /// Returns this process's session with a server, and begins it if there is none.
    pub(crate) fn with(endpoint: &Endpoint) -> Result<Arc<Self>, CallError> {
        let find = |sessions: &mut MutexGuard<'_, Vec<Weak<Self>>>| {
            sessions.retain(|session| 0 < session.strong_count());
            sessions
                .iter()
                .filter_map(Weak::upgrade)
                .find(|session| session.endpoint == *endpoint && !session.is_over())
        };
        if let Some(session) = find(&mut sessions()) {
            return Ok(session);
        }
        // Not under the lock: another server may be the one that does not answer.
        let session = Self::begin(endpoint)?;
        let mut sessions = sessions();
        if let Some(session) = find(&mut sessions) {
            return Ok(session);
        }
        sessions.push(Arc::downgrade(&session));
        Ok(session)
    }

    /// Finds the server with an address among those that this process knows.
    pub(crate) fn known(address: &Address) -> Option<Endpoint> {
        let sessions: Vec<_> = sessions().iter().filter_map(Weak::upgrade).collect();
        let session = sessions.into_iter().find(|session| {
            let own = match &session.kind {
                Kind::Ours { own, .. } => own.as_ref(),
                Kind::Python => None,
            };
            session.endpoint.address == *address || own == Some(address)
        });
        Some(session?.endpoint.clone())
    }

    fn begin(endpoint: &Endpoint) -> Result<Arc<Self>, CallError> {
        let connection = endpoint.dial()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let hello = link::introduce(&connection)?;
        if hello.get("multiproc").is_none() {
            let (endpoint, references) = (endpoint.clone(), AtomicUsize::new(0));
            let session = Arc::new(Self { number, endpoint, kind: Kind::Python, references });
            // The connection is as good as any other for what this thread will call.
            link::keep(&session, connection);
            return Ok(session);
        }
        let own = hello.get("address").and_then(of_object);
        let name = exchange(&connection, None, "#SESSION", vec![], vec![])?.value()?;
        let Object::Str(name) = name else { return Err(CallError::Malformed) };
        let kind = Kind::Ours { name, keeper: Mutex::new(connection), own };
        let (endpoint, references) = (endpoint.clone(), AtomicUsize::new(0));
        Ok(Arc::new(Self { number, endpoint, kind, references }))
    }

    /// Makes a connection that refers to all that this process refers to, for a child, if that can be
    /// done in time.
    pub(super) fn inherit(&self, limit: Duration) -> Result<Option<Line>, CallError> {
        let Kind::Ours { name, .. } = &self.kind else { return Ok(None) };
        if self.references.load(Ordering::Relaxed) == 0 {
            return Ok(None);
        }
        let start = Instant::now();
        let left = || limit.saturating_sub(start.elapsed());
        let connection = self.endpoint.dial_within(left())?;
        exchange_within(&connection, left(), link::INTRODUCTION, link::own_name())?;
        exchange_within(&connection, left(), "#INHERIT", vec![(&**name).into()])?;
        Ok(Some(connection))
    }

    /// Begins a session whose one connection is the caller's, to be given away: it holds what is asked
    /// for over it. There is none at a server of CPython's.
    pub(crate) fn separate(endpoint: &Endpoint) -> Result<Option<Line>, CallError> {
        let connection = endpoint.dial()?;
        if link::introduce(&connection)?.get("multiproc").is_none() {
            return Ok(None);
        }
        exchange(&connection, None, "#SESSION", vec![], vec![])?.value()?;
        Ok(Some(connection))
    }

    /// Has a session of its own refer to an object.
    pub(crate) fn refer(connection: &Line, ident: &str) -> Result<(), CallError> {
        exchange(connection, None, "incref", vec![ident.into()], vec![])?.value().map(drop)
    }

    /// Tells a server to end.
    pub(crate) fn shut_down(endpoint: &Endpoint) -> Result<(), CallError> {
        exchange(&endpoint.dial()?, None, "shutdown", vec![], vec![])?.value().map(drop)
    }

    /// Asks the server itself for something, over this thread's connection: it may take its time.
    pub(crate) fn ask(
        self: &Arc<Self>,
        method: &str,
        args: Vec<Object>,
        kwargs: Vec<(Object, Object)>,
    ) -> Result<Object, CallError> {
        match &self.kind {
            Kind::Ours { .. } => self.call(None, method, args, kwargs)?.value(),
            Kind::Python => self.control(method, args, kwargs),
        }
    }

    /// Asks the server itself for something that it does at once.
    pub(crate) fn control(
        &self,
        method: &str,
        args: Vec<Object>,
        kwargs: Vec<(Object, Object)>,
    ) -> Result<Object, CallError> {
        match &self.kind {
            Kind::Ours { keeper, .. } => exchange(&lock(keeper), None, method, args, kwargs),
            Kind::Python => exchange(&self.endpoint.dial()?, None, method, args, kwargs),
        }?
        .value()
    }

    /// Calls a method of a shared object, over this thread's connection.
    pub(crate) fn call(
        self: &Arc<Self>,
        ident: Option<&str>,
        method: &str,
        args: Vec<Object>,
        kwargs: Vec<(Object, Object)>,
    ) -> Result<Reply, CallError> {
        link::with(self, |connection| exchange(connection, ident, method, args, kwargs))
    }

    /// Tells the server that this process refers to the object once less.
    pub(super) fn release(&self, ident: &str) {
        let ident = vec![ident.into()];
        // Without a server there is nothing to let go of.
        let _ = match &self.kind {
            Kind::Ours { keeper, .. } => super::reply::post(&lock(keeper), "#DROP", ident),
            Kind::Python => self.control("decref", ident, vec![]).map(drop),
        };
    }

    /// Returns whether the server speaks no more than CPython's protocol.
    pub(crate) fn is_python(&self) -> bool {
        matches!(self.kind, Kind::Python)
    }

    /// Returns whether the server has ended the session, as when it was started anew.
    pub(crate) fn is_over(&self) -> bool {
        match &self.kind {
            // Nothing comes unasked, so what can be read is the end.
            Kind::Ours { keeper, .. } => {
                keeper.try_lock().is_ok_and(|keeper| keeper.poll(NOW).unwrap_or(true))
            }
            Kind::Python => false,
        }
    }
}

const NOW: Option<Duration> = Some(Duration::ZERO);

/// Returns the sessions that this process has now.
pub(super) fn of_this_process() -> Vec<Arc<Session>> {
    // Before a fork: a thread that has the lock gives it back soon, for it never waits for anybody.
    SESSIONS
        .get_if_made()
        .map_or(vec![], |sessions| lock(sessions).iter().filter_map(Weak::upgrade).collect())
}

impl Drop for Session {
    fn drop(&mut self) {
        link::forget(self.number);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("address", &self.endpoint.address).finish_non_exhaustive()
    }
}

fn sessions() -> MutexGuard<'static, Vec<Weak<Session>>> {
    lock(SESSIONS.get())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
