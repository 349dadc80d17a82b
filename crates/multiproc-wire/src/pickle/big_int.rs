//! An integer of any size, as pickle writes it.

use std::{fmt, str::FromStr};

/// An integer of any size, which can be kept, compared, shown and sent, but not computed with.
///
/// Inside an [`Object`](super::Object) it stands for what an `i64` cannot hold;
/// `Object::from(big_int)` makes the smaller kind where it fits.
///
/// # Python
///
/// `int`; the bytes are those of `int.to_bytes(…, "little", signed=True)`.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::BigInt;
///
/// let number = BigInt::from(u128::MAX);
/// assert_eq!(number.to_string(), "340282366920938463463374607431768211455");
/// assert_eq!(number.to_u128(), Some(u128::MAX));
/// assert_eq!(number.to_i128(), None);
/// assert_eq!("-18446744073709551616".parse(), Ok(BigInt::from(-(1i128 << 64))));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BigInt {
    /// Two's complement, lowest byte first.
    ///
    /// **Invariant:** as few bytes as will do, none at all for zero, so that equal numbers have
    /// equal bytes.
    bytes: Vec<u8>,
}

impl BigInt {
    /// Makes a number from its two's complement, lowest byte first.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::BigInt;
    ///
    /// assert_eq!(BigInt::from_le_bytes(&[0x00, 0xff]), BigInt::from(-256));
    /// assert_eq!(BigInt::from_le_bytes(&[]), BigInt::from(0));
    /// ```
    #[must_use]
    pub fn from_le_bytes(bytes: &[u8]) -> Self {
        Self { bytes: shortest(bytes).to_vec() }
    }

    /// Returns the two's complement, lowest byte first, in as few bytes as will do.
    #[must_use]
    pub fn as_le_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns whether the number is less than zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.bytes.last().is_some_and(|byte| 0x80 <= *byte)
    }

    /// Returns the number if an `i64` can hold it.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        to_i64(&self.bytes)
    }

    /// Returns the number if a `u64` can hold it.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        self.to_i128()?.try_into().ok()
    }

    /// Returns the number if an `i128` can hold it.
    #[must_use]
    pub fn to_i128(&self) -> Option<i128> {
        extended(&self.bytes).map(i128::from_le_bytes)
    }

    /// Returns the number if a `u128` can hold it.
    #[must_use]
    pub fn to_u128(&self) -> Option<u128> {
        if self.is_negative() {
            return None;
        }
        let bytes = self.bytes.strip_suffix(&[0]).unwrap_or(&self.bytes);
        let mut whole = [0; 16];
        whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u128::from_le_bytes(whole))
    }

    /// Returns the magnitude, lowest word first.
    fn magnitude(&self) -> Vec<u32> {
        let mut bytes = self.bytes.clone();
        if self.is_negative() {
            // One byte more, for the magnitude of the most negative number of its length.
            bytes.push(0xff);
            negate(&mut bytes);
        }
        let words = bytes
            .chunks(4)
            .map(|chunk| chunk.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)));
        words.collect()
    }
}

/// Returns the number that the bytes stand for, if an `i64` can hold it.
pub(super) fn to_i64(bytes: &[u8]) -> Option<i64> {
    extended(shortest(bytes)).map(i64::from_le_bytes)
}

/// Leaves away the bytes that only repeat the sign.
fn shortest(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = match bytes {
            [0] => &[],
            [rest @ .., 0] if rest.last().is_some_and(|byte| *byte < 0x80) => rest,
            [rest @ .., 0xff] if rest.last().is_some_and(|byte| 0x80 <= *byte) => rest,
            _ => return bytes,
        }
    }
}

/// Returns the bytes, filled up with their sign, if they are not too many.
fn extended<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let sign = if bytes.last().is_some_and(|byte| 0x80 <= *byte) { 0xff } else { 0 };
    let mut whole = [sign; N];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(whole)
}

/// Turns a number into its negative.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

/// How many decimal digits are read or shown: the effort grows with their square.
///
/// Python draws the same line, since 3.11.
const MAX_DIGITS: usize = 4300;

