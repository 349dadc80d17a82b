//! A type that runs as a process.

use multiproc_image::StartError;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Builder, Process};

/// A type that runs as a process: its fields are the arguments, [`run`](Self::run) is the function.
///
/// # Python
///
/// A subclass of `Process` with its own `run`.
///
/// # Examples
///
/// ```
/// use multiproc_process::{Activity, Process};
/// use serde::{Deserialize, Serialize};
///
/// multiproc_image::entry::init();
///
/// #[derive(Serialize, Deserialize)]
/// struct Greeter {
///     name: String,
/// }
///
/// impl Activity for Greeter {
///     type Output = String;
///
///     fn run(self) -> String {
///         format!("hello {}", self.name)
///     }
/// }
///
/// let mut process = Process::activity(Greeter { name: "Bob".into() });
/// process.start()?;
/// assert_eq!(process.result()?, "hello Bob");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Activity: Serialize + DeserializeOwned + Send + 'static {
    /// What the process returns.
    type Output: Serialize + DeserializeOwned;

    /// Does the work of the process.
    fn run(self) -> Self::Output;
}

impl<R> Process<R> {
    /// Makes a process that runs `activity`; it is not started yet.
    pub fn activity<A: Activity<Output = R>>(activity: A) -> Self
    where
        R: Serialize + DeserializeOwned,
    {
        Self::new(A::run, (activity,))
    }
}

impl Builder {
    /// Makes a process that runs `activity` and starts it.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_activity<A: Activity>(
        self,
        activity: A,
    ) -> Result<Process<A::Output>, StartError> {
        self.start(A::run, (activity,))
    }
}
