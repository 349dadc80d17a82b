//! Shared memory without a name.

use std::{
    fmt,
    os::fd::{AsFd, BorrowedFd},
    ptr::NonNull,
    sync::Arc,
};

use multiproc_sys::memfd;
use multiproc_wire::Handle;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{SharedBytes, ShmError, error::is_out_of_memory, mapping::Mapping, memory};

/// Shared memory without a name, which lives as long as somebody holds it.
///
/// It is a sealed memfd: nobody can change its length, so no access to it is ever answered with SIGBUS, and it does not
/// need `/dev/shm`. It travels inside messages as a descriptor; whoever receives one maps the same memory, and a forked
/// child has it anyway. Clones are the same memory in the same place.
///
/// # If a process dies
///
/// The memory is freed when the last process that holds it has ended, however it ended. Nothing stays behind.
///
/// # Python
///
/// `multiprocessing.heap.Arena`, which is a file.
///
/// # Examples
///
/// ```
/// use multiproc_shm::Segment;
///
/// let segment = Segment::new(4096)?;
/// segment.bytes().write(0, b"seen by all")?;
///
/// let sent = multiproc_wire::encode(&segment)?; // By a connection, say.
/// let received: Segment = sent.decode()?;
/// assert_eq!(received.bytes().slice(..11)?.to_vec(), b"seen by all");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Segment(Arc<Inner>);

struct Inner {
    // Invariant: a memfd of `mapping`'s size that can neither grow nor shrink.
    file: Handle,
    mapping: Arc<Mapping>,
    identity: (u64, u64),
}

impl Segment {
    /// Makes a segment of `size` zero bytes, all of whose memory is there when this returns.
    ///
    /// # Errors
    ///
    /// [`ShmError::InvalidSize`], [`ShmError::NoSpace`], [`ShmError::Os`].
    pub fn new(size: usize) -> Result<Self, ShmError> {
        let segment = Self::sparse(size)?;
        segment.reserve(0, size)?;
        Ok(segment)
    }

    /// Makes a segment of `size` zero bytes, an address range that gets memory page by page when it is touched.
    ///
    /// Where the system then has none left it ends a process, as for any other memory; [`reserve`](Self::reserve) makes
    /// that an error.
    ///
    /// # Errors
    ///
    /// [`ShmError::InvalidSize`], [`ShmError::Os`].
    pub fn sparse(size: usize) -> Result<Self, ShmError> {
        let length = check_size(size)?;
        let file = memfd::fixed(length).map_err(ShmError::os("make a shared segment"))?;
        Self::from_handle(file.into())
    }

    /// Maps the segment that another process has made and whose descriptor came from there.
    ///
    /// # Errors
    ///
    /// [`ShmError::Foreign`] if it is no such descriptor; [`ShmError::Os`].
    pub fn from_handle(file: Handle) -> Result<Self, ShmError> {
        if !memfd::is_fixed(&file) {
            return Err(ShmError::Foreign {
                what: "a file that can shrink, where a segment should be",
            });
        }
        let stat = rustix::fs::fstat(&file);
        let stat = stat.map_err(|errno| ShmError::os("look at a shared segment")(errno.into()))?;
        let foreign = || ShmError::Foreign { what: "a segment of a size that cannot be" };
        let size = usize::try_from(stat.st_size).map_err(|_| foreign())?;
        check_size(size).map_err(|_| foreign())?;
        let mapping = Mapping::new(&file, size);
        let mapping = mapping.map_err(ShmError::os(format!("map a segment of {size} bytes")))?;
        let mapping = Arc::new(mapping);
        Ok(Self(Arc::new(Inner { file, mapping, identity: (stat.st_dev, stat.st_ino) })))
    }

