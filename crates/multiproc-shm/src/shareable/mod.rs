//! What may lie in memory that several processes share.
//!
//! Other processes write to that memory as bytes, at any moment, and may be killed half way. So a value is copied out,
//! and where not all patterns of bits are values (`bool`, `char`, structs with one inside) what was copied is repaired
//! before anybody looks at it.

#![expect(unsafe_code, reason = "says of the types of the language that they are plain")]

mod shape;

pub use shape::Shape;

/// A type whose values can lie in memory that several processes share.
///
/// Numbers, `bool`, `char`, arrays and tuples of such, and structs that say `#[derive(Clone, Copy, Shareable)]`, which
/// compiles if all their fields are shareable. Padding is allowed: its bytes are zero in shared memory. Enums, and
/// types for which zero is no value, are not shareable; store a number.
///
/// # Safety
///
/// Whoever writes `unsafe impl` promises:
///
/// 1. A value is plain data: it holds no pointer, no reference and no handle, has no interior mutability, and means the
///    same in every process.
/// 2. If all bytes are zero, they are a value.
/// 3. [`SHAPE`](Self::SHAPE) tells this type from all others that have other values, or have them in other bytes; it says
///    that there is no padding only if there is none, and that any bytes are a value only if they are.
/// 4. After [`repair`](Self::repair) any bytes are a value, and those of a value are what they were.
/// 5. [`store`](Self::store) writes all bytes of the value, and those alone.
///
/// # Python
///
/// The types of `ctypes`; a struct is what a `ctypes.Structure` is.
///
/// # Examples
///
/// ```
/// use multiproc_shm::Shareable;
///
/// assert!(<[f64; 3]>::SHAPE.is_any() && !char::SHAPE.is_any());
///
/// let mut bytes = 0xd800u32.to_ne_bytes(); // No character has this number.
/// char::repair(&mut bytes);
/// assert_eq!(bytes, [0; 4]);
/// ```
#[diagnostic::on_unimplemented(
    message = "values of `{Self}` cannot lie in memory that processes share",
    label = "is not `Shareable`",
    note = "what points somewhere (references, `String`, `Vec`, handles) means nothing in another process",
    note = "numbers, `bool`, `char`, arrays and tuples of them can, and structs that say \
            `#[derive(Clone, Copy, Shareable)]`"
)]
pub unsafe trait Shareable: Copy + Send + Sync + 'static {
    /// What the bytes of a value mean, for comparing with what another process takes them for.
    const SHAPE: Shape;

    /// Writes the bytes of the value, except padding, to as many bytes as it has.
    ///
    /// # Panics
    ///
    /// Panics if `bytes` has another length.
    fn store(&self, bytes: &mut [u8]);

    /// Makes bytes that are no value those of one: what cannot be becomes zero. Such bytes are what a process leaves that
    /// is killed while it writes.
    ///
    /// # Panics
    ///
    /// Panics if `bytes` has another length than a value.
    fn repair(bytes: &mut [u8]);
}

macro_rules! numbers {
    ($($number:ident)*) => {
        $(
            // SAFETY: A number is plain, every pattern of its bits is one, and it has no padding.
            unsafe impl Shareable for $number {
                const SHAPE: Shape = Shape::number(stringify!($number), size_of::<Self>());

                #[inline]
                fn store(&self, bytes: &mut [u8]) {
                    bytes.copy_from_slice(&self.to_ne_bytes());
                }

                #[inline]
                fn repair(_: &mut [u8]) {}
            }
        )*
    };
}

numbers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64);

// SAFETY: Zero is `false`, and after `repair` the byte is 0 or 1.
unsafe impl Shareable for bool {
    const SHAPE: Shape = Shape::checked("bool", size_of::<Self>());

    #[inline]
    fn store(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&[u8::from(*self)]);
    }

    #[inline]
    fn repair(bytes: &mut [u8]) {
        if 1 < bytes[0] {
            bytes[0] = 0;
        }
    }
}

// SAFETY: Zero is a character, and after `repair` the number is that of one.
unsafe impl Shareable for char {
    const SHAPE: Shape = Shape::checked("char", size_of::<Self>());

    #[inline]
    fn store(&self, bytes: &mut [u8]) {
        u32::from(*self).store(bytes);
    }

    #[inline]
    fn repair(bytes: &mut [u8]) {
        let number = <[u8; 4]>::try_from(&*bytes).map(u32::from_ne_bytes);
        if number.ok().and_then(char::from_u32).is_none() {
            bytes.fill(0);
        }
    }
}

// SAFETY: Elements lie one behind the other, and each keeps the promises.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {
    const SHAPE: Shape = Shape::array(T::SHAPE, N);

    fn store(&self, bytes: &mut [u8]) {
        for (at, item) in self.iter().enumerate() {
            item.store(part::<T>(bytes, at * size_of::<T>()));
        }
    }

    fn repair(bytes: &mut [u8]) {
        for at in 0..N {
            T::repair(part::<T>(bytes, at * size_of::<T>()));
        }
    }
}

/// The bytes of a `T` at `offset`.
fn part<T>(bytes: &mut [u8], offset: usize) -> &mut [u8] {
    &mut bytes[offset..offset + size_of::<T>()]
}

macro_rules! tuples {
    ($($($name:ident $at:tt)*;)*) => {
        $(
            // SAFETY: Each field keeps the promises, and there is nothing else but padding.
            unsafe impl<$($name: Shareable),*> Shareable for ($($name,)*) {
                const SHAPE: Shape = Shape::structure("", size_of::<Self>(), &[
                    $((stringify!($at), std::mem::offset_of!(Self, $at), $name::SHAPE)),*
                ]);

                fn store(&self, bytes: &mut [u8]) {
                    assert_eq!(bytes.len(), size_of::<Self>(), "room for one value");
                    $(self.$at.store(part::<$name>(bytes, std::mem::offset_of!(Self, $at)));)*
                }

                fn repair(bytes: &mut [u8]) {
                    assert_eq!(bytes.len(), size_of::<Self>(), "the bytes of one value");
                    $($name::repair(part::<$name>(bytes, std::mem::offset_of!(Self, $at)));)*
                }
            }
        )*
    };
}

tuples! {
    ;
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
}

#[cfg(test)]
mod tests;
