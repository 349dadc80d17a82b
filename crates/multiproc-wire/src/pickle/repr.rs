//! Objects as Python's `repr` shows them.

use std::fmt::{self, Display, Formatter, Write};

use super::{Exception, Global, Instance, Object, globals, surrogates::Chars};

/// Shows the object as Python's `repr` would: exactly so for plain data.
impl Display for Object {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(value) => value.fmt(f),
            Self::BigInt(value) => value.fmt(f),
            Self::Float(value) => float(*value, f),
            Self::Str(text) => str_literal(text.chars().map(Ok), f),
            Self::Surrogates(bytes) => str_literal(Chars(bytes), f),
            Self::Bytes(bytes) => bytes_literal(bytes, false, f),
            Self::ByteArray(bytes) => {
                f.write_str("bytearray(")?;
                // Here Python escapes every single quote, whether it need be or not.
                bytes_literal(bytes, true, f)?;
                f.write_str(")")
            }
            Self::List(items) => joined("[", items, "]", f),
            Self::Tuple(items) => match &items[..] {
                [item] => write!(f, "({item},)"),
                items => joined("(", items, ")", f),
            },
            Self::Dict(pairs) => dict(pairs, f),
            Self::Set(items) if items.is_empty() => f.write_str("set()"),
            Self::Set(items) => joined("{", items, "}", f),
            Self::FrozenSet(items) if items.is_empty() => f.write_str("frozenset()"),
            Self::FrozenSet(items) => joined("frozenset({", items, "})", f),
            Self::Exception(exception) => exception.fmt(f),
            Self::Global(global) => global.fmt(f),
            Self::Instance(instance) => instance.fmt(f),
        }
    }
}

/// Shows the exception as Python's `repr` would.
impl Display for Exception {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.class.name.rsplit('.').next().unwrap_or_default();
        f.write_str(name)?;
        joined("(", &self.args, ")", f)
    }
}

/// Shows a class that we know as Python's `repr` would, anything else as `<global module.name>`.
impl Display for Global {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { module, name } = self;
        match globals::known(module, name) {
            Some(_) if name == "Ellipsis" || name == "NotImplemented" => f.write_str(name),
            Some(_) if module == "builtins" => write!(f, "<class '{name}'>"),
            Some(_) => write!(f, "<class '{module}.{name}'>"),
            None => write!(f, "<global {module}.{name}>"),
        }
    }
}

/// Shows a token, proxy or ordered dict as Python's `repr` would, anything else as a call.
impl Display for Instance {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { class: Global { module, name }, args, kwargs, items, pairs, state, .. } = self;
        match (&module[..], state) {
            ("builtins", _) => f.write_str(name)?,
            ("collections", _) if name == "OrderedDict" => {
                f.write_str("OrderedDict(")?;
                if !pairs.is_empty() {
                    dict(pairs, f)?;
                }
                return f.write_str(")");
            }
            ("multiprocessing.managers", Some(Object::Tuple(state))) if name == "Token" => {
                if let [typeid, address, id] = &state[..] {
                    return write!(f, "Token(typeid={typeid}, address={address}, id={id})");
                }
                f.write_str("Token")?;
            }
            ("multiprocessing.managers", None) if name == "RebuildProxy" => {
                if let [Object::Global(class), token, ..] = &args[..]
                    && let Some([typeid, _, id]) = token.as_token()
                {
                    let id = id.as_str().unwrap_or_default();
                    return write!(f, "<{} object, typeid {typeid} at 0x{id}>", class.name);
                }
                write!(f, "{module}.{name}")?;
            }
            _ => write!(f, "{module}.{name}")?,
        }
        joined("(", args, ")", f)?;
        // No syntax of Python's: it shows an address here, which nobody has any use for.
        if !kwargs.is_empty() {
            f.write_str(" with ")?;
            dict(kwargs, f)?;
        }
        if !items.is_empty() {
            joined(" of [", items, "]", f)?;
        }
        if !pairs.is_empty() {
            f.write_str(" of ")?;
            dict(pairs, f)?;
        }
        match state {
            Some(state) => write!(f, " in state {state}"),
            None => Ok(()),
        }
    }
}

fn joined(open: &str, items: &[Object], close: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    f.write_str(close)
}

fn dict(pairs: &[(Object, Object)], f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str("{")?;
    for (index, (key, value)) in pairs.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{key}: {value}")?;
    }
    f.write_str("}")
}

fn float(value: f64, f: &mut Formatter<'_>) -> fmt::Result {
    if !value.is_finite() {
        let text = if value.is_nan() { "nan" } else { "inf" };
        return write!(f, "{}{text}", if value == f64::NEG_INFINITY { "-" } else { "" });
    }
    // Both languages show the fewest digits that say which number it is.
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.parse::<i32>() {
        Ok(-4..=15) => {
            let text = format!("{value}");
            let end = if text.contains('.') { "" } else { ".0" };
            write!(f, "{text}{end}")
        }
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{mantissa}e{sign}{:02}", exponent.abs())
        }
        Err(_) => f.write_str(&text),
    }
}

fn bytes_literal(bytes: &[u8], escape: bool, f: &mut Formatter<'_>) -> fmt::Result {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    write!(f, "b{quote}")?;
    for byte in bytes {
        match byte {
            b'\'' if escape => f.write_str("\\'")?,
            b' '..=b'~' => ascii(char::from(*byte), quote, f)?,
            b'\t' | b'\n' | b'\r' => control(*byte, f)?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    f.write_char(quote)
}

/// Shows a `str` from its characters and lone surrogates.
fn str_literal(
    chars: impl Iterator<Item = Result<char, u32>> + Clone,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    let mut has = chars.clone().fold((false, false), |(single, double), char| {
        (single || char == Ok('\''), double || char == Ok('"'))
    });
    has.0 &= !has.1;
    let quote = if has.0 { '"' } else { '\'' };
    f.write_char(quote)?;
    for char in chars {
        match char {
            Ok(char @ ' '..='~') => ascii(char, quote, f)?,
            Ok(char @ ('\t' | '\n' | '\r')) => control(char as u8, f)?,
            Ok(char) if is_printable(char) => f.write_char(char)?,
            Ok(char) if char <= '\u{ff}' => write!(f, "\\x{:02x}", u32::from(char))?,
            Ok(char) if char <= '\u{ffff}' => write!(f, "\\u{:04x}", u32::from(char))?,
            Ok(char) => write!(f, "\\U{:08x}", u32::from(char))?,
            Err(surrogate) => write!(f, "\\u{surrogate:04x}")?,
        }
    }
    f.write_char(quote)
}

fn ascii(char: char, quote: char, f: &mut Formatter<'_>) -> fmt::Result {
    if char == quote || char == '\\' {
        f.write_char('\\')?;
    }
    f.write_char(char)
}

fn control(byte: u8, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(match byte {
        b'\t' => "\\t",
        b'\n' => "\\n",
        _ => "\\r",
    })
}

/// Returns whether a character is shown as it is.
///
/// The standard library asks the same question of the same categories, when it escapes what stands
/// behind the first character of a text.
fn is_printable(char: char) -> bool {
    let mut text = [b'a'; 5];
    let len = char.encode_utf8(&mut text[1..]).len();
    let text = str::from_utf8(&text[..=len]).unwrap_or_default();
    text.escape_debug().nth(1) == Some(char)
}
