//! Python objects, awaited: the features `python` and `tokio`.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Connection, Receiver, RecvError, SendError, Sender,
    objects::{into_object, pickle},
    socket::Socket,
};

impl Socket {
    fn send_object_async<'a, T: Serialize + ?Sized>(
        &'a self,
        value: &T,
    ) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, T> {
        let mut bytes = Vec::new();
        let pickled = pickle(value, &mut bytes);
        async move {
            pickled?;
            self.send_bytes_async(&bytes).await
        }
    }

    async fn recv_object_async<T: DeserializeOwned>(&self) -> Result<T, RecvError> {
        let bounds = self.bounds();
        self.receive_async(bounds, |buffers| into_object(buffers, bounds)).await
    }
}

/// Awaited: with the features `python` and `tokio`.
impl<S, R> Connection<S, R> {
    /// Makes a Python object of a value, then awaits room in the pipe and sends it.
    ///
    /// The object is made by the call itself. What is true of a future that is dropped is true as for
    /// [`send_async`](Self::send_async).
    ///
    /// # Errors
    ///
    /// As [`send_object`](Self::send_object).
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
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.send_object_async(&("seven", 7)).await?;
    /// assert_eq!(b.recv_object_async::<(String, u8)>().await?, ("seven".to_owned(), 7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_object_async<'a, V: Serialize + ?Sized>(
        &'a self,
        value: &V,
    ) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, V, S, R> {
        self.socket().send_object_async(value)
    }

    /// Awaits a Python object, as a value.
    ///
    /// A future that is dropped before it is ready has received nothing.
    ///
    /// # Errors
    ///
    /// As [`recv_object`](Self::recv_object).
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
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.send_object_async(&("seven", 7)).await?;
    /// assert_eq!(b.recv_object_async::<(String, u8)>().await?, ("seven".to_owned(), 7));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_object_async<V: DeserializeOwned>(&self) -> Result<V, RecvError> {
        self.socket().recv_object_async().await
    }
}

/// Awaited: with the features `python` and `tokio`.
impl<T> Sender<T> {
    /// Makes a Python object of a value, then awaits room in the pipe and sends it.
    ///
    /// The object is made by the call itself. What is true of a future that is dropped is true as for
    /// [`send_async`](Self::send_async).
    ///
    /// # Errors
    ///
    /// As [`send_object`](Self::send_object).
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
    /// tx.send_object_async(&("seven", 7)).await?;
    /// assert_eq!(rx.recv_object_async::<(String, u8)>().await?, ("seven".to_owned(), 7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_object_async<'a, V: Serialize + ?Sized>(
        &'a self,
        value: &V,
    ) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, V, T> {
        self.socket().send_object_async(value)
    }
}

/// Awaited: with the features `python` and `tokio`.
impl<T> Receiver<T> {
    /// Awaits a Python object, as a value.
    ///
    /// A future that is dropped before it is ready has received nothing.
    ///
    /// # Errors
    ///
    /// As [`recv_object`](Self::recv_object).
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
    /// tx.send_object_async(&("seven", 7)).await?;
    /// assert_eq!(rx.recv_object_async::<(String, u8)>().await?, ("seven".to_owned(), 7));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_object_async<V: DeserializeOwned>(&self) -> Result<V, RecvError> {
        self.socket().recv_object_async().await
    }
}
