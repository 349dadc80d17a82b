//! Texts, and the numbers that the oldest protocols write as text.

use super::{Result, node::Value, source::Source};
use crate::pickle::{opcode as op, surrogates};

impl<'a> Source<'a> {
    /// Makes a text of bytes, which may hold surrogates.
    pub(super) fn text(&self, bytes: &'a [u8]) -> Result<Value<'a>> {
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Value::Str(text)),
            Err(_) if surrogates::are_text(bytes) => Ok(Value::Surrogates(bytes.into())),
            Err(_) => Err(self.invalid("utf-8")),
        }
    }

    /// Makes a text of the bytes of a text of Python 2.
    pub(super) fn ascii(&self, bytes: &'a [u8]) -> Result<Value<'a>> {
        match str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => Ok(Value::Str(text)),
            _ => Err(self.invalid("ascii")),
        }
    }

    /// Reads a value that is written as a line.
    pub(super) fn scalar(&mut self, opcode: u8) -> Result<Value<'a>> {
        if opcode == op::UNICODE {
            return self.escaped();
        }
        let line = self.text_line()?;
        match opcode {
            op::INT if line == "00" => Ok(Value::Bool(false)),
            op::INT if line == "01" => Ok(Value::Bool(true)),
            op::FLOAT => line.parse().map(Value::Float).map_err(|_| self.invalid("float")),
            _ => {
                let digits = line.strip_suffix('L').unwrap_or(line);
                if let Ok(value) = digits.parse() {
                    return Ok(Value::Int(value));
                }
                let value = digits.parse().map_err(|_| self.invalid("integer"))?;
                Ok(Value::ParsedBigInt(Box::new(value)))
            }
        }
    }

    /// Reads a line of Latin-1 with escapes for all other characters.
    fn escaped(&mut self) -> Result<Value<'a>> {
        let mut line = self.line()?;
        if line.is_ascii() && !line.contains(&b'\\') {
            return self.text(line);
        }
        let mut text = Vec::with_capacity(line.len());
        while let [byte, rest @ ..] = line {
            let (code, rest) = match rest {
                [b'u', rest @ ..] if *byte == b'\\' => self.hexadecimal(rest, 4)?,
                [b'U', rest @ ..] if *byte == b'\\' => self.hexadecimal(rest, 8)?,
                rest => (u32::from(*byte), rest),
            };
            if !surrogates::push(&mut text, code) {
                return Err(self.invalid("escape"));
            }
            line = rest;
        }
        Ok(match String::from_utf8(text) {
            Ok(text) => Value::ParsedStr(text.into()),
            Err(err) => Value::Surrogates(err.into_bytes().into()),
        })
    }

    fn hexadecimal<'b>(&self, line: &'b [u8], len: usize) -> Result<(u32, &'b [u8])> {
        let parsed = line.split_at_checked(len).and_then(|(digits, rest)| {
            // The parser of numbers would take a sign.
            let digits = str::from_utf8(digits).ok().filter(|_| digits[0] != b'+')?;
            Some((u32::from_str_radix(digits, 16).ok()?, rest))
        });
        parsed.ok_or_else(|| self.invalid("escape"))
    }
}
