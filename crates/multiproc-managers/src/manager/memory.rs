//! The manager of shared memory.

use std::ops::Deref;

use multiproc_shm::{Item, ShareableList, SharedMemory};
use multiproc_wire::pickle::Object;

use super::{BaseManager, Builder};
use crate::{CallError, ManagerError, error::chain, raise};

/// A manager of blocks of shared memory with a name, which it frees when it is shut down.
///
/// # If a process dies
///
/// When this process does, killed too, the server ends and frees the blocks. When the server is killed,
/// the tracker of the process that made a block frees it at the end of that process.
///
/// # Python
///
/// `multiprocessing.managers.SharedMemoryManager`.
///
/// # Examples
///
/// ```
/// use multiproc_managers::SharedMemoryManager;
/// use multiproc_shm::SharedMemory;
///
/// # multiproc_image::entry::init();
/// let manager = SharedMemoryManager::start()?;
/// let block = manager.shared_memory(128)?;
/// let list = manager.shareable_list(["a", "b"])?;
/// let name = block.name().to_owned();
/// assert_eq!(manager.list_segments()?, [name.as_str(), list.memory().name()]);
/// manager.shutdown()?;
/// assert!(SharedMemory::open(&name).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping a manager shuts its server down"]
pub struct SharedMemoryManager(BaseManager);

impl SharedMemoryManager {
    /// Starts a server in a process of its own.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`], and when there is no tracker of names.
    pub fn start() -> Result<Self, ManagerError> {
        Self::builder().start().map(Self)
    }

    /// Begins to describe a manager.
    pub fn builder() -> Builder {
        // Before the server's process, so that both have the same one.
        if let Err(err) = multiproc_shm::tracker::ensure_running() {
            multiproc_image::logging::warning(format_args!("no tracker: {}", chain(&err)));
        }
        Builder::new("SharedMemoryManager")
    }

    /// Makes a block of so many bytes, which the manager frees when it is shut down.
    ///
    /// # Errors
    ///
    /// [`CallError::Raised`] when there is no such block to be had; a block that the server could not
    /// be told of is freed again.
    #[doc(alias = "SharedMemory")]
    pub fn shared_memory(&self, size: usize) -> Result<SharedMemory, CallError> {
        let block = SharedMemory::create(size).map_err(|err| refused(&err))?;
        self.track(block.name()).inspect_err(|_| drop(block.unlink()))?;
        Ok(block)
    }

    /// Makes a list in shared memory, which the manager frees when it is shut down.
    ///
    /// # Errors
    ///
    /// As [`shared_memory`](Self::shared_memory).
    #[doc(alias = "ShareableList")]
    pub fn shareable_list<I>(&self, items: I) -> Result<ShareableList, CallError>
    where
        I: IntoIterator<Item: Into<Item>>,
    {
        let list = ShareableList::new(items).map_err(|err| refused(&err))?;
        self.track(list.memory().name()).inspect_err(|_| drop(list.memory().unlink()))?;
        Ok(list)
    }

    /// Returns the names of the blocks that will be freed.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn list_segments(&self) -> Result<Vec<String>, CallError> {
        let names = self.control("list_segments", vec![])?;
        multiproc_wire::pickle::from_object(names).map_err(CallError::Decode)
    }

    /// Has the server free a block that is somebody else's when it is shut down.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn track_segment(&self, name: &str) -> Result<(), CallError> {
        self.track(name)
    }

    /// Frees a block now.
    ///
    /// # Errors
    ///
    /// [`CallError::Remote`] when the server does not know it.
    pub fn release_segment(&self, name: &str) -> Result<(), CallError> {
        self.control("release_segment", vec![name.into()]).map(drop)
    }

    /// Ends the server and frees the blocks.
    ///
    /// # Errors
    ///
    /// As [`BaseManager::shutdown`].
    pub fn shutdown(self) -> Result<(), ManagerError> {
        self.0.shutdown()
    }

    fn track(&self, name: &str) -> Result<(), CallError> {
        self.control("track_segment", vec![Object::from(name)]).map(drop)
    }
}

fn refused(err: &dyn std::error::Error) -> CallError {
    CallError::Raised(Box::new(raise::builtin("OSError", chain(err))))
}

impl Deref for SharedMemoryManager {
    type Target = BaseManager;

    fn deref(&self) -> &BaseManager {
        &self.0
    }
}

/// Takes a manager to be one of shared memory.
impl From<BaseManager> for SharedMemoryManager {
    fn from(manager: BaseManager) -> Self {
        Self(manager)
    }
}