/// Shows the number in decimal, or in hexadecimal beyond 4300 digits, where Python refuses.
impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.magnitude();
        let mut digits = String::new();
        // A byte is 2.408 digits.
        if MAX_DIGITS < self.bytes.len() * 2408 / 1000 {
            for word in words.iter().rev() {
                digits += &format!("{word:08x}");
            }
            let digits = digits.trim_start_matches('0');
            return f.pad_integral(!self.is_negative(), "", &format!("0x{digits}"));
        }
        let mut groups = vec![];
        while !words.is_empty() {
            let mut rest = 0;
            for word in words.iter_mut().rev() {
                let value = rest << 32 | u64::from(*word);
                *word = (value / 1_000_000_000) as u32;
                rest = value % 1_000_000_000;
            }
            groups.push(rest);
            while words.last() == Some(&0) {
                words.pop();
            }
        }
        for group in groups.iter().rev() {
            digits += &format!("{group:09}");
        }
        let digits = digits.trim_start_matches('0');
        f.pad_integral(!self.is_negative(), "", if digits.is_empty() { "0" } else { digits })
    }
}

impl fmt::Debug for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error returned when a text is not an integer, or one of more than 4300 digits.
///
/// # Python
///
/// `ValueError`.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::BigInt;
///
/// let err = "12a".parse::<BigInt>().unwrap_err();
/// assert_eq!(err.to_string(), "invalid integer, or one of more than 4300 digits");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid integer, or one of more than 4300 digits")]
pub struct ParseBigIntError(());

impl FromStr for BigInt {
    type Err = ParseBigIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        if digits.is_empty() || MAX_DIGITS < digits.len() {
            return Err(ParseBigIntError(()));
        }
        let mut words: Vec<u32> = vec![];
        for digit in digits {
            let mut carry = match digit {
                b'0'..=b'9' => u64::from(digit - b'0'),
                _ => return Err(ParseBigIntError(())),
            };
            for word in &mut words {
                carry += u64::from(*word) * 10;
                *word = carry as u32;
                carry >>= 32;
            }
            if carry != 0 {
                words.push(carry as u32);
            }
        }
        let mut bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        bytes.push(0);
        if negative {
            negate(&mut bytes);
        }
        Ok(Self::from_le_bytes(&bytes))
    }
}

macro_rules! from {
    ($($type:ty),*) => {$(
        impl From<$type> for BigInt {
            fn from(value: $type) -> Self {
                Self::from_le_bytes(&i128::from(value).to_le_bytes())
            }
        }
    )*};
}

from!(i32, i64, u64, i128);

impl From<u128> for BigInt {
    fn from(value: u128) -> Self {
        let mut bytes = [0; 17];
        bytes[..16].copy_from_slice(&value.to_le_bytes());
        Self::from_le_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_bytes_and_text() {
        let edges = [0, 1, 127, 128, 255, 256, i64::MAX.into(), 1 << 64, i128::MAX, i128::MIN];
        for edge in edges {
            for number in [edge, edge.wrapping_add(1), edge.wrapping_sub(1), edge.wrapping_neg()] {
                let big = BigInt::from(number);
                assert_eq!(big.to_i128(), Some(number));
                assert_eq!(big.to_i64(), number.try_into().ok());
                assert_eq!(big.to_u64(), number.try_into().ok());
                assert_eq!(big.to_u128(), number.try_into().ok());
                assert_eq!(big.to_string(), number.to_string());
                assert_eq!(number.to_string().parse(), Ok(big.clone()));
                assert_eq!(big.is_negative(), number < 0);
                assert_eq!(BigInt::from_le_bytes(&number.to_le_bytes()), big);
            }
        }
        let big = BigInt::from(u128::MAX);
        assert_eq!((big.to_u128(), big.to_i128()), (Some(u128::MAX), None));
        assert_eq!(BigInt::from_le_bytes(&[0; 18]).as_le_bytes(), []);
        assert_eq!(BigInt::from_le_bytes(&[255; 18]).as_le_bytes(), [255]);
    }

    #[test]
    fn what_is_too_long_for_decimal_is_shown_in_hexadecimal() {
        let mut bytes = vec![0; 2000];
        bytes.push(0xff);
        let text = BigInt::from_le_bytes(&bytes).to_string();
        assert_eq!(text, format!("-0x1{}", "0".repeat(4000)));
        assert!("".parse::<BigInt>().is_err() && "-".parse::<BigInt>().is_err());
        assert!("1".repeat(4301).parse::<BigInt>().is_err());
        let digits = "7".repeat(4300);
        assert_eq!(digits.parse::<BigInt>().unwrap().to_string(), digits);
    }
}
