//! What a forked child inherits: a connection that refers to what its parent refers to.
//!
//! The child's copies of proxies take references of their own when they are first used. Until then
//! the parent may have dropped its own. So before the fork the server is asked for a session that refers
//! to the same objects, over a connection that only the child keeps.

use std::{cell::RefCell, panic::catch_unwind, time::Duration};

use multiproc_image::{
    after_fork::{self, Around},
    logging,
};

use super::{Line, session::of_this_process};

#[derive(Default)]
struct Inherited {
    connections: Vec<Line>,
    /// How many are from the forks that made this process.
    own: usize,
}

thread_local! {
    /// Of the thread that forks, which is the one that a child has.
    static INHERITED: RefCell<Inherited> =
        const { RefCell::new(Inherited { connections: Vec::new(), own: 0 }) };
}

/// Sees to it that forks are noticed; twice is once.
pub(super) fn watch() {
    static AROUND: Around = Around { before, in_parent: after, in_child: || {} };
    after_fork::register_around(&AROUND);
}

/// How long a fork may be held up by a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

fn before() {
    let prepared = catch_unwind(|| {
        let connections: Vec<_> = of_this_process()
            .into_iter()
            .filter_map(|session| {
                let inherited = session.inherit(PATIENCE);
                inherited.unwrap_or_else(|err| {
                    let text = crate::error::chain(&err);
                    logging::info(format_args!("forked child inherits no references: {text}"));
                    None
                })
            })
            .collect();
        let _ = INHERITED.try_with(|inherited| {
            let mut inherited = inherited.borrow_mut();
            inherited.own = inherited.connections.len();
            inherited.connections.extend(connections);
        });
    });
    drop(prepared);
}

fn after() {
    let closed = catch_unwind(|| {
        let gone = INHERITED.try_with(|inherited| {
            let mut inherited = inherited.borrow_mut();
            let own = inherited.own;
            inherited.connections.split_off(own)
        });
        drop(gone);
    });
    drop(closed);
}