    /// The number of bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes().len()
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> SharedBytes<'_> {
        self.0.mapping.bytes()
    }

    /// Where the bytes begin in this process, for as long as a clone of this segment lives.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.0.mapping.start()
    }

    /// Sees to it that `len` bytes from `offset` on have memory, so that no access to them can fail.
    ///
    /// # Errors
    ///
    /// [`ShmError::NoSpace`] where there is none left; [`ShmError::OutOfRange`], [`ShmError::Os`].
    pub fn reserve(&self, offset: usize, len: usize) -> Result<(), ShmError> {
        self.bytes().slice(offset..offset.saturating_add(len))?;
        let size = len as u64;
        let reserved =
            memory::check(size).and_then(|()| memfd::reserve(self.as_fd(), offset as u64, size));
        reserved.map_err(|source| {
            if !is_out_of_memory(&source) {
                return ShmError::os("reserve memory of a shared segment")(source);
            }
            let advice = "raise the memory limit, or share less".into();
            ShmError::NoSpace { size, place: "memory", advice, source }
        })
    }

    /// Gives back the memory of the whole pages among `len` bytes from `offset` on; all these bytes are zero then.
    ///
    /// # Errors
    ///
    /// [`ShmError::OutOfRange`], [`ShmError::Os`].
    pub fn release(&self, offset: usize, len: usize) -> Result<(), ShmError> {
        self.bytes().slice(offset..offset.saturating_add(len))?;
        memfd::release(self.as_fd(), offset as u64, len as u64)
            .map_err(ShmError::os("give back memory of a shared segment"))
    }

    /// Two numbers that tell this segment from every other that lives, the same in all processes.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        self.0.identity
    }

    /// What it consists of: its descriptor and its memory.
    pub(crate) fn into_parts(self) -> (Handle, Arc<Mapping>) {
        (self.0.file.clone(), Arc::clone(&self.0.mapping))
    }

    /// The descriptor, as a handle that shares it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.0.file.clone()
    }
}

/// The size as a file's length, if a block can have it.
pub(crate) fn check_size(size: usize) -> Result<u64, ShmError> {
    match u64::try_from(size) {
        Ok(length) if 0 < size && isize::try_from(size).is_ok() => Ok(length),
        _ => Err(ShmError::InvalidSize { size }),
    }
}

impl AsFd for Segment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Serialize for Segment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.file.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Segment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_handle(Handle::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::OwnedFd};

    use super::*;

    #[test]
    fn memory_is_zeroed_shared_and_there() {
        let segment = Segment::new(100_000).unwrap();
        assert_eq!(segment.bytes().to_vec(), vec![0; 100_000]);
        let other: Segment = multiproc_wire::encode(&segment).unwrap().decode().unwrap();
        assert_ne!(other.as_ptr(), segment.as_ptr());
        assert_eq!(other.identity(), segment.identity());
        other.bytes().write(99_999, b"x").unwrap();
        assert_eq!(segment.bytes().get::<u8>(99_999).unwrap(), b'x');
        let stat = rustix::fs::fstat(&segment).unwrap();
        assert!(100_000 <= stat.st_blocks * 512, "its pages are reserved");
    }

    #[test]
    fn sparse_segment_costs_nothing_until_it_is_reserved() {
        let segment = Segment::sparse(1 << 34).unwrap();
        let committed = || rustix::fs::fstat(&segment).unwrap().st_blocks * 512;
        assert_eq!(committed(), 0);
        segment.reserve(1 << 30, 8192).unwrap();
        assert_eq!(committed(), 8192);
        segment.bytes().write(1 << 30, b"x").unwrap();
        segment.release(1 << 30, 8192).unwrap();
        assert_eq!((committed(), segment.bytes().get::<u8>(1 << 30).unwrap()), (0, 0));
        assert!(segment.reserve(1 << 34, 1).is_err() && segment.release(usize::MAX, 2).is_err());
    }

    #[test]
    fn too_much_is_an_error() {
        let err = Segment::new(1 << 46).unwrap_err();
        assert!(err.is_exhausted(), "{err}");
        assert!(matches!(Segment::new(0), Err(ShmError::InvalidSize { size: 0 })));
        assert!(matches!(Segment::sparse(usize::MAX), Err(ShmError::InvalidSize { .. })));
    }

    #[test]
    fn other_files_are_refused() {
        let null = OwnedFd::from(File::open("/dev/null").unwrap());
        assert!(matches!(Segment::from_handle(null.into()), Err(ShmError::Foreign { .. })));
        let empty = memfd::fixed(0).unwrap();
        assert!(matches!(Segment::from_handle(empty.into()), Err(ShmError::Foreign { .. })));
        let constant = memfd::seal(b"constant").unwrap();
        assert!(matches!(Segment::from_handle(constant.into()), Err(ShmError::Os { .. })));
    }
}
