//! The arguments of one call.

use std::time::Duration;

use multiproc_wire::pickle::{Exception, Object, from_object};
use serde::de::DeserializeOwned;

use crate::raise;

/// The arguments that a shared object's method was called with, taken one after the other.
///
/// # Python
///
/// `*args, **kwargs`.
///
/// # Examples
///
/// ```
/// use multiproc_managers::{Args, pickle::Object};
///
/// let mut args = Args::new([4.into()], [("y".to_owned(), 3.into())]);
/// let (x, y): (i64, i64) = (args.take("x")?, args.take("y")?);
/// args.finish()?;
/// assert_eq!(x + y, 7);
/// # Ok::<(), multiproc_managers::pickle::Exception>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Behind each other, the next one last.
    positional: Vec<Object>,
    named: Vec<(String, Object)>,
}

impl Args {
    /// Gathers arguments, those without a name first.
    #[must_use]
    pub fn new(
        positional: impl Into<Vec<Object>>,
        named: impl Into<Vec<(String, Object)>>,
    ) -> Self {
        let mut positional = positional.into();
        positional.reverse();
        Self { positional, named: named.into() }
    }

    /// Takes the next argument, or the one with this name, if there is one.
    pub fn object(&mut self, name: &str) -> Option<Object> {
        self.positional.pop().or_else(|| {
            let place = self.named.iter().position(|(named, _)| named == name)?;
            Some(self.named.swap_remove(place).1)
        })
    }

    /// Takes the next argument as a value.
    ///
    /// # Errors
    ///
    /// `TypeError` when it is missing or of another type.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Exception> {
        let object = self.required(name)?;
        value(name, object)
    }

    /// Takes the next argument as a value, or the default where there is none.
    ///
    /// # Errors
    ///
    /// `TypeError` when it is of another type.
    pub fn take_or<T: DeserializeOwned>(&mut self, name: &str, default: T) -> Result<T, Exception> {
        match self.object(name) {
            Some(object) => value(name, object),
            None => Ok(default),
        }
    }

    /// Checks that no arguments are left.
    ///
    /// # Errors
    ///
    /// `TypeError` when there are.
    pub fn finish(self) -> Result<(), Exception> {
        match (self.positional.len(), self.named.first()) {
            (0, None) => Ok(()),
            (0, Some((name, _))) => {
                Err(raise::type_error(format!("unexpected keyword argument '{name}'")))
            }
            (count, _) => Err(raise::type_error(format!("{count} arguments too many"))),
        }
    }

    pub(crate) fn required(&mut self, name: &str) -> Result<Object, Exception> {
        self.object(name)
            .ok_or_else(|| raise::type_error(format!("missing required argument: '{name}'")))
    }

    /// Takes a number of seconds; `None`, or none, is no limit.
    pub(crate) fn seconds(&mut self, name: &str) -> Result<Option<f64>, Exception> {
        match self.object(name) {
            None | Some(Object::None) => Ok(None),
            Some(object) => seconds(&object).map(Some),
        }
    }

    /// Takes a time; negative ones have passed.
    pub(crate) fn timeout(&mut self, name: &str) -> Result<Option<Duration>, Exception> {
        Ok(self.seconds(name)?.map(duration))
    }

    /// Takes a truth value, as Python sees one in a number.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> Result<bool, Exception> {
        match self.object(name) {
            None => Ok(default),
            Some(Object::Bool(value)) => Ok(value),
            Some(Object::None) => Ok(false),
            Some(object) => match object.as_int() {
                Some(number) => Ok(number != 0),
                None => Err(raise::type_error(format!("argument '{name}' must be a bool"))),
            },
        }
    }

    pub(crate) fn int(&mut self, name: &str, default: i64) -> Result<i64, Exception> {
        match self.object(name) {
            None => Ok(default),
            Some(Object::Bool(value)) => Ok(value.into()),
            Some(object) => object.as_int().ok_or_else(|| {
                let found = object.type_name();
                raise::type_error(format!("'{found}' object cannot be interpreted as an integer"))
            }),
        }
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.positional.iter().chain(self.named.iter().map(|(_, object)| object))
    }

    /// Takes all that have a name.
    pub(crate) fn all_named(&mut self) -> Vec<(String, Object)> {
        std::mem::take(&mut self.named)
    }
}

fn value<T: DeserializeOwned>(name: &str, object: Object) -> Result<T, Exception> {
    from_object(object)
        .map_err(|err| raise::type_error(format!("argument '{name}': {}", err.kind())))
}

fn seconds(object: &Object) -> Result<f64, Exception> {
    let number = match object {
        Object::Bool(value) => f64::from(u8::from(*value)),
        object => match (object.as_float(), object.as_int()) {
            (Some(number), _) => number,
            (None, Some(number)) => number as f64,
            (None, None) => {
                let text = format!("timeout must be a number, not {}", object.type_name());
                return Err(raise::type_error(text));
            }
        },
    };
    if number.is_nan() {
        return Err(raise::value_error("timeout is not a number"));
    }
    Ok(number)
}

/// A hundred years: no timer has to reckon with more.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Makes a time of a number of seconds, at most a hundred years.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST).min(LONGEST)
}
