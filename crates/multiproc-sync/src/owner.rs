//! Who holds a lock, as its `Debug` form says it.

use std::fmt;

use multiproc_image::family;
use multiproc_sys::{primitive::Ordering, threads};

use crate::{place::Place, thread};

/// Who holds a lock.
pub(crate) enum Owner {
    None,
    ThisThread,
    OtherThread,
    OtherProcess,
}

impl Owner {
    /// Reads the word of a lock, and the number of the thread that took it last.
    pub(crate) fn of(place: &Place, word: usize, thread_at: usize) -> Self {
        match place.word(word).load(Ordering::Acquire) {
            0 => Self::None,
            name if name != place.table().me_if_known() => Self::OtherProcess,
            name if place.word(thread_at).load(Ordering::Relaxed) == thread::mark(name) => {
                Self::ThisThread
            }
            _ => Self::OtherThread,
        }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::OtherThread => f.write_str("SomeOtherThread"),
            Self::OtherProcess => f.write_str("SomeOtherProcess"),
            Self::ThisThread => {
                f.write_str(&family::record().name)?;
                if threads::is_first() {
                    return Ok(());
                }
                let thread = std::thread::current();
                match thread.name() {
                    Some(name) => write!(f, "|{name}"),
                    None => write!(f, "|{:?}", thread.id()),
                }
            }
        }
    }
}
