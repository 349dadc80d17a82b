//! `[LEVEL/ProcessName] message`, and `tracing` events.
//!
//! What the library has to say becomes a [`tracing`] event with the target `multiproc`, for programs that have a
//! subscriber, and a line on standard error where [`log_to_stderr`] was called. Level and destination are inherited by
//! every process that is started.

use std::fmt;

use multiproc_sys::primitive::{AtomicU32, Ordering};
use serde::{Deserialize, Serialize};

use crate::{family, threads};

/// How grave a message is, in Python's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Everything. Python's 5, `tracing`'s `TRACE`.
    SubDebug,
    /// Python's 10.
    Debug,
    /// Python's 20.
    Info,
    /// Python's 25, `tracing`'s `WARN`.
    SubWarning,
    /// Python's 30, and what is logged where nobody has said otherwise.
    Warning,
    /// Python's 40.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SubDebug => "SUBDEBUG",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::SubWarning => "SUBWARNING",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        })
    }
}

/// What is logged, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSettings {
    /// The least level that is logged; [`Level::Warning`] where none was set.
    pub level: Option<Level>,
    /// True if lines go to standard error.
    pub stderr: bool,
}

/// The logger of this process and, for what is set on it, of those it starts.
///
/// # Python
///
/// What `multiprocessing.get_logger()` returns.
#[derive(Clone, Copy, Debug)]
pub struct Logger(());

/// The logger of this process.
///
/// # Python
///
/// `multiprocessing.get_logger`.
#[must_use]
pub fn get_logger() -> Logger {
    Logger(())
}

/// Sends what is logged to standard error too, as `[LEVEL/ProcessName] message`, and sets the level if one is given.
///
/// # Python
///
/// `multiprocessing.log_to_stderr`, except that calling it twice does not log every line twice.
///
/// # Examples
///
/// ```
/// use multiproc_image::logging::{Level, log_to_stderr};
///
/// let logger = log_to_stderr(Level::Info);
/// logger.log(Level::Info, "doomed"); // [INFO/MainProcess] doomed
/// assert_eq!(logger.level(), Level::Info);
/// ```
pub fn log_to_stderr(level: impl Into<Option<Level>>) -> Logger {
    let level = level.into();
    family::update(|record| {
        record.log.stderr = true;
        record.log.level = level.or(record.log.level);
    });
    get_logger()
}

impl Logger {
    /// The least level that is logged.
    #[must_use]
    pub fn level(&self) -> Level {
        family::record().log.level.unwrap_or(Level::Warning)
    }

    /// Sets the least level that is logged, here and in processes started from now on.
    pub fn set_level(&self, level: Level) {
        family::update(|record| record.log.level = Some(level));
    }

    /// Logs a message.
    pub fn log(&self, level: Level, message: impl fmt::Display) {
        log(level, format_args!("{message}"));
    }
}

/// Logs what is only interesting when looking for a fault.
pub fn debug(message: fmt::Arguments<'_>) {
    log(Level::Debug, message);
}

/// Logs an ordinary event in the life of a process.
pub fn info(message: fmt::Arguments<'_>) {
    log(Level::Info, message);
}

/// Logs what went wrong without stopping anything.
pub fn warning(message: fmt::Arguments<'_>) {
    log(Level::Warning, message);
}

/// Logs what went wrong and was not put right.
pub fn error(message: fmt::Arguments<'_>) {
    log(Level::Error, message);
}

fn log(level: Level, message: fmt::Arguments<'_>) {
    // A subscriber has locks. A fork in another thread, which need not wait for threads of ours, would copy them held.
    if !threads::is_ours() {
        emit(level, message);
    }
    if level as u32 >= THRESHOLD.load(Ordering::Relaxed) {
        let line = format!("[{level}/{}] {message}\n", family::record().name);
        write_stderr(line.as_bytes());
    }
}

/// Writes to standard error at once, past std and its lock, and in one piece, so that lines of several processes do not
/// mix; a closed standard error is nobody's fault.
pub fn write_stderr(line: &[u8]) {
    let _ = rustix::io::write(std::io::stderr(), line);
}

fn emit(level: Level, message: fmt::Arguments<'_>) {
    match level {
        Level::SubDebug => tracing::trace!(target: "multiproc", "{message}"),
        Level::Debug => tracing::debug!(target: "multiproc", "{message}"),
        Level::Info => tracing::info!(target: "multiproc", "{message}"),
        Level::SubWarning | Level::Warning => tracing::warn!(target: "multiproc", "{message}"),
        Level::Error => tracing::error!(target: "multiproc", "{message}"),
    }
}

/// The least level of which a line goes to standard error; beyond all levels where none does. A copy of what the family
/// record says, so that what is not logged costs next to nothing.
static THRESHOLD: AtomicU32 = AtomicU32::new(u32::MAX);

/// Takes over the settings of the family record.
pub(crate) fn apply(settings: LogSettings) {
    let least = settings.level.unwrap_or(Level::Warning) as u32;
    THRESHOLD.store(if settings.stderr { least } else { u32::MAX }, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{
        Event, Metadata, Subscriber, field, span,
        subscriber::{Interest, with_default},
    };

    use super::*;

    /// Keeps the events above a level, with their targets and messages.
    struct Listener {
        most: tracing::Level,
        heard: Arc<Mutex<Vec<(String, String)>>>,
    }

    impl Subscriber for Listener {
        // Not for ever: there is one for each level.
        fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
            Interest::sometimes()
        }

        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= self.most
        }

        fn event(&self, event: &Event<'_>) {
            let mut message = String::new();
            event.record(&mut |_: &field::Field, value: &dyn fmt::Debug| {
                message = format!("{value:?}");
            });
            self.heard.lock().unwrap().push((event.metadata().target().to_owned(), message));
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    // parity: logging.enable, logging.level-from-root
    #[test]
    fn subscriber_hears_what_it_wants_to() {
        for (most, expected) in [
            (tracing::Level::ERROR, &["an ERROR"][..]),
            (tracing::Level::WARN, &["a SUBWARNING", "a WARNING", "an ERROR"]),
            (tracing::Level::DEBUG, &["a DEBUG", "a SUBWARNING", "a WARNING", "an ERROR"]),
        ] {
            let heard = Arc::default();
            with_default(Listener { most, heard: Arc::clone(&heard) }, || {
                for level in [Level::SubDebug, Level::Debug, Level::SubWarning, Level::Warning] {
                    get_logger().log(level, format_args!("a {level}"));
                }
                get_logger().log(Level::Error, "an ERROR");
            });
            let heard = heard.lock().unwrap();
            assert!(heard.iter().all(|(target, _)| target == "multiproc"));
            assert!(heard.iter().map(|(_, message)| message).eq(expected), "{most}: {heard:?}");
        }
    }
}
