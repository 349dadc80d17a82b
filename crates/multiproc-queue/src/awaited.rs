//! The calls that wait for an item, awaited: the feature `tokio`.

use std::{os::fd::AsFd, sync::Arc, time::Duration};

use multiproc_sys::readiness::{Registered, Side};
use tokio::time::timeout;

use crate::{
    GetError, Queue, Receiver, TryGetError,
    calls::{self, as_it_is},
    codec::Code,
    port::Port,
    ring::Patience,
};

/// How often a task that waits looks whether anybody is left who could put.
const SLICE: Duration = Duration::from_millis(500);

async fn get<T, C: Code<T>>(port: &Port) -> Result<T, GetError> {
    let attempt = || calls::get::<T, C, _>(port, None, Patience::None, as_it_is);
    match attempt() {
        Ok(item) => return Ok(item),
        Err(TryGetError::Failed(err)) => return Err(err),
        Err(TryGetError::Empty) => {}
    }
    let ring = &port.core.ring;
    ring.watch();
    // A registration of its own for each task, which ends with it.
    let event = ring.as_fd().try_clone_to_owned().map_err(GetError::Os)?;
    let event = Registered::new(Arc::new(event), Side::Read).map_err(GetError::Os)?;
    loop {
        let ready = timeout(SLICE, event.ready()).await;
        let may_come = ready.is_ok() || port.may_be_put();
        match attempt() {
            Ok(item) => return Ok(item),
            Err(TryGetError::Failed(err)) => return Err(err),
            Err(TryGetError::Empty) if !may_come => return Err(GetError::Abandoned),
            Err(TryGetError::Empty) => {
                if let Ok(ready) = ready {
                    ready.map_err(GetError::Os)?.is_over();
                    if !port.may_be_put() && matches!(attempt(), Err(TryGetError::Empty)) {
                        return Err(GetError::Abandoned);
                    }
                }
            }
        }
    }
}

impl<T, C: Code<T>> Queue<T, C> {
    /// Awaits an item, and takes it.
    ///
    /// A future that is dropped, as `tokio::time::timeout` does, has taken nothing.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); and [`GetError::Os`] where there is no descriptor to wait by.
    ///
    /// # Panics
    ///
    /// Panics when it has to wait outside a tokio runtime, or in one without I/O or time.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let q = multiproc_queue::Queue::<u32>::new()?;
    /// let (item, ()) = tokio::join!(q.get_async(), async { q.put(7).unwrap() });
    /// assert_eq!(item?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_async(&self) -> Result<T, GetError> {
        get::<T, C>(self.port()).await
    }
}

impl<T, C: Code<T>> Receiver<T, C> {
    /// Awaits an item, and takes it; as [`Queue::get_async`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); and [`GetError::Os`] where there is no descriptor to wait by.
    ///
    /// # Panics
    ///
    /// Panics when it has to wait outside a tokio runtime, or in one without I/O or time.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (tx, rx) = multiproc_queue::Queue::<u32>::new()?.split();
    /// tx.put(7)?;
    /// assert_eq!(rx.get_async().await?, 7);
    /// drop(tx);
    /// assert!(rx.get_async().await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_async(&self) -> Result<T, GetError> {
        get::<T, C>(self.port()).await
    }
}
