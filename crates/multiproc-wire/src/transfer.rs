//! The transfer: where handles gather while a value is written, and wait while one is read.
//!
//! One stands open per thread at most. Opening another sets the first aside until it ends, so an
//! encode inside somebody's `Serialize` is a message of its own. Both guards restore what was
//! before when they are dropped, by a panic too.

use std::{
    cell::{Cell, RefCell},
    mem,
    os::fd::OwnedFd,
};

use crate::Handle;

/// What the thread is at. Has no destructor, so it can be asked at any time and costs next to nothing where no handles
/// are: its parts are set one by one, since what was written in parts is slow to be read as a whole.
struct Transfer {
    mode: Cell<Mode>,
    /// Writing: the index of the message's next handle. Reading: the number of its descriptors.
    count: Cell<usize>,
    /// Reading: where the message's descriptors begin in the store. Those of transfers that were
    /// set aside lie before them.
    base: Cell<usize>,
    /// Writing: how many transfers of this thread it is inside of.
    depth: Cell<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Closed,
    Writing,
    Reading,
}

/// What is under way on this thread, of all its transfers one behind the other.
struct Store {
    outgoing: Vec<Handle>,
    /// Those among them that several values share, the innermost transfer's last.
    common: Vec<Common>,
    incoming: Vec<Incoming>,
}

/// A handle of a message being written that several values may refer to.
struct Common {
    depth: usize,
    key: CommonKey,
    index: u32,
    handle: Handle,
}

/// What tells the common handles of a message apart: whose it is, and two numbers of theirs.
pub(crate) type CommonKey = (&'static str, u64, u64);

/// A descriptor of a message being read.
enum Incoming {
    Taken,
    /// Nobody has asked for it yet.
    Untouched(OwnedFd),
    /// Several values may refer to it, and one does.
    Common(Handle),
}

thread_local! {
    static CURRENT: Transfer = const {
        Transfer {
            mode: Cell::new(Mode::Closed),
            count: Cell::new(0),
            base: Cell::new(0),
            depth: Cell::new(0),
        }
    };
    static STORE: RefCell<Store> =
        const { RefCell::new(Store { outgoing: Vec::new(), common: Vec::new(), incoming: Vec::new() }) };
}

/// Why a handle could not join or leave a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransferError {
    #[error(
        "a handle can be serialized only inside a message: send it over a connection, \
         pass it as an argument, or use multiproc_wire::encode"
    )]
    NotWriting,
    #[error(
        "a handle can be deserialized only out of a message: receive it from a connection, \
         take it as an argument, or use multiproc_wire::decode"
    )]
    NotReading,
    #[error("handle {index} of a message that came with {count}")]
    OutOfRange { index: u32, count: usize },
    #[error("handle {index} is taken twice from one message")]
    TakenTwice { index: u32 },
    #[error("more than 2^32 handles in one message")]
    TooMany,
    #[error("handles cannot travel any more: the thread is ending")]
    ThreadEnding,
}

pub(crate) fn is_writing() -> bool {
    CURRENT.with(|transfer| transfer.mode.get() == Mode::Writing)
}

pub(crate) fn is_reading() -> bool {
    CURRENT.with(|transfer| transfer.mode.get() == Mode::Reading)
}

/// Adds a handle to the message being written and returns its index there.
pub(crate) fn push(handle: Handle) -> Result<u32, TransferError> {
    if !is_writing() {
        return Err(TransferError::NotWriting);
    }
    CURRENT.with(|transfer| {
        let count = transfer.count.get();
        let index = u32::try_from(count).map_err(|_| TransferError::TooMany)?;
        with_store(|store| store.outgoing.push(handle)).ok_or(TransferError::ThreadEnding)?;
        transfer.count.set(count + 1);
        Ok(index)
    })
}

/// Returns the handle that the message being written already has under `key`.
pub(crate) fn find_common(key: CommonKey) -> Option<Handle> {
    of_message(|common| common.key == key, |common| common.handle.clone())
}

/// Returns the index in the message being written of a handle that it already has under `key`.
pub(crate) fn index_of_common(key: CommonKey, handle: &Handle) -> Option<u32> {
    of_message(|common| common.key == key && common.handle.is_same(handle), |common| common.index)
}

/// Returns something of the newest common handle of the message being written that is wanted.
fn of_message<T>(is_wanted: impl Fn(&Common) -> bool, get: impl Fn(&Common) -> T) -> Option<T> {
    if !is_writing() {
        return None;
    }
    let depth = CURRENT.with(|transfer| transfer.depth.get());
    with_store(|store| {
        let mut ours = store.common.iter().rev().take_while(|common| common.depth == depth);
        ours.find(|common| is_wanted(common)).map(get)
    })?
}

