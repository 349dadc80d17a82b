//! The tables that this process has mapped.

use std::{
    fmt, io,
    os::fd::{AsFd, OwnedFd},
    ptr,
};

use multiproc_image::{Boot, after_fork, bootstrap};
use multiproc_sys::primitive::{AtomicPtr, AtomicU32, Ordering};
use multiproc_wire::{CommonHandle, Handle};

use super::{
    Life, TableError, claim,
    entry::{Layout, SIZE},
    life,
    name::Name,
    stat,
};
use crate::Segment;

/// A table of processes that share locks.
///
/// Every process of a family is handed the family's when it starts; with a lock of another family comes the table of that
/// one. Tables are never unmapped.
///
/// # If a process dies
///
/// The kernel marks its entry, and whoever wants a lock that it held is woken and finds it without a living holder. The
/// entry is used again for a later process.
///
/// # Examples
///
/// ```
/// use multiproc_shm::{Life, Table};
///
/// let table = Table::home()?;
/// let me = table.me()?;
/// assert_eq!(table.me()?, me, "a process has one name in a table, and keeps it");
/// assert!(!matches!(table.life(me), Life::Dead));
/// # Ok::<(), multiproc_shm::TableError>(())
/// ```
pub struct Table {
    segment: Segment,
    /// The name of this process in it, or 0: not yet asked for, or asked for by the process that this one was forked from.
    me: AtomicU32,
    /// The table that was attached before.
    next: AtomicPtr<Table>,
}

/// All tables, the latest first. Leaked, and only ever added to, so that no lock is needed that a fork could leave locked.
static ATTACHED: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());
/// The family's table.
static HOME: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());

impl Table {
    /// The table of this family: what this process was handed, or else the first that came here, or else a new one.
    ///
    /// # Errors
    ///
    /// [`TableError::Memory`].
    pub fn home() -> Result<&'static Self, TableError> {
        match load(&HOME) {
            Some(home) => Ok(home),
            None => Self::found(),
        }
    }

    #[cold]
    fn found() -> Result<&'static Self, TableError> {
        let segment = Segment::sparse(SIZE)?;
        segment.reserve(0, size_of::<u64>())?;
        Layout(&segment).initialize(stat::namespace());
        let table = attach(segment);
        // Of two threads that come here at once, one table is left without use.
        let none = ptr::null_mut();
        let here = ptr::from_ref(table).cast_mut();
        let _ = HOME.compare_exchange(none, here, Ordering::AcqRel, Ordering::Acquire);
        Ok(load(&HOME).unwrap_or(table))
    }

    /// The table behind a handle that came with a lock.
    ///
    /// # Errors
    ///
    /// [`TableError::Foreign`] if it is none; [`TableError::Memory`].
    pub fn attach(handle: Handle) -> Result<&'static Self, TableError> {
        let stat = rustix::fs::fstat(&handle).map_err(|errno| TableError::Os {
            what: "look at a table of processes",
            source: errno.into(),
        })?;
        let table = match known((stat.st_dev, stat.st_ino)) {
            Some(table) => table,
            None => {
                let segment = Segment::from_handle(handle)?;
                if !Layout(&segment).is_table() {
                    return Err(TableError::Foreign);
                }
                attach(segment)
            }
        };
        let none = ptr::null_mut();
        let here = ptr::from_ref(table).cast_mut();
        let _ = HOME.compare_exchange(none, here, Ordering::AcqRel, Ordering::Acquire);
        Ok(table)
    }

    /// What another process attaches to.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.segment.handle()
    }

    /// The same for a message, of which many values may name this table.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn common_handle(&self) -> io::Result<CommonHandle> {
        let (device, inode) = self.segment.identity();
        CommonHandle::of_message(("process table", device, inode), || Ok(self.handle()))
    }

    /// The name of this process, which is never 0.
    ///
    /// # Errors
    ///
    /// [`TableError::Exhausted`], [`TableError::Namespace`], [`TableError::Memory`].
    #[inline]
    pub fn me(&'static self) -> Result<u32, TableError> {
        match self.me.load(Ordering::Relaxed) {
            0 => self.claim(),
            me => Ok(me),
        }
    }

    /// The name of this process, or 0 if it has none.
    #[inline]
    #[must_use]
    pub fn me_if_known(&self) -> u32 {
        self.me.load(Ordering::Relaxed)
    }

    #[cold]
    fn claim(&'static self) -> Result<u32, TableError> {
        let known = || Some(self.me_if_known()).filter(|me| *me != 0);
        claim::once(known, || {
            let Name(me) = claim::claim(Layout(&self.segment))?;
            self.me.store(me, Ordering::Release);
            Ok(me)
        })
    }

    /// Whether the process of this name lives.
    #[must_use]
    pub fn life(&'static self, name: u32) -> Life {
        life::of(Layout(&self.segment), Name(name))
    }

    /// The thread that does nothing but hold this process's entry, where the first thread does not.
    #[must_use]
    pub fn keeper(&self) -> Option<u32> {
        let name = Some(self.me_if_known()).filter(|me| *me != 0)?;
        let thread = Layout(&self.segment).entry_of(Name(name)).thread().load(Ordering::Relaxed);
        Some(thread).filter(|thread| *thread != std::process::id())
    }

    /// True if the kernel wakes for every process of this table that is killed, so that one may sleep for long.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        Layout(&self.segment).unwatched().load(Ordering::Relaxed) == 0
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("me", &self.me_if_known()).finish_non_exhaustive()
    }
}

