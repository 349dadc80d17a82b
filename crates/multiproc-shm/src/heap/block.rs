//! A block, and how it travels.

use std::{alloc::Layout, fmt, ptr::NonNull, sync::Arc};

use multiproc_sys::primitive::{AtomicU32, AtomicU64};
use multiproc_wire::CommonHandle;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{attachment::Claim, error::HeapError, hold::Hold, table};
use crate::SharedBytes;

/// A piece of memory that several processes hold at once.
///
/// It lies with many others in one segment without a name, so it costs its bytes, rounded up to 16, and no descriptor of
/// its own. Clones are handles to the same bytes. A block goes with any message; who receives it has a handle to the same
/// bytes, at another address, and a forked child has one anyway. Two handles to one block in one process are at the same
/// address, also where it has left the process and come home.
///
/// # If a process dies
///
/// Its handles are gone, and those in messages which nobody can read any more. A block is freed when there is no handle to
/// it in any process or unread message; its bytes stay as they were until then.
///
/// # Python
///
/// `multiprocessing.heap.BufferWrapper`, which only forked children can have.
///
/// # Examples
///
/// ```
/// use std::{alloc::Layout, sync::atomic::Ordering};
///
/// use multiproc_shm::Block;
///
/// let block = Block::new(Layout::new::<u64>())?;
/// block.atomic_u64(0).store(7, Ordering::Relaxed);
///
/// let sent = multiproc_wire::encode(&block)?; // By a connection, say.
/// drop(block); // The message holds it.
/// let received: Block = sent.decode()?;
/// assert_eq!(received.atomic_u64(0).load(Ordering::Relaxed), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Block(Arc<Hold>);

impl Block {
    /// Makes a block of zero bytes, aligned as asked in every process; alignments up to 4096 can be had.
    ///
    /// # Errors
    ///
    /// [`HeapError::Align`], [`HeapError::Memory`].
    pub fn new(layout: Layout) -> Result<Self, HeapError> {
        table::allocate(layout).map(Self)
    }

    /// The number of bytes, as asked for.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Returns true if there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> SharedBytes<'_> {
        self.0.bytes()
    }

    /// Where the bytes begin in this process, for as long as this handle or a clone lives.
    #[must_use]
    #[inline]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.0.start()
    }

    /// Returns false if no other process and no unread message has a handle to this block, and so nobody but this process
    /// can change it any more; true also where that cannot be known.
    #[must_use]
    pub fn is_held_elsewhere(&self) -> bool {
        table::is_held_elsewhere(&self.0)
    }

    /// The number of handles to this block in this process, this one included; a forked child has those of its parent too.
    #[must_use]
    pub fn handles_here(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// The four bytes at `offset` as an atomic number.
    ///
    /// # Panics
    ///
    /// Panics if they do not lie within the block, or are not aligned to their size.
    #[must_use]
    #[inline]
    #[track_caller]
    pub fn atomic_u32(&self, offset: usize) -> &AtomicU32 {
        self.bytes().atomic_u32(offset).expect("an aligned number within the block")
    }

    /// The eight bytes at `offset` as an atomic number.
    ///
    /// # Panics
    ///
    /// Panics if they do not lie within the block, or are not aligned to their size.
    #[must_use]
    #[inline]
    #[track_caller]
    pub fn atomic_u64(&self, offset: usize) -> &AtomicU64 {
        self.bytes().atomic_u64(offset).expect("an aligned number within the block")
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A block in a message.
#[derive(Serialize, Deserialize)]
struct Sent {
    file: CommonHandle,
    offset: u64,
    len: u64,
    is_doubtful: bool,
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (file, claim) = table::lend(&self.0).map_err(|err| {
            ser::Error::custom(format_args!("failed to lend a block of the heap: {err}"))
        })?;
        let Claim { offset, len, is_doubtful } = claim;
        Sent { file, offset: offset as u64, len: len as u64, is_doubtful }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Sent { file, offset, len, is_doubtful } = Sent::deserialize(deserializer)?;
        let number = |number| usize::try_from(number).map_err(de::Error::custom);
        let claim = Claim { offset: number(offset)?, len: number(len)?, is_doubtful };
        table::adopt(&file.into_handle(), claim).map(Self).map_err(de::Error::custom)
    }
}
