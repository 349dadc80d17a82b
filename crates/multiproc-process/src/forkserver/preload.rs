//! A function that the fork server runs once, before it serves.

use multiproc_image::{FnRef, Function, published::Published};
use serde::{Deserialize, Serialize};

use crate::{failure, panics};

/// What happens when the preload function fails: returns an `Err`, panics, or leaves threads running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnPreloadError {
    /// Nothing: children start without what it would have made.
    #[default]
    Ignore,
    /// The server logs a warning and serves.
    Warn,
    /// There is no server, and the start that needed it is an error.
    Fail,
}

/// A preload function and its error policy, as it is sent to the server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Preload {
    pub(super) function: FnRef<(), Option<String>>,
    pub(super) on_error: OnPreloadError,
}

static PRELOAD: Published<Preload> = Published::new();

/// Sets a function that the fork server runs once, before it serves: what it leaves in memory (statics, caches, loaded
/// tables) its children share with it, copied only where they write.
///
/// It changes nothing for a server that runs already. It must leave no thread behind, for a fork copies none.
///
/// # Python
///
/// `multiprocessing.set_forkserver_preload`, with the `on_error` of 3.15; Python names modules, whose import is run.
///
/// # Examples
///
/// ```
/// use std::sync::OnceLock;
/// use multiproc_process::{Context, OnPreloadError, set_forkserver_preload};
///
/// multiproc_image::entry::init();
///
/// static TABLE: OnceLock<Vec<u64>> = OnceLock::new();
///
/// fn load() {
///     TABLE.get_or_init(|| (0..1000).map(|x| x * x).collect());
/// }
///
/// set_forkserver_preload(load, OnPreloadError::Fail);
/// let square = Context::forkserver().start(|| TABLE.get().map(|table| table[7]), ())?;
/// assert_eq!(square.result()?, Some(49));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn set_forkserver_preload<F>(function: F, on_error: OnPreloadError)
where
    F: Function<(), State = ()>,
    F::Output: Serialize,
{
    function.into_state();
    PRELOAD.set(Preload { function: FnRef::new(run::<F>), on_error });
}

pub(super) fn current() -> Option<Preload> {
    PRELOAD.get().cloned()
}

/// Runs the function in the server; some text if it failed.
fn run<F>() -> Option<String>
where
    F: Function<(), State = ()>,
    F::Output: Serialize,
{
    match panics::catch(|| F::call(&(), ()), |_| {}) {
        Ok(value) => failure::error_text(&value),
        Err(report) => Some(report.to_string()),
    }
}
