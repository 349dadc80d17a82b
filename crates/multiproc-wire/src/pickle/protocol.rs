//! Which of pickle's protocols a value is written in.

use std::fmt;

/// A version of the pickle format, named by what the reader has to understand.
///
/// All of them can be read; this says which one is written.
///
/// # Python
///
/// The `protocol` argument of `pickle.dumps`. Python 3.8 to 3.13 write 4 unless told otherwise,
/// Python 3.14 writes 5.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Object, Protocol};
///
/// assert_eq!(pickle::encode(&Object::from(7), Protocol::V2)?, b"\x80\x02K\x07.");
/// assert_eq!(Protocol::default(), Protocol::V4);
/// # Ok::<(), pickle::ObjectError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Python 2.3 and newer, exceptions Python 3 only; `bytes` and sets are written the long way.
    V2 = 2,
    /// Python 3.0 and newer; sets are written the long way.
    V3 = 3,
    /// Python 3.4 and newer, the one to take unless there is a reason.
    #[default]
    V4 = 4,
    /// Python 3.8 and newer; has `bytearray`.
    V5 = 5,
}

impl Protocol {
    /// The newest protocol there is.
    pub const HIGHEST: Self = Self::V5;

    /// Returns the number by which Python knows this protocol.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(multiproc_wire::pickle::Protocol::V4.number(), 4);
    /// ```
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}
