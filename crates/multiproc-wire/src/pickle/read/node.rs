//! A value while the pickle is read.

use crate::pickle::{BigInt, Made};

/// A value that borrows from the pickle, and names those inside it by number.
pub(super) struct Node<'a> {
    /// Where the opcode stands that made it.
    pub(super) at: usize,
    pub(super) value: Value<'a>,
}

pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// Two's complement, and not an `i64`.
    BigInt(&'a [u8]),
    ParsedBigInt(Box<BigInt>),
    Float(f64),
    Str(&'a str),
    /// A text that was written with escapes.
    ParsedStr(Box<str>),
    Surrogates(Box<[u8]>),
    Bytes(&'a [u8]),
    ByteArray(&'a [u8]),
    List(Vec<u32>),
    Tuple(Box<[u32]>),
    /// Keys and values in turn.
    Dict(Vec<u32>),
    Set(Vec<u32>),
    FrozenSet(Box<[u32]>),
    Global(Box<Name<'a>>),
    Call(Box<Call>),
}

/// A module and a name in it.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
}

/// What is made by calling a class or function.
pub(super) struct Call {
    /// **Invariant:** the number of a [`Value::Global`].
    pub(super) class: u32,
    pub(super) made: Made,
    /// **Invariant:** the number of a [`Value::Tuple`].
    pub(super) args: u32,
    /// **Invariant:** the number of a [`Value::Dict`], if there is one.
    pub(super) kwargs: Option<u32>,
    pub(super) items: Vec<u32>,
    /// Keys and values in turn.
    pub(super) pairs: Vec<u32>,
    pub(super) state: Option<u32>,
}
