//! The sending end of a one-way pipe, awaited.

use serde::Serialize;

use crate::{SendError, Sender};

/// Awaited: with the feature `tokio`.
impl<T> Sender<T> {
    /// Awaits room in the pipe and sends the bytes as one message.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_bytes`](crate::Connection::send_bytes).
    ///
    /// # Panics
    ///
    /// As [`Connection::recv_async`](crate::Connection::recv_async).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// tx.send_bytes_async(b"raw").await?;
    /// assert_eq!(rx.recv_bytes_async().await?, b"raw");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_bytes_async(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.socket().send_bytes_async(bytes).await
    }
}

impl<T: Serialize> Sender<T> {
    /// Encodes a value, then awaits room in the pipe and sends it.
    ///
    /// The value is encoded by the call itself. A future that is dropped before it is ready has sent
    /// nothing.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`](crate::Connection::send).
    ///
    /// # Panics
    ///
    /// As [`Connection::recv_async`](crate::Connection::recv_async).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (rx, tx) = multiproc_connection::simplex::<Vec<u8>>()?;
    /// tx.send_async(&vec![1, 2]).await?;
    /// assert_eq!(rx.recv_async().await?, [1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_async<'a>(
        &'a self,
        value: &T,
    ) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, T> {
        self.socket().send_async(value)
    }
}