/// Adds a handle that later values of the message find under `key`.
pub(crate) fn push_common(key: CommonKey, handle: Handle) -> Result<u32, TransferError> {
    let index = push(handle.clone())?;
    let depth = CURRENT.with(|transfer| transfer.depth.get());
    with_store(|store| store.common.push(Common { depth, key, index, handle }))
        .ok_or(TransferError::ThreadEnding)?;
    Ok(index)
}

/// Takes a descriptor out of the message being read.
pub(crate) fn take(index: u32) -> Result<OwnedFd, TransferError> {
    receive(index, |incoming| match mem::replace(incoming, Incoming::Taken) {
        Incoming::Untouched(fd) => Some(fd),
        other => {
            *incoming = other;
            None
        }
    })
}

/// Takes part in a descriptor of the message being read, which others may refer to as well.
pub(crate) fn take_common(index: u32) -> Result<Handle, TransferError> {
    receive(index, |incoming| {
        *incoming = match mem::replace(incoming, Incoming::Taken) {
            Incoming::Untouched(fd) => Incoming::Common(Handle::from(fd)),
            other => other,
        };
        match incoming {
            Incoming::Common(handle) => Some(handle.clone()),
            _ => None,
        }
    })
}

fn receive<T>(
    index: u32,
    take: impl FnOnce(&mut Incoming) -> Option<T>,
) -> Result<T, TransferError> {
    if !is_reading() {
        return Err(TransferError::NotReading);
    }
    let (count, base) = CURRENT.with(|transfer| (transfer.count.get(), transfer.base.get()));
    let place = usize::try_from(index).ok().filter(|place| *place < count);
    let place = place.ok_or(TransferError::OutOfRange { index, count })?;
    with_store(|store| take(&mut store.incoming[base + place]))
        .ok_or(TransferError::ThreadEnding)?
        .ok_or(TransferError::TakenTwice { index })
}

/// A transfer open for writing.
pub(crate) struct Writing<'a> {
    handles: &'a mut Vec<Handle>,
    keep: bool,
    mode_before: Mode,
    count_before: usize,
}

impl<'a> Writing<'a> {
    #[inline]
    pub(crate) fn begin(handles: &'a mut Vec<Handle>) -> Self {
        CURRENT.with(|transfer| {
            transfer.depth.set(transfer.depth.get() + 1);
            let mode_before = transfer.mode.replace(Mode::Writing);
            let count_before = transfer.count.replace(handles.len());
            Self { handles, keep: false, mode_before, count_before }
        })
    }

    /// Keeps what was gathered. A guard that is only dropped forgets it.
    #[inline]
    pub(crate) fn commit(&mut self) {
        self.keep = true;
    }

    /// Takes what was gathered out of the store.
    #[cold]
    fn collect(&mut self, gathered: usize, depth: usize) {
        with_store(|store| {
            let start = store.outgoing.len() - gathered;
            let ours = store.outgoing.drain(start..);
            if self.keep {
                self.handles.extend(ours);
            }
            while store.common.pop_if(|common| common.depth == depth).is_some() {}
        });
    }
}

impl Drop for Writing<'_> {
    #[inline]
    fn drop(&mut self) {
        let (count, depth) = CURRENT.with(|transfer| {
            transfer.mode.set(self.mode_before);
            let depth = transfer.depth.get();
            transfer.depth.set(depth - 1);
            (transfer.count.replace(self.count_before), depth)
        });
        let gathered = count - self.handles.len();
        if gathered > 0 {
            self.collect(gathered, depth);
        }
    }
}

/// A transfer open for reading, which closes what nobody took.
pub(crate) struct Reading {
    mode_before: Mode,
    count_before: usize,
    base_before: usize,
}

impl Reading {
    #[inline]
    pub(crate) fn begin(fds: Vec<OwnedFd>) -> Self {
        let (mut count, mut base) = (0, 0);
        if !fds.is_empty() {
            // With the store gone they are closed here, and none can be taken.
            with_store(|store| {
                count = fds.len();
                base = store.incoming.len();
                store.incoming.extend(fds.into_iter().map(Incoming::Untouched));
            });
        }
        CURRENT.with(|transfer| Self {
            mode_before: transfer.mode.replace(Mode::Reading),
            count_before: transfer.count.replace(count),
            base_before: transfer.base.replace(base),
        })
    }
}

impl Drop for Reading {
    #[inline]
    fn drop(&mut self) {
        let (count, base) = CURRENT.with(|transfer| {
            transfer.mode.set(self.mode_before);
            (transfer.count.replace(self.count_before), transfer.base.replace(self.base_before))
        });
        if 0 < count {
            with_store(|store| store.incoming.truncate(base));
        }
    }
}

/// Calls `f` with the thread's handles, unless the thread is past having any.
fn with_store<R>(f: impl FnOnce(&mut Store) -> R) -> Option<R> {
    // No `f` of ours runs anybody's code, so the cell is never borrowed already.
    STORE.try_with(|store| f(&mut store.borrow_mut())).ok()
}
