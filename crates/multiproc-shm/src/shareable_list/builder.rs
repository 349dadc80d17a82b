//! A list in shared memory, described before it is made.

use super::{
    Item, ShareableList,
    layout::{LONGEST, Layout, Version},
    packed::Packed,
};
use crate::{Builder, ListError, ShmError};

/// Describes a list that is about to be made.
///
/// # Python
///
/// `ShareableList` takes no choices.
///
/// # Examples
///
/// ```
/// use multiproc_shm::{ListBuilder, ShareableList};
///
/// let list = ShareableList::builder().track(false).create([1, 2, 3])?;
/// assert_eq!(list.len(), 3);
/// list.memory().unlink()?;
/// # Ok::<(), multiproc_shm::ListError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `create`"]
pub struct ListBuilder {
    memory: Builder,
    version: Version,
}

impl ListBuilder {
    pub(super) fn new() -> Self {
        Self { memory: Builder::default(), version: Version::Offsets }
    }

    /// Chooses whether the tracker removes the name when all processes of this family have ended; true unless said here.
    pub fn track(mut self, track: bool) -> Self {
        self.memory = self.memory.track(track);
        self
    }

    /// Lays the list out as Python 3.8 does, which cannot read what 3.9 and later write. Rust opens both.
    pub fn for_python_3_8(mut self) -> Self {
        self.version = Version::Lengths;
        self
    }

    /// Makes a list of these items, under a name of its own.
    ///
    /// # Errors
    ///
    /// [`ListError::TooLarge`] for a text or byte string of more than nine million bytes; [`ListError::Memory`].
    pub fn create<I>(self, items: I) -> Result<ShareableList, ListError>
    where
        I: IntoIterator<Item: Into<Item>>,
    {
        self.make(None, items.into_iter().map(Into::into).collect())
    }

    /// Makes a list of these items, under this name.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_named<I>(self, name: &str, items: I) -> Result<ShareableList, ListError>
    where
        I: IntoIterator<Item: Into<Item>>,
    {
        self.make(Some(name), items.into_iter().map(Into::into).collect())
    }

    fn make(self, name: Option<&str>, items: Vec<Item>) -> Result<ShareableList, ListError> {
        let too_large = |size| ListError::TooLarge { size, room: LONGEST };
        for item in &items {
            if LONGEST < item.len() {
                return Err(too_large(item.len()));
            }
        }
        let layout = Layout::plan(&items, self.version);
        let size = layout.checked_size().ok_or(ShmError::InvalidSize { size: usize::MAX })?;
        let mut bytes = vec![0; size];
        layout.write(self.version, &mut bytes);
        for (index, item) in items.iter().enumerate() {
            let Some(slot) = layout.slot(index) else { break };
            let packed = Packed::new(item, slot.room).map_err(|_| too_large(item.len()))?;
            bytes[slot.data..slot.data + packed.value.len()].copy_from_slice(&packed.value);
            bytes[slot.format..slot.format + packed.format.len()].copy_from_slice(&packed.format);
            bytes[slot.kind] = packed.kind;
        }
        let memory = self.memory.create_holding(name, &bytes)?;
        Ok(ShareableList { memory, layout })
    }
}
