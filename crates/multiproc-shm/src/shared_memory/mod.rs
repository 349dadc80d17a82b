//! Shared memory with a name.

mod builder;
pub(crate) mod place;
mod random_name;

use std::{
    fmt,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use multiproc_wire::Handle;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

pub use builder::Builder;

use crate::{
    SharedBytes, ShmError,
    mapping::Mapping,
    segment::check_size,
    tracker::{self, Line, Registration},
};

/// Shared memory with a name, by which any program of this user's can open it, a Python one too.
///
/// It is what Python's `SharedMemory` is: a file in `/dev/shm`, without a header, of exactly the size asked for. Its memory
/// is there from the start, so it never runs out of it later. Dropping the value, or [`close`](Self::close), ends this
/// process's use of it; the name stays until somebody says [`unlink`](Self::unlink), and the memory until nobody uses it
/// any more.
///
/// A value can be an argument, a message or a field: the descriptor travels along, so it arrives even if the name is gone
/// by then. Clones are the same memory in the same place. Memory that need not be found by name is better a
/// [`Segment`](crate::Segment), which leaves nothing behind.
///
/// Whoever may open the file may also cut it short; then what lies beyond its new end can no longer be accessed, and
/// the kernel says so by SIGBUS. No program that means well does it, and the system offers no protection for files with a
/// name.
///
/// # If a process dies
///
/// The name of a block that this family has made is removed by the [tracker](crate::tracker) once all its processes have
/// ended, with a warning on standard error. Until then, and for those who have opened it, nothing changes.
///
/// # Python
///
/// `multiprocessing.shared_memory.SharedMemory`. There, opening a block also means that it is removed when the opening
/// program ends; here only what was made is, unless [`Builder::track`] says otherwise.
///
/// # Examples
///
/// ```
/// use multiproc_shm::SharedMemory;
///
/// multiproc_image::entry::init(); // Or `#[multiproc::main]`.
/// let memory = SharedMemory::create(10)?;
/// memory.buf().write(0, b"howdy")?;
///
/// let same = SharedMemory::open(memory.name())?; // In another process, say.
/// assert_eq!(same.buf().slice(..5)?.to_vec(), b"howdy");
/// same.close();
///
/// memory.unlink()?;
/// # Ok::<(), multiproc_shm::ShmError>(())
/// ```
#[derive(Clone)]
pub struct SharedMemory(Arc<Inner>);

struct Inner {
    registration: Registration,
    // Invariant: the file that `mapping` maps.
    file: Handle,
    mapping: Mapping,
    /// Where it is registered to be removed; none if it is not tracked.
    line: Option<Line>,
}

/// What travels.
#[derive(Serialize, Deserialize)]
struct Parcel {
    name: String,
    size: u64,
    file: Handle,
    line: Option<Handle>,
}

impl SharedMemory {
    fn new(registration: Registration, file: Handle, mapping: Mapping, line: Option<Line>) -> Self {
        Self(Arc::new(Inner { registration, file, mapping, line }))
    }

    /// Begins the description of a block, for choices that the other constructors do not offer.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Makes a block of `size` zero bytes under a name of its own: `psm_` and eight hexadecimal digits.
    ///
    /// # Python
    ///
    /// `SharedMemory(create=True, size=size)`.
    ///
    /// # Errors
    ///
    /// See [`Builder::create`].
    pub fn create(size: usize) -> Result<Self, ShmError> {
        Self::builder().create(size)
    }

    /// Makes a block of `size` zero bytes under this name.
    ///
    /// # Python
    ///
    /// `SharedMemory(name, create=True, size=size)`.
    ///
    /// # Errors
    ///
    /// See [`Builder::create_named`].
    pub fn create_named(name: &str, size: usize) -> Result<Self, ShmError> {
        Self::builder().create_named(name, size)
    }

    /// Opens the block of this name.
    ///
    /// # Python
    ///
    /// `SharedMemory(name, track=False)`.
    ///
    /// # Errors
    ///
    /// See [`Builder::open`].
    pub fn open(name: &str) -> Result<Self, ShmError> {
        Self::builder().open(name)
    }

    /// The name, without a leading slash; it stays what it was when it has been unlinked.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.registration.name
    }

    /// The number of bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.buf().len()
    }

    /// The bytes.
    ///
    /// They cannot outlive the handle:
    ///
    /// ```compile_fail,E0505
    /// let memory = multiproc_shm::SharedMemory::create(10).unwrap();
    /// let bytes = memory.buf();
    /// memory.close();
    /// bytes.fill(0);
    /// ```
    ///
    /// # Python
    ///
    /// `buf`, which is `None` after `close()`; and `close()` raises `BufferError` while parts of it are in use.
    #[must_use]
    pub fn buf(&self) -> SharedBytes<'_> {
        self.0.mapping.bytes()
    }

    /// Ends the use of the block through this handle, as dropping it does; the block stays.
    pub fn close(self) {
        drop(self);
    }

    /// Removes the name, so that nobody can open the block any more; whoever has it keeps it.
    ///
    /// Any handle may do that, once; the memory is freed with the last handle of the last process.
    ///
    /// # Errors
    ///
    /// [`ShmError::NotFound`] if it is removed already, also where another block has come under the name since;
    /// [`ShmError::Os`].
    pub fn unlink(&self) -> Result<(), ShmError> {
        let Registration { name, identity } = &self.0.registration;
        if place::identity_of(name) != Some(*identity) {
            return Err(ShmError::NotFound { name: name.clone() });
        }
        place::remove_exactly(name, *identity).map_err(unlinking(name))?;
        self.forget();
        Ok(())
    }

    /// Removes the name of a block that this process need not have open.
    ///
    /// # Python
    ///
    /// `_posixshmem.shm_unlink`.
    ///
    /// # Errors
    ///
    /// [`ShmError::InvalidName`], [`ShmError::NotFound`], [`ShmError::Os`].
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_shm::{SharedMemory, ShmError};
    ///
    /// let result = SharedMemory::unlink_named("never made");
    /// assert!(matches!(result, Err(ShmError::NotFound { .. })));
    /// ```
    pub fn unlink_named(name: &str) -> Result<(), ShmError> {
        let name = place::check_name(name)?;
        let Some(identity) = place::identity_of(name) else {
            return Err(ShmError::NotFound { name: name.into() });
        };
        place::remove_exactly(name, identity).map_err(unlinking(name))?;
        tracker::unregister(&Line::Own, &Registration { name: name.into(), identity });
        Ok(())
    }

    /// True if the tracker of some process removes the name when nobody is left who could.
    #[must_use]
    pub fn is_tracked(&self) -> bool {
        self.0.line.is_some()
    }

    /// Has the trackers forget a name that is gone.
    fn forget(&self) {
        // One that was opened may have been made, and so registered, by a process that shares our tracker.
        tracker::unregister(&Line::Own, &self.0.registration);
        if let Some(line @ Line::Foreign(_)) = &self.0.line {
            tracker::unregister(line, &self.0.registration);
        }
    }
}

