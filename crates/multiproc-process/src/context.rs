//! A start method, and what is made with it.

use multiproc_image::{Function, StartError};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Builder, ContextError, Process, StartMethod, get_start_method};

/// Makes processes by one start method, or, the default context, by the one that the program has chosen.
///
/// What is made under one context works under every other.
///
/// # Python
///
/// What `multiprocessing.get_context()` returns. Python's `ctx.Process(…).start()` is [`start`](Self::start).
///
/// # Examples
///
/// ```
/// use multiproc_process::{Context, StartMethod};
///
/// multiproc_image::entry::init();
///
/// let context = Context::spawn();
/// assert_eq!(context.get_start_method(), StartMethod::Spawn);
/// assert_eq!(context.start(|a: u8, b: u8| a + b, (4, 3))?.result()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    method: Option<StartMethod>,
    /// Of the default context: the method that it had when it was asked to keep it.
    resolved: Option<StartMethod>,
    allow_threads: bool,
}

impl Context {
    /// The context whose processes are copies of this one.
    #[must_use]
    pub fn fork() -> Self {
        StartMethod::Fork.into()
    }

    /// The context whose processes are this program, executed anew.
    #[must_use]
    pub fn spawn() -> Self {
        StartMethod::Spawn.into()
    }

    /// The context whose processes a server forks.
    #[must_use]
    pub fn forkserver() -> Self {
        StartMethod::Forkserver.into()
    }

    /// Lets a fork happen while threads run that are not the library's own.
    ///
    /// In the child those threads do not exist, and a lock that one of them held stays locked for ever, except the
    /// allocator's and those of standard output and error. Say it if the child needs no such lock. One is hidden: std
    /// prints one backtrace at a time, so a child that panics after a fork in the middle of another thread's panic hangs.
    #[must_use]
    pub fn allow_threads(self) -> Self {
        Self { allow_threads: true, ..self }
    }

    pub(crate) fn allows_threads(&self) -> bool {
        self.allow_threads
    }

    /// The start method of this context; asking the default context fixes it.
    #[must_use]
    pub fn get_start_method(&self) -> StartMethod {
        self.method.or(self.resolved).unwrap_or_else(get_start_method)
    }

    /// This context with the start method that it has now, though its processes keep the names of this one's.
    #[doc(hidden)]
    #[must_use]
    pub fn fixed(self) -> Self {
        Self { resolved: Some(self.get_start_method()), ..self }
    }

    /// Chooses the start method of the default context, once.
    ///
    /// # Errors
    ///
    /// [`ContextError::Fixed`] if this is not the default context; [`ContextError::AlreadySet`].
    pub fn set_start_method(&self, method: StartMethod) -> Result<(), ContextError> {
        match self.method {
            Some(fixed) => Err(ContextError::Fixed(fixed)),
            None => crate::set_start_method(method),
        }
    }

    /// The context of this name, or this one where there is no name.
    ///
    /// # Errors
    ///
    /// [`ContextError::Unknown`].
    pub fn get_context<'a>(&self, name: impl Into<Option<&'a str>>) -> Result<Self, ContextError> {
        match name.into() {
            Some(name) => get_context(name),
            None => Ok(self.clone()),
        }
    }

    /// Begins to describe a process of this context.
    pub fn process(&self) -> Builder {
        Process::builder().context(self.clone())
    }

    /// Starts a process that runs `function` with `args`.
    ///
    /// # Errors
    ///
    /// [`StartError`]; there is then no process.
    pub fn start<F, Args>(&self, function: F, args: Args) -> Result<Process<F::Output>, StartError>
    where
        F: Function<Args>,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + Send + 'static,
    {
        self.process().start(function, args)
    }

    /// What a process of this context is called, and its name begins with.
    pub(crate) fn process_type(&self) -> &'static str {
        self.method.map_or("Process", StartMethod::process_type)
    }

    /// The name of the `number`-th child of the process with this `identity`.
    pub(crate) fn name_of_child(&self, identity: &[u32], number: u32) -> String {
        let way: Vec<_> = identity.iter().chain([&number]).map(ToString::to_string).collect();
        format!("{}-{}", self.process_type(), way.join(":"))
    }
}

impl From<StartMethod> for Context {
    fn from(method: StartMethod) -> Self {
        Self { method: Some(method), resolved: None, allow_threads: false }
    }
}

/// The context of a start method, by its name; without a name the default context.
///
/// # Errors
///
/// [`ContextError::Unknown`], which names what was asked for.
///
/// # Python
///
/// `multiprocessing.get_context`.
///
/// # Examples
///
/// ```
/// use multiproc_process::{Context, get_context};
///
/// assert_eq!(get_context("fork")?, Context::fork());
/// assert_eq!(get_context(None)?, Context::default());
/// assert_eq!(get_context("bogus").unwrap_err().to_string(), "cannot find context for `bogus`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn get_context<'a>(name: impl Into<Option<&'a str>>) -> Result<Context, ContextError> {
    name.into()
        .map_or(Ok(Context::default()), |name| name.parse::<StartMethod>().map(Context::from))
}

/// Starts a process of the default context that runs `function` with `args`.
///
/// # Errors
///
/// [`StartError`]; there is then no process.
///
/// # Python
///
/// `p = Process(target=function, args=args); p.start()`.
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init();
///
/// let process = multiproc_process::spawn(|name: String| format!("hello {name}"), ("Bob".to_string(),))?;
/// assert_eq!(process.result()?, "hello Bob");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What is handed over is owned, for a process that is executed anew has no other way to have it:
///
/// ```compile_fail,E0597
/// let name = "Bob".to_string();
/// let _ = multiproc_process::spawn(|name: &str| format!("hello {name}"), (name.as_str(),));
/// ```
pub fn spawn<F, Args>(function: F, args: Args) -> Result<Process<F::Output>, StartError>
where
    F: Function<Args>,
    F::Output: Serialize + DeserializeOwned,
    Args: Serialize + DeserializeOwned + Send + 'static,
{
    Context::default().start(function, args)
}