fn load(table: &AtomicPtr<Table>) -> Option<&'static Table> {
    let table = table.load(Ordering::Acquire);
    #[expect(unsafe_code, reason = "tables are leaked")]
    // SAFETY: Null, or a leaked box that changes only by its atomics.
    unsafe {
        table.as_ref()
    }
}

fn known(identity: (u64, u64)) -> Option<&'static Table> {
    let all = std::iter::successors(load(&ATTACHED), |table| load(&table.next));
    all.into_iter().find(|table| table.segment.identity() == identity)
}

/// Adds a table, unless another thread has just done so.
fn attach(segment: Segment) -> &'static Table {
    after_fork::register(forget_names);
    bootstrap::provide(hand_down);
    let identity = segment.identity();
    let fresh = Box::into_raw(Box::new(Table {
        segment,
        me: AtomicU32::new(0),
        next: AtomicPtr::new(ptr::null_mut()),
    }));
    let newest = AtomicPtr::new(fresh);
    let Some(table) = load(&newest) else { unreachable!("a box is not null") };
    loop {
        let before = ATTACHED.load(Ordering::Acquire);
        if let Some(known) = known(identity) {
            // Ours stays mapped without use: this takes two threads at one moment.
            return known;
        }
        table.next.store(before, Ordering::Relaxed);
        if ATTACHED.compare_exchange(before, fresh, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return table;
        }
    }
}

/// In the child of a fork: the names are the parent's.
fn forget_names() {
    let mut next = load(&ATTACHED);
    while let Some(table) = next {
        table.me.store(0, Ordering::Relaxed);
        next = load(&table.next);
    }
}

/// Hands the family's table to a process that is started.
fn hand_down() -> Option<bootstrap::Item> {
    let fd = load(&HOME)?.segment.as_fd().try_clone_to_owned().ok()?;
    Some(bootstrap::Item { install: take_over, bytes: Vec::new(), fds: vec![fd] })
}

/// In a new process: what was handed down is its family's table.
fn take_over(boot: Boot) {
    // Without it the process makes one of its own, as foreign to the others as theirs are to it.
    let fd: Option<OwnedFd> = boot.fds.into_iter().next();
    if let Some(Ok(table)) = fd.map(|fd| Table::attach(fd.into())) {
        HOME.store(ptr::from_ref(table).cast_mut(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