fn unlinking(name: &str) -> impl FnOnce(std::io::Error) -> ShmError {
    move |source| match source.kind() {
        std::io::ErrorKind::NotFound => ShmError::NotFound { name: name.into() },
        _ => ShmError::os(format!("unlink shared memory {name:?}"))(source),
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("name", &self.name())
            .field("size", &self.size())
            .finish()
    }
}

impl Serialize for SharedMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = self.0.line.as_ref().map(Line::to_handle).transpose();
        let line = line.map_err(ser::Error::custom)?.flatten();
        let file = self.0.file.clone();
        let (name, size) = (self.name().to_owned(), self.size() as u64);
        Parcel { name, size, file, line }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Parcel::deserialize(deserializer)?.open().map_err(de::Error::custom)
    }
}

impl Parcel {
    /// Maps what has come, if it is what it says.
    fn open(self) -> Result<SharedMemory, ShmError> {
        let foreign = |what| ShmError::Foreign { what };
        let name = place::check_name(&self.name)?.to_owned();
        let stat = place::look(&self.file).map_err(ShmError::os("use received shared memory"))?;
        let size = usize::try_from(self.size).ok().filter(|size| check_size(*size).is_ok());
        let size = size.ok_or(foreign("shared memory of a size that cannot be"))?;
        if u64::try_from(stat.st_size).is_ok_and(|there| there < self.size) {
            return Err(foreign("shared memory that is shorter than announced"));
        }
        let mapping = Mapping::new(&self.file, size);
        let mapping = mapping.map_err(ShmError::os(format!("map shared memory {name:?}")))?;
        let registration = Registration { name, identity: place::identity(&stat) };
        let line = self.line.map(Line::received);
        Ok(SharedMemory::new(registration, self.file, mapping, line))
    }
}

#[cfg(test)]
mod tests;
