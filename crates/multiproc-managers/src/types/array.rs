//! A shared array.

use std::sync::{Arc, Mutex};

use multiproc_wire::pickle::{Exception, Global, Instance, Made, Object, from_object};
use serde::de::DeserializeOwned;

use super::locked;
use crate::{
    Call, Reply, Shared, raise,
    values::{Place, elements, place},
};

/// Numbers of one type that live in a manager's server.
///
/// # Python
///
/// The `Array` of a manager: `array.array`.
#[derive(Debug)]
pub struct Array {
    code: char,
    items: Mutex<Vec<Object>>,
}

impl Array {
    /// Makes an array of the type with this code, one of `bBhHiIlLqQfd`.
    ///
    /// # Errors
    ///
    /// `ValueError` when no type has that code, `TypeError` or `OverflowError` when an item is not of
    /// that type.
    pub fn new(code: char, items: impl IntoIterator<Item = Object>) -> Result<Self, Exception> {
        if !"bBhHiIlLqQfd".contains(code) {
            let text = "bad typecode (must be b, B, h, H, i, I, l, L, q, Q, f or d)";
            return Err(raise::value_error(text));
        }
        let items = items.into_iter().map(|item| typed(code, item)).collect::<Result<_, _>>()?;
        Ok(Self { code, items: Mutex::new(items) })
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let code: char = args.take("typecode")?;
        let items = elements(args.required("sequence")?)?;
        let _ = args.object("lock");
        args.finish()?;
        Ok(Arc::new(Self::new(code, items)?))
    }

    fn answer(&self, method: &str, mut call: Call) -> Result<Object, Exception> {
        let mut args = call.take_args();
        let mut items = locked(&self.items);
        let mut result = Object::None;
        match method {
            "__len__" => result = items.len().into(),
            "__getitem__" => {
                result = match place(&args.required("index")?, items.len(), "array")? {
                    Place::One(at) => items[at].clone(),
                    Place::Slice { places, .. } => {
                        let part: Vec<_> = places.iter().map(|at| items[*at].clone()).collect();
                        array(self.code, &part)
                    }
                };
            }
            _ => {
                let (index, value) = (args.required("index")?, args.required("value")?);
                match place(&index, items.len(), "array")? {
                    Place::One(at) => items[at] = typed(self.code, value)?,
                    Place::Slice { places, .. } => {
                        let values = of_array(self.code, value)?;
                        if values.len() != places.len() {
                            return Err(raise::value_error("a shared array keeps its length"));
                        }
                        places.into_iter().zip(values).for_each(|(at, value)| items[at] = value);
                    }
                }
            }
        }
        args.finish()?;
        Ok(result)
    }
}

impl Shared for Array {
    fn methods(&self) -> &'static [&'static str] {
        &["__len__", "__getitem__", "__setitem__"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let method = std::mem::take(&mut call.method);
        self.answer(&method, call).into()
    }

    fn repr(&self) -> String {
        let items = locked(&self.items);
        match items.is_empty() {
            true => format!("array('{}')", self.code),
            false => format!("array('{}', {})", self.code, Object::List(items.clone())),
        }
    }

    fn value(&self) -> Result<Object, Exception> {
        Ok(array(self.code, &locked(&self.items)))
    }
}

/// An `array.array`, as Python makes one.
fn array(code: char, items: &[Object]) -> Object {
    let args = [code.into(), Object::List(items.to_vec())];
    let mut array = Instance::new(Global::new("array", "array"), args);
    array.made = Made::Call;
    array.into()
}

/// The items of an `array.array` of that type, or of another sequence.
fn of_array(code: char, value: Object) -> Result<Vec<Object>, Exception> {
    let items = match value {
        Object::Instance(mut array) if array.class.is("array", "array") => {
            let content = array.args.pop();
            let is_same =
                array.args.first().and_then(Object::as_str).map(|its| its.chars().eq([code]));
            match (is_same, content) {
                (Some(true), Some(Object::Bytes(bytes))) => return unpacked(code, &bytes),
                (Some(_), Some(Object::List(items))) => items,
                _ => return Err(raise::type_error("array is of another type")),
            }
        }
        value => elements(value)?,
    };
    items.into_iter().map(|item| typed(code, item)).collect()
}

/// Reads what `array.tobytes` has written.
pub(crate) fn unpacked(code: char, bytes: &[u8]) -> Result<Vec<Object>, Exception> {
    macro_rules! read {
        ($type:ty) => {{
            let chunks = bytes.chunks_exact(size_of::<$type>());
            if !chunks.remainder().is_empty() {
                return Err(raise::value_error("bytes length not a multiple of item size"));
            }
            let number = |chunk: &[u8]| {
                let mut bytes = [0; size_of::<$type>()];
                bytes.copy_from_slice(chunk);
                <$type>::from_ne_bytes(bytes).into()
            };
            chunks.map(number).collect()
        }};
    }
    Ok(match code {
        'b' => read!(i8),
        'B' => read!(u8),
        'h' => read!(i16),
        'H' => read!(u16),
        'i' => read!(i32),
        'I' => read!(u32),
        'l' | 'q' => read!(i64),
        'L' | 'Q' => read!(u64),
        'f' => read!(f32),
        _ => read!(f64),
    })
}

/// Checks that a value is of the type with this code.
fn typed(code: char, value: Object) -> Result<Object, Exception> {
    fn check<T: DeserializeOwned + Into<Object>>(value: Object) -> Result<Object, Exception> {
        let is_int = value.as_int().is_some() || matches!(value, Object::BigInt(_));
        let text = format!("array item must be a number, not {}", value.type_name());
        match from_object::<T>(value) {
            Ok(value) => Ok(value.into()),
            Err(_) if is_int => Err(raise::builtin("OverflowError", "array item is out of range")),
            Err(_) => Err(raise::type_error(text)),
        }
    }
    let value = match value {
        Object::Bool(value) => Object::Int(value.into()),
        value => value,
    };
    match code {
        'b' => check::<i8>(value),
        'B' => check::<u8>(value),
        'h' => check::<i16>(value),
        'H' => check::<u16>(value),
        'i' => check::<i32>(value),
        'I' => check::<u32>(value),
        'l' | 'q' => check::<i64>(value),
        'L' | 'Q' => check::<u64>(value),
        'f' => check::<f32>(value),
        _ => check::<f64>(value),
    }
}
