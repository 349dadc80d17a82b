//! The connections of one thread, one for each server.

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
    thread,
};

use multiproc_connection::Address;
use multiproc_image::{after_fork::ForkLocal, family};
use multiproc_wire::pickle::Object;

use super::{Line, Session, reply::exchange, session::Kind};
use crate::CallError;

/// A thread's connection to a server.
struct Link {
    number: u64,
    session: Weak<Session>,
    /// The process that made it. In a forked child it is a copy, to be closed and never used.
    maker: u32,
    connection: Line,
}

thread_local! {
    static LINKS: RefCell<Vec<Link>> = const { RefCell::new(Vec::new()) };
}

/// This process, asked for once: an id is a system call.
static PID: ForkLocal<u32> = ForkLocal::new(|_| std::process::id());

/// Calls `act` with this thread's connection, which is made if there is none.
///
/// A connection that has failed is given up: the next call makes another.
pub(super) fn with<R>(
    session: &Arc<Session>,
    act: impl FnOnce(&Line) -> Result<R, CallError>,
) -> Result<R, CallError> {
    let connection = match take(session.number) {
        Some(connection) => connection,
        None => open(session)?,
    };
    let result = act(&connection);
    if !result.as_ref().is_err_and(CallError::is_lost) {
        keep(session, connection);
    }
    result
}

/// Makes a connection that stays.
fn open(session: &Arc<Session>) -> Result<Line, CallError> {
    let connection = session.endpoint.dial()?;
    introduce(&connection)?;
    if let Kind::Ours { name, .. } = &session.kind {
        // Files go from process to process, not from host to host.
        let files = !matches!(session.endpoint.address, Address::Tcp(_) | Address::Host(..));
        let kwargs = vec![("files".into(), files.into())];
        exchange(&connection, None, "#SESSION", vec![(&**name).into()], kwargs)?.value()?;
    }
    Ok(connection)
}

/// Has the server keep a new connection, and returns what it says.
pub(super) fn introduce(connection: &Line) -> Result<Object, CallError> {
    exchange(connection, None, INTRODUCTION, own_name(), vec![])?.value()
}

pub(super) const INTRODUCTION: &str = "accept_connection";

/// This thread, as it introduces itself.
pub(super) fn own_name() -> Vec<Object> {
    let mut name = family::record().name.clone();
    if let Some(thread) = thread::current().name().filter(|name| *name != "main") {
        name = format!("{name}|{thread}");
    }
    vec![name.into()]
}

fn take(number: u64) -> Option<Line> {
    let found = LINKS.try_with(|links| {
        let mut links = links.borrow_mut();
        let place = links.iter().position(|link| link.number == number)?;
        Some(links.swap_remove(place))
    });
    Some(found.ok()??.connection)
}

/// Keeps a connection for what this thread will call.
pub(super) fn keep(session: &Arc<Session>, connection: Line) {
    let maker = *PID.get();
    // Where the thread is ending, the connection ends here.
    let _ = LINKS.try_with(|links| {
        let mut links = links.borrow_mut();
        let stale = |link: &Link| link.maker != maker || link.session.strong_count() == 0;
        let gone: Vec<_> = links.extract_if(.., |link| stale(link)).collect();
        links.push(Link {
            number: session.number,
            session: Arc::downgrade(session),
            maker,
            connection,
        });
        drop(links);
        drop(gone);
    });
}

/// Closes this thread's connection of a session that is over.
pub(super) fn forget(number: u64) {
    drop(take(number));
}
