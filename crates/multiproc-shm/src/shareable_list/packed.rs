//! One item as bytes: its format, its kind and its value, as Python's `struct` has them.

use std::borrow::Cow;

use super::{Item, layout::Slot};
use crate::{OutOfRange, SharedBytes};

const INT: &[u8] = b"q";
const FLOAT: &[u8] = b"d";
const BOOL: &[u8] = b"xxxxxxx?";
const NONE: &[u8] = b"xxxxxx?x";

/// How Python makes the value again.
const AS_IT_IS: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;
const NOTHING: u8 = 3;

/// An item that fits its slot.
pub(super) struct Packed<'a> {
    pub(super) format: [u8; 8],
    pub(super) kind: u8,
    pub(super) value: Cow<'a, [u8]>,
}

/// Why an item cannot be packed.
pub(super) enum Misfit {
    /// It is longer than its slot.
    TooLarge(usize),
    /// The slot is not one that a list has.
    Slot,
}

impl<'a> Packed<'a> {
    /// Packs an item for a slot with so much room.
    pub(super) fn new(item: &'a Item, room: usize) -> Result<Self, Misfit> {
        let (format, kind, value) = match item {
            Item::Str(text) => return Self::string(TEXT, text.as_bytes(), room),
            Item::Bytes(bytes) => return Self::string(BYTES, bytes, room),
            Item::Int(number) => (INT, AS_IT_IS, number.to_ne_bytes()),
            Item::Float(number) => (FLOAT, AS_IT_IS, number.to_ne_bytes()),
            Item::Bool(value) => (BOOL, AS_IT_IS, [0, 0, 0, 0, 0, 0, 0, u8::from(*value)]),
            Item::None => (NONE, NOTHING, [0; 8]),
        };
        if room < value.len() {
            return Err(Misfit::Slot);
        }
        Ok(Self { format: padded(format).ok_or(Misfit::Slot)?, kind, value: value.to_vec().into() })
    }

    fn string(kind: u8, bytes: &'a [u8], room: usize) -> Result<Self, Misfit> {
        if room < bytes.len() {
            return Err(Misfit::TooLarge(bytes.len()));
        }
        let format = padded(format!("{room}s").as_bytes()).ok_or(Misfit::Slot)?;
        // What is left of the slot is zeroes, which is how its end is found again.
        let mut value = bytes.to_vec();
        value.resize(room, 0);
        Ok(Self { format, kind, value: value.into() })
    }
}

fn padded(format: &[u8]) -> Option<[u8; 8]> {
    let mut bytes = [0; 8];
    bytes.get_mut(..format.len())?.copy_from_slice(format);
    Some(bytes)
}

/// Returns a format without the zeroes behind it.
pub(super) fn trimmed(format: &[u8]) -> &[u8] {
    let end = format.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &format[..end]
}

/// Reads an item, believing nothing; an error says what is wrong.
pub(super) fn read(bytes: SharedBytes<'_>, slot: Slot) -> Result<Item, &'static str> {
    let format: [u8; 8] = bytes.get(slot.format).map_err(outside)?;
    let format = trimmed(&format);
    match bytes.get::<u8>(slot.kind).map_err(outside)? {
        AS_IT_IS if format == INT => Ok(Item::Int(i64::from_ne_bytes(word(bytes, slot)?))),
        AS_IT_IS if format == FLOAT => Ok(Item::Float(f64::from_ne_bytes(word(bytes, slot)?))),
        AS_IT_IS if format == BOOL => Ok(Item::Bool(word(bytes, slot)?[7] != 0)),
        AS_IT_IS => Err("an item's format is not that of its kind"),
        TEXT => match String::from_utf8(string(bytes, slot, format)?) {
            Ok(text) => Ok(Item::Str(text)),
            Err(_) => Err("a text is not UTF-8"),
        },
        BYTES => Ok(Item::Bytes(string(bytes, slot, format)?)),
        NOTHING => Ok(Item::None),
        _ => Err("an item is of an unknown kind"),
    }
}

fn word(bytes: SharedBytes<'_>, slot: Slot) -> Result<[u8; 8], &'static str> {
    match slot.room {
        0..8 => Err("an item has too little room"),
        _ => bytes.get(slot.data).map_err(outside),
    }
}

fn string(bytes: SharedBytes<'_>, slot: Slot, format: &[u8]) -> Result<Vec<u8>, &'static str> {
    let digits = format.strip_suffix(b"s").ok_or("an item's format is not that of its kind")?;
    let len = str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
    let len = len.filter(|len| *len <= slot.room).ok_or("an item is longer than its room")?;
    let mut value = bytes.slice(slot.data..slot.data + len).map_err(outside)?.to_vec();
    value.truncate(trimmed(&value).len());
    Ok(value)
}

fn outside(_: OutOfRange) -> &'static str {
    "an item lies beyond its end"
}
