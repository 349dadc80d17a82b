//! How deep and how many: what one message may ask of its reader.

/// The bounds within which one message is written and read.
///
/// Both sides count alike, so sender and receiver want the same limits; all of ours use
/// [`Limits::DEFAULT`].
///
/// # Examples
///
/// ```
/// use multiproc_wire::{DecodeErrorKind, Limits};
///
/// let message = multiproc_wire::encode(&[[1u8]])?;
/// let limits = Limits { depth: 1, ..Limits::DEFAULT };
/// let err = multiproc_wire::decode_with::<[[u8; 1]; 1]>(&message.bytes, vec![], limits).unwrap_err();
/// assert_eq!(*err.kind(), DecodeErrorKind::TooDeep { limit: 1 });
/// # Ok::<(), multiproc_wire::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many values may stand inside each other.
    ///
    /// Options, newtypes, tuples, structs, enums, sequences and maps count one each; a box does
    /// not. A linked list of `Option<Box<Node>>` thus costs two a node.
    pub depth: usize,

    /// How many elements and fields there may be, beside eight for each byte of the message.
    ///
    /// Only elements that take no bytes ever come near it. They are why it exists: sixteen bytes
    /// can claim a `Vec<()>` of 2⁶⁰ elements, and its reader would count for years.
    pub elements: usize,
}

impl Limits {
    /// The limits that apply unless others are named: 256 levels, 2²⁰ elements.
    ///
    /// At this depth a derived type uses some hundred KiB of stack in an unoptimised build, far
    /// below the 2 MiB of a thread; and an honest `vec![(); 1_000_000]` passes.
    pub const DEFAULT: Self = Self { depth: 256, elements: 1 << 20 };

    /// The number of elements that a message of `len` bytes may hold.
    #[inline]
    pub(crate) fn elements_for(self, len: usize) -> usize {
        self.elements.saturating_add(len.saturating_mul(8))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
