//! What a process is to be like, before it is made.

use multiproc_image::{Function, StartError, family::AuthKey};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Context, Process};

/// Describes a process; begun by [`Process::builder`].
///
/// # Python
///
/// The keyword arguments of `multiprocessing.Process`.
///
/// # Examples
///
/// ```
/// use multiproc_process::{Context, Process};
///
/// multiproc_image::entry::init();
///
/// let process = Process::builder().name("crunch").daemon(true).context(Context::spawn()).start(|| 7, ())?;
/// assert_eq!((process.name(), process.daemon()), ("crunch", true));
/// assert_eq!(process.result()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `start` or `new`"]
pub struct Builder {
    pub(crate) name: Option<String>,
    pub(crate) daemon: Option<bool>,
    pub(crate) authkey: Option<AuthKey>,
    pub(crate) context: Context,
}

impl Builder {
    /// Sets the name; by default `Process-N`, the N-th that this process makes, or `Process-N:M` in its N-th child.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets whether the process ends with this one; by default it is as daemonic as this one is.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = Some(daemon);
        self
    }

    /// Sets the key with which the process authenticates its connections; by default that of this one.
    pub fn authkey(mut self, authkey: impl Into<AuthKey>) -> Self {
        self.authkey = Some(authkey.into());
        self
    }

    /// Sets the context, and with it the start method; by default the default context.
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Makes a process that runs `function` with `args`; it is not started yet.
    #[expect(clippy::new_ret_no_self, reason = "what is new is the process, as in Python")]
    pub fn new<F, Args>(self, function: F, args: Args) -> Process<F::Output>
    where
        F: Function<Args>,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + Send + 'static,
    {
        Process::make(self, function, args)
    }

    /// Makes a process that runs `function` with `args`, and starts it.
    ///
    /// # Errors
    ///
    /// [`StartError`]; there is then no process.
    pub fn start<F, Args>(self, function: F, args: Args) -> Result<Process<F::Output>, StartError>
    where
        F: Function<Args>,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + Send + 'static,
    {
        let mut process = self.new(function, args);
        process.start()?;
        Ok(process)
    }
}
