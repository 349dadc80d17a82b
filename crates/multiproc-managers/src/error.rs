//! What can go wrong with a manager and with the calls of its proxies.

use std::{error::Error, fmt, io};

use multiproc_connection::{BindError, ConnectError, RecvError, SendError};
use multiproc_image::StartError;
use multiproc_process::HandleError;
use multiproc_wire::pickle::{Exception, Object, ObjectError, PickleError};
use serde::de::DeserializeOwned;

/// An error of a call of a shared object's method.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The method has raised an exception, which is here as it was raised.
    ///
    /// Python raises that exception.
    #[error("shared object raised {0}")]
    Raised(Box<Exception>),

    /// The server could not make the call, or not send the result: no such object or method, a result
    /// that cannot be pickled, a panic.
    ///
    /// Python raises `multiprocessing.managers.RemoteError`.
    #[error("server failed to make the call: {}", .0.trim_end())]
    Remote(String),

    /// The server cannot be reached, or does not know the same key.
    ///
    /// Python raises `FileNotFoundError`, `ConnectionRefusedError` or `AuthenticationError`.
    #[error("failed to connect to the manager's server")]
    Connect(#[from] ConnectError),

    /// The request could not be sent. Python raises `BrokenPipeError` or another `OSError`.
    #[error("failed to send the request to the manager's server")]
    Send(#[from] SendError),

    /// No reply came: the server has ended, was killed, or the network failed. The method may have
    /// been called. Python raises `EOFError` or `ConnectionResetError`.
    #[error("failed to receive the reply of the manager's server")]
    Recv(#[from] RecvError),

    /// An argument is not what Python has, or is nested too deep; nothing was sent.
    ///
    /// Python raises `PicklingError`.
    #[error("failed to write the arguments")]
    Encode(#[source] ObjectError),

    /// The reply is no pickle, or one that may not be read. Python raises `UnpicklingError`.
    #[error("failed to read the reply")]
    Pickle(#[from] PickleError),

    /// The result is of another type than the one asked for. Python hands over any object.
    #[error("result is of another type")]
    Decode(#[source] ObjectError),

    /// The reply is none. Python raises `ValueError` or `TypeError`.
    #[error("manager's server replied with something that is no reply")]
    Malformed,
}

impl CallError {
    /// The exception that the method has raised, if it has.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let list = manager.list([1, 2, 3])?;
    /// let err = list.get(20).unwrap_err();
    /// assert!(err.is_raised("IndexError"));
    /// assert_eq!(err.exception().unwrap().to_string(), "IndexError('list index out of range')");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn exception(&self) -> Option<&Exception> {
        match self {
            Self::Raised(exception) => Some(exception),
            _ => None,
        }
    }

    /// Returns whether the method has raised an exception of the class with this name.
    #[must_use]
    pub fn is_raised(&self, class: &str) -> bool {
        self.exception().is_some_and(|exception| exception.class.name == class)
    }

    /// Returns whether a queue had no item in time: Python's `queue.Empty`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_raised("Empty")
    }

    /// Returns whether a queue had no room in time: Python's `queue.Full`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_raised("Full")
    }

    /// Returns whether a queue has been shut down: Python's `queue.ShutDown`.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.is_raised("ShutDown")
    }

    /// Returns whether the server is gone, or cannot be reached.
    ///
    /// That this process has no descriptor left for a long value is not that: the value is lost, the server is
    /// there.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Recv(RecvError::NoRoom) => false,
            Self::Connect(_) | Self::Send(_) | Self::Recv(_) => true,
            _ => false,
        }
    }

    /// The report of a [`Remote`](Self::Remote) error between lines, as Python shows it.
    #[must_use]
    pub fn remote_report(&self) -> Option<String> {
        match self {
            Self::Remote(text) => {
                let line = "-".repeat(75);
                Some(format!("\n{line}\n{text}{line}"))
            }
            _ => None,
        }
    }
}

