//! Objects over the two-way end.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Connection, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

/// Messages that are Python objects; with the feature `python`.
///
/// They have types of their own, whatever `S` and `R` are, for what a Python sends is known only
/// when it is there. The other end may be Python's or Rust's, as long as it also speaks objects.
///
/// Objects are plain data, and a few images of other things: see `multiproc_wire::pickle`, whose
/// limits hold: 512 levels, the globals on its list, and no more shared values and text, on top of
/// what the length of a message allows, than 2²⁰ and 64 MiB, or
/// [`max_message`](Self::max_message) where that is less. Made up of the smallest values, a message
/// takes up to 320 times its length while it is read, so set that limit low where the other end is
/// not trusted with memory.
///
/// Nothing in a pickle is looked up or called. A listener or client with a key has made no
/// `Connection` before the other end has proven that it knows the key, so no stranger's pickle is
/// even read; without a key anybody who can connect sends objects, and all that they can do with
/// them is to send data. For other limits, opaque globals or another protocol, take the message as
/// bytes: `pickle::decode_with(&connection.recv_bytes()?, limits)` is what `recv_object` does, and
/// `connection.send_bytes(&pickle::encode(&object, protocol)?)` what `send_object` does.
impl<S, R> Connection<S, R> {
    /// Sends a value as a Python object, waiting while the pipe is full.
    ///
    /// The value is anything that serde knows, or an `Object` of `multiproc_wire::pickle`; its
    /// function `to_object` has the table of what becomes what. Written is protocol 4, as Python does.
    ///
    /// # Python
    ///
    /// `Connection.send(obj)`.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Pickle`] when the value is nested more than 512 levels deep, or holds
    /// what no object can be, such as a handle; else as [`send_bytes`](Self::send_bytes). Nothing was
    /// sent then.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::Object;
    /// use serde::Serialize;
    ///
    /// #[derive(Serialize)]
    /// struct Point {
    ///     x: i64,
    ///     y: Option<f64>,
    /// }
    ///
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.send_object(&Point { x: 7, y: None })?; // Python: conn.recv() == {'x': 7, 'y': None}
    /// a.send_object(&Object::exception("KeyError", ["x".into()]))?;
    ///
    /// assert_eq!(b.recv_object::<Object>()?.to_string(), "{'x': 7, 'y': None}");
    /// assert_eq!(b.recv_object::<Object>()?.to_string(), "KeyError('x')");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_object<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SendError> {
        self.socket().send_object(value)
    }

    /// Sends a value as a Python object if the pipe has room for it.
    ///
    /// On a stream there has to be room for the first byte; the rest is then waited for.
    ///
    /// # Errors
    ///
    /// Returns [`TrySendError::Full`] where [`send_object`](Self::send_object) would wait, else as
    /// `send_object`.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.try_send_object("now")?;
    /// assert_eq!(b.recv_object::<String>()?, "now");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_send_object<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), TrySendError> {
        self.socket().try_send_object(value)
    }

    /// Waits for a Python object and returns it as a value.
    ///
    /// The value is anything that serde knows, or an `Object` of `multiproc_wire::pickle`, which
    /// takes whatever came. Pickles of all protocols are read. Handles that came with the message
    /// are closed.
    ///
    /// # Python
    ///
    /// `Connection.recv()`.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Pickle`] when the message is no pickle that may be read, with what is
    /// wrong and where, the name if it is a global that is not on the list;
    /// [`RecvError::Object`] when the object is no `T`; else as [`recv_bytes`](Self::recv_bytes).
    /// With either of the first two that message is lost, and the connection goes on with the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    ///
    /// use multiproc_connection::RecvError;
    /// use multiproc_wire::pickle::Object;
    ///
    /// let (python, rust) = multiproc_connection::pipe::<(), ()>()?;
    /// python.send_bytes(b"(X\x05\0\0\0sevenK\x07t.")?; // Python: conn.send(('seven', 7))
    /// let (name, number): (String, u8) = rust.recv_object()?;
    /// assert_eq!((&*name, number), ("seven", 7));
    ///
    /// python.send_bytes(b"cos\nsystem\n(X\x02\0\0\0lstR.")?; // An object that runs a program.
    /// let Err(RecvError::Pickle(err)) = rust.recv_object::<Object>() else { panic!() };
    /// assert_eq!(err.kind().to_string(), "global `os.system` is not one that may be read");
    ///
    /// python.send_bytes(b"K\x07.")?;
    /// assert_eq!(rust.recv_object::<u64>()?, 7);
    /// # Ok::<(), Box<dyn Error>>(())
    /// ```
    pub fn recv_object<T: DeserializeOwned>(&self) -> Result<T, RecvError> {
        self.socket().recv_object()
    }

    /// Returns a Python object as a value if one is there.
    ///
    /// # Errors
    ///
    /// Returns [`TryRecvError::Empty`] where [`recv_object`](Self::recv_object) would wait, else as
    /// `recv_object`.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// assert!(b.try_recv_object::<u8>().is_err());
    /// a.send_object(&[1, 2])?;
    /// assert_eq!(b.try_recv_object::<Vec<u8>>()?, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_recv_object<T: DeserializeOwned>(&self) -> Result<T, TryRecvError> {
        self.socket().try_recv_object()
    }

    /// Waits for a Python object for at most `timeout` and returns it as a value.
    ///
    /// # Errors
    ///
    /// Returns [`RecvTimeoutError::Timeout`] when nothing came in time, else as
    /// [`recv_object`](Self::recv_object).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// assert!(b.recv_object_timeout::<bool>(Duration::from_millis(1)).is_err());
    /// a.send_object(&true)?;
    /// assert!(b.recv_object_timeout::<bool>(Duration::from_secs(60))?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_object_timeout<T: DeserializeOwned>(
        &self,
        timeout: Duration,
    ) -> Result<T, RecvTimeoutError> {
        self.socket().recv_object_timeout(timeout)
    }
}
