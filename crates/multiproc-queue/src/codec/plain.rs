//! Items that are their own bytes.

use std::os::fd::OwnedFd;

use bytemuck::{AnyBitPattern, NoUninit};
use multiproc_wire::Handle;

use super::{Code, Row, Spot};
use crate::CodecError;

/// Items of fixed size that are their own bytes: numbers, arrays of them, and structs that say so by `bytemuck`.
///
/// They are copied in and out, and nothing else is done to them.
///
/// # Python
///
/// Nothing like it.
///
/// # Examples
///
/// ```
/// use multiproc_queue::{Plain, Queue};
///
/// let q = Queue::<[f32; 3], Plain>::new()?;
/// q.put([1.0, 2.0, 3.0])?;
/// assert_eq!(q.get()?, [1.0, 2.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Plain {}

/// Items that are vectors of what [`Plain`] takes, of any length.
///
/// # Python
///
/// Nothing like it.
///
/// # Examples
///
/// ```
/// use multiproc_queue::{PlainVec, Queue};
///
/// let q = Queue::<Vec<u8>, PlainVec>::new()?;
/// q.put(vec![7; 1 << 20])?;
/// assert_eq!(q.get()?.len(), 1 << 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum PlainVec {}

impl<T: AnyBitPattern + NoUninit> Code<T> for Plain {
    type Landing = Spot<T>;

    const USES_BUFFER: bool = false;

    #[inline]
    fn encode<R>(
        value: &T,
        _: &mut Vec<u8>,
        then: impl FnOnce(&[u8], &[Handle]) -> R,
    ) -> Result<R, CodecError> {
        Ok(then(bytemuck::bytes_of(value), &[]))
    }

    #[inline]
    fn landing(_: Vec<u8>) -> Spot<T> {
        Spot::new()
    }

    #[inline]
    fn finish(landing: Spot<T>, _: Vec<OwnedFd>, _: &mut Vec<u8>) -> Result<T, CodecError> {
        landing.into_value().map_err(wrong_length::<T>)
    }

    fn decode(bytes: &[u8], _: Vec<OwnedFd>) -> Result<T, CodecError> {
        if bytes.len() != size_of::<T>() {
            return Err(wrong_length::<T>(bytes.len()));
        }
        Ok(bytemuck::pod_read_unaligned(bytes))
    }
}

impl<T: AnyBitPattern + NoUninit> Code<Vec<T>> for PlainVec {
    type Landing = Row<T>;

    const USES_BUFFER: bool = false;

    fn encode<R>(
        value: &Vec<T>,
        _: &mut Vec<u8>,
        then: impl FnOnce(&[u8], &[Handle]) -> R,
    ) -> Result<R, CodecError> {
        if size_of::<T>() == 0 {
            return Err(CodecError::new(
                "a vector of values without bytes has no bytes to be told by",
            ));
        }
        Ok(then(bytemuck::cast_slice(value), &[]))
    }

    fn landing(_: Vec<u8>) -> Row<T> {
        Row { values: Vec::new(), odd: None }
    }

    fn finish(landing: Row<T>, _: Vec<OwnedFd>, _: &mut Vec<u8>) -> Result<Vec<T>, CodecError> {
        match landing.odd {
            None => Ok(landing.values),
            Some(length) => Err(wrong_length::<T>(length)),
        }
    }

    fn decode(bytes: &[u8], _: Vec<OwnedFd>) -> Result<Vec<T>, CodecError> {
        if size_of::<T>() == 0 || !bytes.len().is_multiple_of(size_of::<T>()) {
            return Err(wrong_length::<T>(bytes.len()));
        }
        Ok(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect())
    }
}

#[cold]
fn wrong_length<T>(length: usize) -> CodecError {
    let name = std::any::type_name::<T>();
    CodecError::new(format!(
        "{length} bytes came, and a `{name}` has {}: both ends have to name the same type",
        size_of::<T>()
    ))
}
