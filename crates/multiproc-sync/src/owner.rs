//! Who holds a lock, as its `Debug` form says it.

use std::fmt;

use multiproc_image::family;
use multiproc_sys::{primitive::Ordering, threads};

use crate::{place::Place, protocol::lock::name_in, thread};

/// Who holds a lock.
pub(crate) enum Owner {
    None,
    ThisThread,
    OtherThread,
    OtherProcess,
}

impl Owner {
    /// Reads the word of a lock.
    pub(crate) fn of(place: &Place, word: usize) -> Self {
        let me = place.table().me_if_known();
        match place.wide(word).load(Ordering::Acquire) {
            0 => Self::None,
            holder if name_in(holder) != me => Self::OtherProcess,
            holder if holder == thread::holder(me) => Self::ThisThread,
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
