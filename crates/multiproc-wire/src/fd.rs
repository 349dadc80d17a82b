//! Files, sockets and pipe ends in messages, for fields of foreign types.
//!
//! `#[serde(with = "multiproc_wire::fd")]` works for every type that lends and is made from a
//! descriptor: [`OwnedFd`], [`File`](std::fs::File), [`TcpStream`](std::net::TcpStream),
//! [`UnixStream`](std::os::unix::net::UnixStream), [`PipeReader`](std::io::PipeReader) and more.
//! The message takes a duplicate, made when the value is serialised. Nothing checks that the
//! receiver reads back the type that was sent: a file can arrive as a socket, whose calls then fail.
//!
//! # Examples
//!
//! ```
//! use std::{fs::File, io::PipeWriter};
//!
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Task {
//!     #[serde(with = "multiproc_wire::fd")]
//!     input: File,
//!     #[serde(with = "multiproc_wire::fd")]
//!     output: PipeWriter,
//! }
//!
//! let (_reader, output) = std::io::pipe()?;
//! let task = Task { input: File::open("/dev/null")?, output };
//! let copy: Task = multiproc_wire::encode(&task)?.decode()?;
//! assert_eq!(copy.input.metadata()?.len(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{
    ops::{Deref, DerefMut},
    os::fd::{AsFd, OwnedFd},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use crate::Handle;

/// Puts a duplicate of the value's descriptor into the message.
///
/// # Errors
///
/// Fails outside a transfer, and where no duplicate can be made.
pub fn serialize<T: AsFd, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let fd = value.as_fd().try_clone_to_owned().map_err(ser::Error::custom)?;
    Handle::from(fd).serialize(serializer)
}

/// Makes a value of a descriptor that came with the message.
///
/// # Errors
///
/// Fails outside a transfer, and where the message brought no such descriptor.
pub fn deserialize<'de, T: From<OwnedFd>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let handle = Handle::deserialize(deserializer)?;
    handle.into_owned().map(T::from).map_err(serde::de::Error::custom)
}

/// A file, socket or pipe end that can be sent, as an argument or element on its own.
///
/// # If a process dies
///
/// The system closes its descriptors; the duplicates that others received stay open.
///
/// # Python
///
/// Sockets and connections can be sent in Python too; files cannot.
///
/// # Examples
///
/// ```
/// use std::{fs::File, net::TcpListener};
///
/// use multiproc_wire::Fd;
///
/// let arguments = ("log", Fd(File::open("/dev/null")?), Fd(TcpListener::bind("127.0.0.1:0")?));
/// let message = multiproc_wire::encode(&arguments)?;
/// let (_, file, listener): (String, Fd<File>, Fd<TcpListener>) = message.decode()?;
/// assert!(file.metadata().is_ok());
/// assert_eq!(listener.local_addr()?, arguments.2.local_addr()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd<T>(
    /// The value whose descriptor travels.
    pub T,
);

impl<T> Fd<T> {
    /// Returns the value itself.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Fd<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Fd<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Fd<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: AsFd> Serialize for Fd<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de, T: From<OwnedFd>> Deserialize<'de> for Fd<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}
