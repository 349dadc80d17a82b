//! The receiving end of a one-way pipe, awaited.

use serde::de::DeserializeOwned;

use crate::{Receiver, RecvError};

/// Awaited: with the feature `tokio`.
impl<T> Receiver<T> {
    /// Awaits a message and returns its bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_bytes`](crate::Connection::recv_bytes).
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
    pub async fn recv_bytes_async(&self) -> Result<Vec<u8>, RecvError> {
        self.socket().recv_bytes_async().await
    }

    /// Awaits a message of at most `max` bytes and returns its bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_bytes_max`](crate::Connection::recv_bytes_max).
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
    /// assert_eq!(rx.recv_bytes_max_async(3).await?, b"raw");
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
    /// As [`Connection::recv_bytes_into`](crate::Connection::recv_bytes_into).
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
    /// let mut buffer = [0; 8];
    /// let len = rx.recv_bytes_into_async(&mut buffer).await?;
    /// assert_eq!(&buffer[..len], b"raw");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_bytes_into_async(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        self.socket().recv_bytes_into_async(buffer).await
    }
}

impl<T: DeserializeOwned> Receiver<T> {
    /// Awaits a value. A future that is dropped before it is ready has received nothing.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_async`](crate::Connection::recv_async).
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
    /// let (rx, tx) = multiproc_connection::simplex::<char>()?;
    /// let (received, sent) = tokio::join!(rx.recv_async(), tx.send_async(&'x'));
    /// sent?;
    /// assert_eq!(received?, 'x');
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_async(&self) -> Result<T, RecvError> {
        self.socket().recv_async().await
    }
}
