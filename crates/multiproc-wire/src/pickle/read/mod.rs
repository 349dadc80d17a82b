//! The reader: opcodes to a graph of nodes, then the graph to an object.
//!
//! A pickle is a program for a machine with a stack and a memo. Running it makes one small node for
//! each value, which borrows its text from the pickle and names other nodes by number: so it takes
//! time and memory in proportion to the bytes, whatever they say. Only then is the result copied
//! out, and only there values can be deep, recursive or too many, because only there the sharing is
//! undone.

mod source;
mod memo;
mod node;
mod machine;
mod text;
mod builder;
mod call;

use self::{builder::Builder, machine::Machine};
use super::{Limits, Object, PickleError};

type Result<T> = std::result::Result<T, PickleError>;

/// Reads a pickle of any protocol.
///
/// # Python
///
/// `pickle.loads`, for plain data.
///
/// # Errors
///
/// Returns [`PickleError`] when the bytes are no pickle, or more than one, when it holds something
/// other than plain data, or goes beyond [`Limits::DEFAULT`].
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Object, PickleErrorKind};
///
/// // pickle.dumps([1, 'two'], 4)
/// let bytes = b"\x80\x04\x95\x0d\0\0\0\0\0\0\0]\x94(K\x01\x8c\x03two\x94e.";
/// assert_eq!(pickle::decode(bytes)?, Object::List(vec![1.into(), "two".into()]));
///
/// let err = pickle::decode(b"cos\nsystem\n(X\x02\0\0\0lstR.").unwrap_err();
/// assert_eq!(err.kind().to_string(), "global `os.system` is not one that may be read");
/// # Ok::<(), pickle::PickleError>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<Object> {
    decode_with(bytes, Limits::DEFAULT)
}

/// Reads a pickle within limits of the caller's choice; else like [`decode`].
///
/// # Errors
///
/// As [`decode`].
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Limits};
///
/// let limits = Limits { depth: 0, ..Limits::DEFAULT };
/// assert_eq!(pickle::decode_with(b"K\x07.", limits)?.as_int(), Some(7));
/// assert!(pickle::decode_with(b"].", limits).is_err());
/// # Ok::<(), pickle::PickleError>(())
/// ```
pub fn decode_with(bytes: &[u8], limits: Limits) -> Result<Object> {
    let mut machine = Machine::new(bytes, limits.globals);
    let root = machine.run()?;
    Builder::new(&machine.nodes, bytes.len(), limits).root(root)
}
