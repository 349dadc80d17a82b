//! Lists in shared memory.

mod builder;
mod item;
mod layout;
mod packed;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use builder::ListBuilder;
pub use item::Item;

use self::{
    layout::{Layout, Slot},
    packed::{Misfit, Packed},
};
use crate::{ListError, SharedMemory};

/// A list in shared memory, of fixed length, whose items can change their value and kind.
///
/// It is laid out as CPython's, so a Python program opens it by its name, and Rust opens Python's; see
/// [`ListBuilder::for_python_3_8`] for the oldest. Each text and byte string has the room that its first value had,
/// rounded up to the next multiple of eight bytes above; anything that fits may take its place. Zero bytes at the end of a
/// text or byte string are filling, and gone when it is read back.
///
/// Setting an item takes three writes, so whoever reads it meanwhile may see some of each value, or an error that says
/// that they do not fit together: as in Python, a lock has to keep writers from readers.
///
/// # If a process dies
///
/// As for [`SharedMemory`]. A process killed while it sets an item may leave one that reads as neither the old nor the
/// new value, or as [`ListError::Malformed`]; setting it again mends it.
///
/// # Python
///
/// `multiprocessing.shared_memory.ShareableList`, where an index out of range at the negative end reads garbage and a
/// text that is not ASCII may be cut off.
///
/// # Examples
///
/// ```
/// use multiproc_shm::{Item, ShareableList};
///
/// multiproc_image::entry::init(); // Or `#[multiproc::main]`.
/// let list = ShareableList::new([Item::from("howdy"), 42.into(), None::<bool>.into()])?;
///
/// let same = ShareableList::open(list.memory().name())?; // In another process, say.
/// same.set(-1, true)?;
/// assert_eq!(list.get(2)?, Item::Bool(true));
/// assert_eq!(list.format()?, "8sqxxxxxxx?");
///
/// list.memory().unlink()?;
/// # Ok::<(), multiproc_shm::ListError>(())
/// ```
pub struct ShareableList {
    memory: SharedMemory,
    // Invariant: lies within `memory`.
    layout: Layout,
}

impl ShareableList {
    /// Begins the description of a list, for choices that the other constructors do not offer.
    pub fn builder() -> ListBuilder {
        ListBuilder::new()
    }

    /// Makes a list of these items, in memory with a name of its own.
    ///
    /// # Errors
    ///
    /// See [`ListBuilder::create`].
    pub fn new<I>(items: I) -> Result<Self, ListError>
    where
        I: IntoIterator<Item: Into<Item>>,
    {
        Self::builder().create(items)
    }

    /// Makes a list of these items, in memory with this name.
    ///
    /// # Errors
    ///
    /// See [`ListBuilder::create`].
    pub fn new_named<I>(name: &str, items: I) -> Result<Self, ListError>
    where
        I: IntoIterator<Item: Into<Item>>,
    {
        Self::builder().create_named(name, items)
    }

    /// Opens the list in the memory of this name.
    ///
    /// # Errors
    ///
    /// [`ListError::Malformed`] if no list is there; [`ListError::Memory`].
    pub fn open(name: &str) -> Result<Self, ListError> {
        Self::from_memory(SharedMemory::open(name)?)
    }

    /// Opens the list in this memory.
    ///
    /// # Errors
    ///
    /// [`ListError::Malformed`] if no list is there.
    pub fn from_memory(memory: SharedMemory) -> Result<Self, ListError> {
        match Layout::read(memory.buf()) {
            Ok(layout) => Ok(Self { memory, layout }),
            Err(what) => Err(ListError::Malformed { name: memory.name().into(), what }),
        }
    }

