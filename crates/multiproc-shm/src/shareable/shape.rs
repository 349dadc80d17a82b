//! What the bytes of a type mean.

/// What the bytes of a [`Shareable`](super::Shareable) type mean: equal shapes have the same values in the same bytes.
///
/// It goes with shared memory from process to process, so that nobody takes the bytes for something else. Two programs
/// have equal shapes of a struct if its name is the same, its fields are, and each lies where the other's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    // A digest of names, places and sizes.
    print: u64,
    size: usize,
    // The bytes that fields have, which padding has not.
    used: usize,
    is_any: bool,
}

impl Shape {
    /// Of a number: any `size` bytes are one.
    #[must_use]
    pub const fn number(name: &str, size: usize) -> Self {
        Self { is_any: true, ..Self::checked(name, size) }
    }

    /// Of something of which not all patterns of bits are values.
    #[must_use]
    pub const fn checked(name: &str, size: usize) -> Self {
        let print = digest(digest(START, name.as_bytes()), &size.to_ne_bytes());
        Self { print, size, used: size, is_any: false }
    }

    /// Of `len` elements one behind the other.
    #[must_use]
    pub const fn array(element: Self, len: usize) -> Self {
        let print = digest(digest(element.print, b"array"), &len.to_ne_bytes());
        let (size, used) = (element.size * len, element.used * len);
        Self { print, size, used, is_any: element.is_any || len == 0 }
    }

    /// Of a struct of so many bytes: the name, the place and the shape of each field.
    #[must_use]
    pub const fn structure(name: &str, size: usize, fields: &[(&str, usize, Self)]) -> Self {
        let mut shape = Self { used: 0, is_any: true, ..Self::checked(name, size) };
        let mut at = 0;
        while at < fields.len() {
            let (name, offset, field) = fields[at];
            // The length first: no two lists of fields have the same bytes.
            shape.print = digest(shape.print, &name.len().to_ne_bytes());
            shape.print = digest(shape.print, name.as_bytes());
            shape.print = digest(shape.print, &offset.to_ne_bytes());
            shape.print = digest(shape.print, &field.print.to_ne_bytes());
            shape.used += field.used;
            shape.is_any &= field.is_any;
            at += 1;
        }
        shape
    }

    /// A number that two shapes have in common only if they are equal.
    #[must_use]
    pub const fn print(self) -> u64 {
        self.print
    }

    /// The number of bytes of a value.
    #[must_use]
    pub const fn size(self) -> usize {
        self.size
    }

    /// Returns true if any bytes are a value.
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.is_any
    }

    /// Returns true if there are bytes that mean nothing.
    #[must_use]
    pub const fn has_padding(self) -> bool {
        self.used != self.size
    }
}

/// FNV-1a of 64 bits: short, and can be computed by the compiler.
const START: u64 = 0xcbf2_9ce4_8422_2325;

const fn digest(mut state: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        state = (state ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    state
}
