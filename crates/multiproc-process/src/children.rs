//! The children of this process: who they are, and how they end when it exits.

use std::{
    ptr,
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use multiproc_image::{after_fork::ForkLocal, exit, logging};

use crate::{
    Child,
    child::{Inner, Shared},
};

struct Entry {
    child: Arc<Inner>,
    /// The user's handles, if there are any left.
    handles: Weak<Shared>,
}

static CHILDREN: ForkLocal<Mutex<Vec<Entry>>> = ForkLocal::new(|_| Mutex::new(Vec::new()));

/// How long a daemonic child that was terminated at exit may take before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// The children of this process that have not ended; asking reaps those that have.
///
/// # Python
///
/// `multiprocessing.active_children`.
///
/// # Examples
///
/// ```
/// assert!(multiproc_process::active_children().is_empty());
/// ```
#[must_use]
pub fn active_children() -> Vec<Child> {
    let known: Vec<_> = CHILDREN
        .get()
        .lock()
        .map(|children| children.iter().map(Entry::get).collect())
        .unwrap_or_default();
    known
        .into_iter()
        .filter(|(child, _)| !child.has_ended())
        .map(|(child, handles)| to_handle(child, handles))
        .collect()
}

impl Entry {
    fn get(&self) -> (Arc<Inner>, Weak<Shared>) {
        (self.child.clone(), self.handles.clone())
    }
}

fn to_handle(child: Arc<Inner>, handles: Weak<Shared>) -> Child {
    match handles.upgrade() {
        Some(shared) => Child::from_shared(shared),
        None => Child::of(child),
    }
}

/// Enters a child that has just been started.
pub(crate) fn add(child: &Arc<Inner>, handles: &Arc<Shared>) {
    exit::end_children_with(end_all);
    if let Ok(mut children) = CHILDREN.get().lock() {
        children.push(Entry { child: child.clone(), handles: Arc::downgrade(handles) });
    }
}

/// Removes a child that has been reaped.
pub(crate) fn forget(child: &Inner) {
    // What is dropped here may be the last reference, whose drop must not find the table locked.
    let gone = CHILDREN.get().lock().ok().and_then(|mut children| {
        let at = children.iter().position(|entry| ptr::eq(&raw const *entry.child, child))?;
        Some(children.swap_remove(at))
    });
    drop(gone);
}

/// At exit: terminates the daemonic children and waits for the others.
fn end_all() {
    let Some(table) = CHILDREN.get_if_made() else { return };
    let children: Vec<_> = table
        .lock()
        .map(|children| children.iter().map(|entry| entry.child.clone()).collect())
        .unwrap_or_default();
    if children.is_empty() {
        return;
    }
    let (daemons, others): (Vec<_>, Vec<_>) = children
        .into_iter()
        .filter(|child| !child.has_ended())
        .partition(|child| child.is_daemon());
    for child in &daemons {
        logging::info(format_args!("calling terminate() for daemon {}", child.name()));
        let _ = child.terminate();
    }
    for child in &others {
        logging::info(format_args!("calling join() for process {}", child.name()));
        let _ = child.wait(None);
    }
    let deadline = Instant::now().checked_add(GRACE);
    for child in &daemons {
        logging::info(format_args!("calling join() for process {}", child.name()));
        if !matches!(child.wait(deadline), Ok(true)) {
            let _ = child.kill();
            let _ = child.wait(None);
        }
    }
}