    /// The memory that the list lies in.
    #[doc(alias = "shm")]
    #[must_use]
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// The number of items, which never changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layout.len()
    }

    /// True if there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the item at `index`; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`ListError::IndexOutOfRange`], [`ListError::Malformed`].
    #[doc(alias = "__getitem__")]
    pub fn get(&self, index: isize) -> Result<Item, ListError> {
        self.read(self.slot(index)?)
    }

    /// Stores an item at `index`; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`ListError::TooLarge`], and the old value stays; [`ListError::IndexOutOfRange`], [`ListError::Malformed`].
    #[doc(alias = "__setitem__")]
    pub fn set(&self, index: isize, item: impl Into<Item>) -> Result<(), ListError> {
        let slot = self.slot(index)?;
        let item = item.into();
        let packed = Packed::new(&item, slot.room).map_err(|misfit| match misfit {
            Misfit::TooLarge(size) => ListError::TooLarge { size, room: slot.room },
            Misfit::Slot => self.malformed("an item has room that no list gives it"),
        })?;
        let bytes = self.memory.buf();
        let written = bytes
            .set(slot.format, &packed.format)
            .and_then(|()| bytes.set(slot.kind, &packed.kind))
            .and_then(|()| bytes.write(slot.data, &packed.value));
        written.map_err(|_| self.malformed("an item lies beyond its end"))
    }

    /// Counts the items that equal this one, in value and kind.
    ///
    /// # Errors
    ///
    /// [`ListError::Malformed`].
    pub fn count(&self, item: impl Into<Item>) -> Result<usize, ListError> {
        let item = item.into();
        self.iter().try_fold(0, |count, other| Ok(count + usize::from(other? == item)))
    }

    /// Returns the position of the first item that equals this one, in value and kind.
    ///
    /// # Errors
    ///
    /// [`ListError::Absent`] if there is none; [`ListError::Malformed`].
    pub fn index(&self, item: impl Into<Item>) -> Result<usize, ListError> {
        let item = item.into();
        for (position, other) in self.iter().enumerate() {
            if other? == item {
                return Ok(position);
            }
        }
        Err(ListError::Absent)
    }

    /// Reads the items one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Result<Item, ListError>> {
        (0..self.len()).filter_map(|index| self.layout.slot(index)).map(|slot| self.read(slot))
    }

    /// Reads all items.
    ///
    /// # Errors
    ///
    /// [`ListError::Malformed`].
    pub fn to_vec(&self) -> Result<Vec<Item>, ListError> {
        self.iter().collect()
    }

    /// Returns the formats of all items, as Python's `struct` has them, in a row.
    ///
    /// # Errors
    ///
    /// [`ListError::Malformed`].
    pub fn format(&self) -> Result<String, ListError> {
        let mut all = String::new();
        for slot in (0..self.len()).filter_map(|index| self.layout.slot(index)) {
            let format: Result<[u8; 8], _> = self.memory.buf().get(slot.format);
            let format = format.map_err(|_| self.malformed("an item lies beyond its end"))?;
            let text = str::from_utf8(packed::trimmed(&format));
            all += text.map_err(|_| self.malformed("an item's format is no text"))?;
        }
        Ok(all)
    }

    fn slot(&self, index: isize) -> Result<Slot, ListError> {
        let len = self.len();
        let position = match usize::try_from(index) {
            Ok(position) => Some(position),
            Err(_) => len.checked_sub(index.unsigned_abs()),
        };
        let slot = position.and_then(|position| self.layout.slot(position));
        slot.ok_or(ListError::IndexOutOfRange { index, len })
    }

    fn read(&self, slot: Slot) -> Result<Item, ListError> {
        packed::read(self.memory.buf(), slot).map_err(|what| self.malformed(what))
    }

    fn malformed(&self, what: &'static str) -> ListError {
        ListError::Malformed { name: self.memory.name().into(), what }
    }
}

impl fmt::Debug for ShareableList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ShareableList");
        match self.to_vec() {
            Ok(items) => out.field("items", &items),
            Err(err) => out.field("items", &format_args!("{err}")),
        };
        out.field("name", &self.memory.name()).finish()
    }
}

impl Serialize for ShareableList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.memory.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShareableList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_memory(SharedMemory::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