/// An error of a method that has errors of its own.
///
/// # Python
///
/// The exception of the method, or any other.
#[derive(Debug)]
pub enum MethodError<E> {
    /// The method's own error, of the type that it returned.
    Own(E),
    /// What else went wrong.
    Call(CallError),
}

impl<E: fmt::Display> fmt::Display for MethodError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(err) => err.fmt(f),
            Self::Call(err) => err.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for MethodError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Own(_) => None,
            Self::Call(err) => err.source(),
        }
    }
}

/// The attribute of an exception that holds the error it was made of.
pub(crate) const OWN: &str = "__multiproc_error__";

impl<E: DeserializeOwned> From<CallError> for MethodError<E> {
    fn from(err: CallError) -> Self {
        let own = err.exception().and_then(|exception| {
            let own = exception.attributes.iter().find(|(name, _)| name.as_str() == Some(OWN))?;
            multiproc_wire::pickle::from_object::<E>(own.1.clone()).ok()
        });
        own.map_or(Self::Call(err), Self::Own)
    }
}

/// An error returned when a manager cannot be started, connected or served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// The server's process could not be started. Python raises `OSError`.
    #[error("failed to start the manager's server")]
    Start(#[from] StartError),

    /// The server has ended before it listened: its address is in use, or the initializer has failed.
    ///
    /// Python raises `EOFError`, and the cause stands on the server's stderr.
    #[error("manager's server did not come up: {0}")]
    Server(String),

    /// There is no such address, or it is in use. Python raises `OSError`.
    #[error("failed to listen for the manager's clients")]
    Bind(#[from] BindError),

    /// There is no such address. Python raises `ValueError`.
    #[error(transparent)]
    Address(#[from] multiproc_connection::AddressError),

    /// To connect needs an address. Python fails on `None`.
    #[error("no address to connect to: say `address` first")]
    NoAddress,

    /// The server did not answer. Python raises what connecting raises.
    #[error(transparent)]
    Call(#[from] CallError),

    /// A type was registered with a value of this process, which no other process has.
    ///
    /// Python raises `PicklingError`, unless the server is a fork.
    #[error(
        "`{0}` is registered with a value of this process: register a function for `start`, or \
         serve in this process"
    )]
    Captured(String),

    /// The process could not be waited for. Python raises `OSError`.
    #[error("failed to wait for the manager's server")]
    Wait(#[from] HandleError),

    /// The operating system refused. Python raises `OSError`.
    #[error("failed to talk to the manager's server")]
    Io(#[from] io::Error),
}

/// An error of a shared type's method, which keeps its type on its way to a Rust client.
///
/// A Python client sees an exception of the class named here with the error's text.
///
/// # Python
///
/// An exception class.
///
/// # Examples
///
/// ```
/// use multiproc_managers::SharedError;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Negative(i64);
///
/// impl std::fmt::Display for Negative {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         write!(f, "{} is negative", self.0)
///     }
/// }
///
/// impl SharedError for Negative {
///     fn python_class(&self) -> &str {
///         "ValueError"
///     }
/// }
///
/// assert_eq!(Negative(-1).into_exception().to_string(), "ValueError('-1 is negative')");
/// ```
pub trait SharedError: serde::Serialize + DeserializeOwned + fmt::Display {
    /// The name of the builtin exception that Python clients see.
    fn python_class(&self) -> &str {
        "RuntimeError"
    }

    /// Makes the exception that travels.
    fn into_exception(self) -> Exception {
        let mut exception = crate::raise::builtin(self.python_class(), self.to_string());
        if let Ok(own) = multiproc_wire::pickle::to_object(&self) {
            exception.attributes.push((Object::from(OWN), own));
        }
        exception
    }
}

impl SharedError for String {}

/// An error with its causes, for where only text can go on.
pub(crate) fn chain(err: &dyn Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text += ": ";
            text += &cause_text;
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lack_of_descriptors_here_is_no_loss_of_the_server() {
        assert!(CallError::Recv(RecvError::Closed).is_lost());
        assert!(!CallError::Recv(RecvError::NoRoom).is_lost());
    }
}
