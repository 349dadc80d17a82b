//! How children come to life, and which way is the default.

use std::{fmt, str::FromStr};

use multiproc_image::family;

use crate::ContextError;

/// How a child comes to life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StartMethod {
    /// A server process, started once, forks for each child: the default.
    #[default]
    Forkserver,
    /// The process is copied.
    Fork,
    /// The program is executed anew.
    Spawn,
}

impl StartMethod {
    /// The name, as Python writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forkserver => "forkserver",
            Self::Fork => "fork",
            Self::Spawn => "spawn",
        }
    }

    /// What the name of a process begins with when it was made by a context that stands for this method.
    pub(crate) fn process_type(self) -> &'static str {
        match self {
            Self::Forkserver => "ForkServerProcess",
            Self::Fork => "ForkProcess",
            Self::Spawn => "SpawnProcess",
        }
    }
}

impl fmt::Display for StartMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StartMethod {
    type Err = ContextError;

    fn from_str(name: &str) -> Result<Self, ContextError> {
        let found = get_all_start_methods().into_iter().find(|method| method.as_str() == name);
        found.ok_or_else(|| ContextError::Unknown(name.into()))
    }
}

/// All start methods of this platform, the default first.
///
/// # Python
///
/// `multiprocessing.get_all_start_methods`, in the order of 3.14.
#[must_use]
pub fn get_all_start_methods() -> [StartMethod; 3] {
    [StartMethod::Forkserver, StartMethod::Fork, StartMethod::Spawn]
}

/// The start method of the default context; asking fixes it.
///
/// # Python
///
/// `multiprocessing.get_start_method()`.
#[must_use]
pub fn get_start_method() -> StartMethod {
    if let Some(chosen) = chosen_start_method() {
        return chosen;
    }
    force_start_method(Some(StartMethod::default()));
    StartMethod::default()
}

/// The start method that was chosen; none while the default holds and has not been used. Asking fixes nothing.
///
/// # Python
///
/// `multiprocessing.get_start_method(allow_none=True)`.
#[must_use]
pub fn chosen_start_method() -> Option<StartMethod> {
    family::record().start_method.as_deref().and_then(|name| name.parse().ok())
}

/// Chooses the start method of the default context, once.
///
/// # Errors
///
/// [`ContextError::AlreadySet`] if it was chosen before, or a process was started with the default one; the old choice
/// stays.
///
/// # Python
///
/// `multiprocessing.set_start_method`.
///
/// # Examples
///
/// ```
/// use multiproc_process::{StartMethod, get_start_method, set_start_method};
///
/// set_start_method(StartMethod::Spawn)?;
/// assert_eq!(get_start_method(), StartMethod::Spawn);
/// assert!(set_start_method(StartMethod::Fork).is_err(), "once is once");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn set_start_method(method: StartMethod) -> Result<(), ContextError> {
    if let Some(chosen) = chosen_start_method() {
        return Err(ContextError::AlreadySet(chosen));
    }
    force_start_method(Some(method));
    Ok(())
}

/// Chooses the start method of the default context whatever was chosen before; none clears the choice.
///
/// # Python
///
/// `multiprocessing.set_start_method(method, force=True)`.
pub fn force_start_method(method: Option<StartMethod>) {
    family::update(|record| record.start_method = method.map(|method| method.as_str().into()));
}
