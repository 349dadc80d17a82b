//! What one pickle may ask of its reader.

use super::Globals;

/// The bounds within which one pickle is read.
///
/// A pickle can name a value again that it has already built. Such shared values are copied, so a
/// few bytes can ask for any amount of memory; `nodes` and `bytes` are what stops them. A pickle
/// whose values share nothing never comes near either.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Limits, Object, PickleErrorKind, Protocol};
///
/// let nested = Object::List(vec![Object::List(vec![])]);
/// let bytes = pickle::encode(&nested, Protocol::V4)?;
/// let limits = Limits { depth: 1, ..Limits::DEFAULT };
/// let err = pickle::decode_with(&bytes, limits).unwrap_err();
/// assert_eq!(*err.kind(), PickleErrorKind::TooDeep { limit: 1 });
/// # Ok::<(), pickle::ObjectError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many containers may stand inside each other; more than 512 counts as 512.
    ///
    /// Lists, tuples, dicts, sets, exceptions and instances count one each.
    pub depth: usize,

    /// How many values there may be, beside one for each byte of the pickle.
    pub nodes: usize,

    /// How many bytes of text and bytes there may be, beside sixteen for each byte of the pickle.
    pub bytes: usize,

    /// Which classes and functions the pickle may name.
    pub globals: Globals,
}

impl Limits {
    /// The limits that apply unless others are named: 512 levels, 2²⁰ values, 64 MiB, known names.
    pub const DEFAULT: Self =
        Self { depth: MAX_DEPTH, nodes: 1 << 20, bytes: 1 << 26, globals: Globals::Known };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How deep a value may be at most.
///
/// Whatever is done with a value goes down to its leaves by ordinary calls. At this depth dropping
/// it fits a quarter MiB of stack and everything else one MiB, even in an unoptimised build.
pub(super) const MAX_DEPTH: usize = 512;
