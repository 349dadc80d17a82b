//! A descriptor that can be part of a message.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::transfer;

/// A shared, open descriptor that travels inside messages.
///
/// Types that stand for something of the operating system hold one and derive `Serialize` and
/// `Deserialize`; so does every such type of ours. To send it duplicates nothing here: clones share
/// the descriptor, which is closed when the last is dropped. The receiver gets a descriptor of its
/// own. A handle that stands twice in one message arrives as two.
///
/// # If a process dies
///
/// The system closes its descriptors. One that was sent and not yet received lives as long as the
/// message it travels in.
///
/// # Python
///
/// `multiprocessing.reduction.DupFd` and `send_handle`, which need a thread that hands descriptors
/// out. Here they go with the message itself.
///
/// # Examples
///
/// ```
/// use std::{fs::File, os::fd::OwnedFd};
///
/// use multiproc_wire::Handle;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Job {
///     name: String,
///     log: Handle,
/// }
///
/// let log = Handle::from(OwnedFd::from(File::open("/dev/null")?));
/// let message = multiproc_wire::encode(&Job { name: "first".to_owned(), log })?;
/// assert_eq!(message.handles.len(), 1);
///
/// let job: Job = message.decode()?;
/// assert_eq!(job.name, "first");
/// let _log = File::from(job.log.into_owned()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle(Arc<OwnedFd>);

impl Handle {
    /// Returns the descriptor itself if this is its only handle, else a duplicate.
    ///
    /// # Errors
    ///
    /// Returns the system's error when a duplicate is needed and none can be made, as when too many
    /// files are open. Python raises `OSError`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fs::File, os::fd::{AsRawFd, OwnedFd}};
    ///
    /// use multiproc_wire::Handle;
    ///
    /// let handle = Handle::from(OwnedFd::from(File::open("/dev/null")?));
    /// let other = handle.clone();
    /// let number = handle.as_raw_fd();
    /// assert_ne!(handle.into_owned()?.as_raw_fd(), number, "a duplicate, `other` holds the first");
    /// assert_eq!(other.into_owned()?.as_raw_fd(), number);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_owned(self) -> io::Result<OwnedFd> {
        Arc::try_unwrap(self.0).or_else(|shared| shared.try_clone())
    }

    /// Returns the descriptor as it is shared, to be kept open beside this handle and its clones.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fs::File, os::fd::{AsRawFd, OwnedFd}};
    ///
    /// use multiproc_wire::Handle;
    ///
    /// let handle = Handle::from(OwnedFd::from(File::open("/dev/null")?));
    /// assert_eq!(handle.share().as_raw_fd(), handle.as_raw_fd());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn share(&self) -> Arc<OwnedFd> {
        self.0.clone()
    }

    /// Returns true if both share one descriptor.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Returns whether this thread is writing a message that handles can join.
///
/// For a type that holds a descriptor and has a second form for where none can travel.
///
/// # Examples
///
/// ```
/// assert!(!multiproc_wire::is_writing());
/// ```
#[must_use]
pub fn is_writing() -> bool {
    transfer::is_writing()
}

/// Returns whether this thread is reading a message that handles may have come with.
///
/// # Examples
///
/// ```
/// assert!(!multiproc_wire::is_reading());
/// ```
#[must_use]
pub fn is_reading() -> bool {
    transfer::is_reading()
}

impl From<OwnedFd> for Handle {
    fn from(fd: OwnedFd) -> Self {
        Self(Arc::new(fd))
    }
}

impl TryFrom<Handle> for OwnedFd {
    type Error = io::Error;

    fn try_from(handle: Handle) -> io::Result<Self> {
        handle.into_owned()
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Handle {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let index = transfer::push(self.clone()).map_err(ser::Error::custom)?;
        serializer.serialize_u32(index)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let index = u32::deserialize(deserializer)?;
        transfer::take(index).map(Self::from).map_err(de::Error::custom)
    }
}
