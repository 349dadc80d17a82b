//! The two-way end, awaited.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Connection, RecvError, SendError};

/// Awaited: with the feature `tokio`.
///
/// These calls and those that wait can be mixed on the same end, and any number of tasks and threads
/// can be at it. Time limits are tokio's: `timeout(limit, end.recv_async())`.
impl<S, R> Connection<S, R> {
    /// Awaits room in the pipe and sends the bytes as one message.
    ///
    /// # Errors
    ///
    /// As [`send_bytes`](Self::send_bytes).
    ///
    /// # Panics
    ///
    /// As [`recv_async`](Self::recv_async).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.send_bytes_async(b"raw").await?;
    /// assert_eq!(b.recv_bytes_async().await?, b"raw");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_bytes_async(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.socket().send_bytes_async(bytes).await
    }

    /// Awaits a message and returns its bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`recv_bytes`](Self::recv_bytes).
    ///
    /// # Panics
    ///
    /// As [`recv_async`](Self::recv_async).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// let (sent, received) = tokio::join!(a.send_bytes_async(b"raw"), b.recv_bytes_async());
    /// sent?;
    /// assert_eq!(received?, b"raw");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_bytes_async(&self) -> Result<Vec<u8>, RecvError> {
        self.socket().recv_bytes_async().await
    }

    /// Awaits a message of at most `max` bytes and returns its bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`recv_bytes_max`](Self::recv_bytes_max).
    ///
    /// # Panics
    ///
    /// As [`recv_async`](Self::recv_async).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.send_bytes(b"longer")?;
    /// a.send_bytes(b"short")?;
    /// assert!(b.recv_bytes_max_async(5).await.is_err());
    /// assert_eq!(b.recv_bytes_max_async(5).await?, b"short");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_bytes_max_async(&self, max: usize) -> Result<Vec<u8>, RecvError> {
        self.socket().recv_bytes_max_async(max).await
    }

    /// Awaits a message, puts its bytes at the front of `buffer` and returns their number.
    ///
    /// # Errors
    ///
    /// As [`recv_bytes_into`](Self::recv_bytes_into).
    ///
    /// # Panics
    ///
    /// As [`recv_async`](Self::recv_async).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.send_bytes(b"abc")?;
    /// let mut buffer = [b'.'; 6];
    /// assert_eq!(b.recv_bytes_into_async(&mut buffer).await?, 3);
    /// assert_eq!(&buffer, b"abc...");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_bytes_into_async(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        self.socket().recv_bytes_into_async(buffer).await
    }
}

impl<S: Serialize, R> Connection<S, R> {
    /// Encodes a value, then awaits room in the pipe and sends it.
    ///
    /// The value is encoded by the call itself, so it need not live until the message is sent, nor
    /// be one that threads can share.
    ///
    /// On a pipe, a future that is dropped before it is ready has sent nothing. On a stream the same
    /// is true until the first byte is out; from then on the message is the end's own, is finished
    /// before the next one, by whoever sends that, and the end cannot be handed on meanwhile. If the
    /// end is dropped instead, the other one finds that the message is
    /// [`Truncated`](crate::RecvError::Truncated).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// As [`recv_async`](Self::recv_async).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (a, b) = multiproc_connection::pipe::<(u8, Option<f64>), ()>()?;
    /// a.send_async(&(1, Some(2.25))).await?;
    /// assert_eq!(b.recv_async().await?, (1, Some(2.25)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_async<'a>(
        &'a self,
        value: &S,
    ) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, S, R> {
        self.socket().send_async(value)
    }
}

impl<S, R: DeserializeOwned> Connection<S, R> {
    /// Awaits a value.
    ///
    /// A future that is dropped before it is ready has received nothing: the message is there for
    /// the next call, also on a stream of which half a message has come. So this may stand in a
    /// `select!`.
    ///
    /// # If a process dies
    ///
    /// When it held the last other end, the future is ready at once, as [`recv`](Self::recv) would
    /// return.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`RecvError::Io`] when the runtime shuts down meanwhile or there
    /// is no room for one more descriptor.
    ///
    /// # Panics
    ///
    /// Panics when it is awaited, and has to wait, outside a tokio runtime or in one without I/O.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tokio::time::timeout;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (a, b) = multiproc_connection::pipe::<String, ()>()?;
    /// assert!(timeout(Duration::from_millis(1), b.recv_async()).await.is_err());
    /// a.send_async(&"last words".to_owned()).await?;
    /// drop(a);
    /// assert_eq!(b.recv_async().await?, "last words");
    /// assert!(b.recv_async().await.unwrap_err().is_closed());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_async(&self) -> Result<R, RecvError> {
        self.socket().recv_async().await
    }
}
