//! The calls that wait for a child, awaited: the feature `tokio`.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
    time::Instant,
};

use multiproc_sys::{
    poll,
    readiness::{Registered, Side},
};
use serde::de::DeserializeOwned;
use tokio::time;

use crate::{
    Child, HandleError, Process, ProcessError,
    child::{Inner, PATROL, UNKNOWN},
};

impl Inner {
    /// As [`wait`](Self::wait) without a deadline.
    async fn wait_async(&self) -> io::Result<()> {
        loop {
            if self.poll()? {
                return Ok(());
            }
            if let Ok(false) = poll::wait_readable(self.sentinel(), Some(Instant::now())) {
                readable(duplicate(self.sentinel())).await?;
            } else if self.is_ours {
                // No event tells when it can be reaped: see `wait`.
                time::sleep(PATROL).await;
            } else if let Some(socket) = self.socket().transpose() {
                // Its parent, the fork server, has not yet told how it ended.
                readable(socket).await?;
            }
        }
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    fd.try_clone_to_owned()
}

/// Waits until there is something to read.
///
/// One waits for a process once, so each wait has a registration of its own, and nothing is kept
/// that would be bound to a runtime. Where there is no room for one this looks again after a while.
async fn readable(fd: io::Result<OwnedFd>) -> io::Result<()> {
    match fd.and_then(|fd| Registered::new(Arc::new(fd), Side::Read)) {
        Ok(registered) => registered.ready().await.map(drop),
        Err(_) => {
            time::sleep(PATROL).await;
            Ok(())
        }
    }
}

/// Awaited: with the feature `tokio`.
impl Child {
    /// Awaits the end of the child; any number of times, and any number of tasks.
    ///
    /// A future that is dropped leaves the child as it is. Time limits are tokio's:
    /// `timeout(limit, child.join_async())`.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join), and [`HandleError::Os`] when the runtime shuts down meanwhile.
    ///
    /// # Panics
    ///
    /// Panics when it is awaited, and has to wait, outside a tokio runtime or in one without I/O or
    /// time.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     let process = multiproc_process::spawn(|| (), ())?;
    ///     for child in multiproc_process::active_children() {
    ///         child.join_async().await?;
    ///     }
    ///     assert_eq!(process.exitcode(), Some(0));
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn join_async(&self) -> Result<(), HandleError> {
        self.check_creator()?;
        self.inner().wait_async().await.map_err(|err| self.os("join", err))
    }

    /// Awaits the end of the child and returns its exit code: -N if signal N ended it, 255 if its
    /// status was lost to somebody else.
    ///
    /// # Errors
    ///
    /// As [`join_async`](Self::join_async).
    ///
    /// # Panics
    ///
    /// As [`join_async`](Self::join_async).
    ///
    /// # Python
    ///
    /// What `asyncio.subprocess.Process.wait` is for a program. `multiprocessing` awaits nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     let process = multiproc_process::spawn(|| -> () { std::process::exit(7) }, ())?;
    ///     assert_eq!(process.child()?.wait_async().await?, 7);
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn wait_async(&self) -> Result<i32, HandleError> {
        self.join_async().await?;
        Ok(self.exitcode().unwrap_or(UNKNOWN))
    }
}

/// Awaited: with the feature `tokio`.
impl<R> Process<R> {
    /// Awaits the end of the process; any number of times, and any number of tasks.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join), and [`HandleError::Os`] when the runtime shuts down meanwhile.
    ///
    /// # Panics
    ///
    /// As [`Child::join_async`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tokio::time::timeout;
    ///
    /// multiproc_image::entry::init();
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     let sleep = || std::thread::sleep(Duration::from_secs(1000));
    ///     let process = multiproc_process::spawn(sleep, ())?;
    ///     assert!(timeout(Duration::from_millis(1), process.join_async()).await.is_err());
    ///     process.kill()?;
    ///     process.join_async().await?;
    ///     assert_eq!(process.exitcode(), Some(-9));
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn join_async(&self) -> Result<(), HandleError> {
        self.child()?.join_async().await
    }

    /// Awaits the end of the process and returns its exit code: -N if signal N ended it, 255 if its
    /// status was lost to somebody else.
    ///
    /// # Errors
    ///
    /// As [`join_async`](Self::join_async).
    ///
    /// # Panics
    ///
    /// As [`Child::join_async`].
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     let process = multiproc_process::spawn(|| (), ())?;
    ///     assert_eq!(process.wait_async().await?, 0);
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn wait_async(&self) -> Result<i32, HandleError> {
        self.child()?.wait_async().await
    }
}

/// Awaited: with the feature `tokio`.
impl<R: DeserializeOwned> Process<R> {
    /// Awaits the end of the process and returns what its function returned; once.
    ///
    /// A future that is dropped before it is ready has not taken the result.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result).
    ///
    /// # Panics
    ///
    /// As [`Child::join_async`].
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     let three = multiproc_process::spawn(|| 3, ())?;
    ///     let four = multiproc_process::spawn(|| 4, ())?;
    ///     let (three, four) = tokio::join!(three.result_async(), four.result_async());
    ///     assert_eq!(three? + four?, 7);
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn result_async(&self) -> Result<R, ProcessError> {
        self.join_async().await?;
        self.outcome()
    }
}
