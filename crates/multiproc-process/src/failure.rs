//! Errors that a child's function returns.

use std::{error::Error, fmt, iter::successors};

use serde::{
    Deserialize, Serialize, Serializer,
    ser::{self, Impossible},
};

/// Any error, in a form that can be sent: its text and those of its causes.
///
/// Most error types cannot be sent as they are. A function that returns `Result<T, Failure>` may use `?` on all of them.
///
/// # Python
///
/// An exception that leaves the target. Its type does not survive the way here; return a type of your own that
/// implements `Serialize` where it matters.
///
/// # Examples
///
/// ```
/// use multiproc_process::Failure;
///
/// fn parse(text: String) -> Result<i32, Failure> {
///     Ok(text.parse::<i32>()?)
/// }
///
/// assert_eq!(parse("seven".into()).unwrap_err().to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
}

impl Failure {
    /// Makes a failure of a text.
    #[must_use]
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), causes: Vec::new() }
    }

    /// The texts of the causes, the nearest first.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().map(String::as_str)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let causes =
            successors(error.source(), |&error| error.source()).map(ToString::to_string).collect();
        Self { message: error.to_string(), causes }
    }
}

/// So that `?` passes the failure of a child on: `process.result()??`.
impl From<Failure> for Box<dyn Error> {
    fn from(failure: Failure) -> Self {
        failure.to_string().into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        (&self.message, &self.causes).serialize(serializer)
    }
}

/// Tells whether `value` is the `Err` of a `Result`, and then what it says.
///
/// A child's function may return anything that can be sent, and an `Err` among it makes the child print it and exit with
/// 1. No bound can tell a `Result` from the rest; how it writes itself can.
#[must_use]
pub fn error_text<T: Serialize>(value: &T) -> Option<String> {
    value.serialize(Probe).err().and_then(|Found(text)| text)
}

/// A serialiser that looks at the outermost layer only: an `Err` stops it with the text.
struct Probe;

#[derive(Debug)]
struct Found(Option<String>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("looked at")
    }
}

impl Error for Found {}

impl ser::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

/// The error as a text: JSON, which for a string is the string.
fn text_of<T: Serialize + ?Sized>(error: &T) -> String {
    match serde_json::to_value(error) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(value) => value.to_string(),
        Err(_) => "an error".into(),
    }
}

macro_rules! nothing_to_see {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<(), Found> {
            Ok(())
        })*
    };
}

impl Serializer for Probe {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = Impossible<(), Found>;
    type SerializeTuple = Impossible<(), Found>;
    type SerializeTupleStruct = Impossible<(), Found>;
    type SerializeTupleVariant = Impossible<(), Found>;
    type SerializeMap = Impossible<(), Found>;
    type SerializeStruct = Impossible<(), Found>;
    type SerializeStructVariant = Impossible<(), Found>;

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        Err(Found((name == "Result" && variant == "Err").then(|| text_of(value))))
    }

    nothing_to_see! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Found> {
        Err(Found(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Found> {
        Err(Found(None))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Found> {
        Err(Found(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Found> {
        Err(Found(None))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Found> {
        Err(Found(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Found> {
        Err(Found(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Found> {
        Err(Found(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_err_is_an_error() {
        assert_eq!(error_text(&7), None);
        assert_eq!(error_text(&vec![Err::<(), _>("inside")]), None);
        assert_eq!(error_text(&Ok::<_, String>(7)), None);
        assert_eq!(error_text(&Some(1.5)), None);
        assert_eq!(error_text(&Err::<(), _>("plain text")), Some("plain text".into()));
        assert_eq!(error_text(&Err::<(), _>((1, "x"))), Some("[1,\"x\"]".into()));
    }

    #[test]
    fn failure_says_its_causes() {
        let cause = std::io::Error::other("disk is full");
        let outer = multiproc_image::StartError::Os { what: "write", source: cause };
        let failure = Failure::from(outer);
        assert_eq!(failure.to_string(), "failed to write: disk is full");
        assert_eq!(error_text(&Err::<(), _>(failure.clone())), Some(failure.to_string()));
        let bytes = multiproc_wire::encode(&failure).unwrap();
        assert_eq!(bytes.decode::<Failure>().unwrap(), failure);
    }
}
