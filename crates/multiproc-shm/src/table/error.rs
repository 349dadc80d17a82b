//! Why there is no entry.

use std::io;

use crate::ShmError;

/// Why this process cannot use a lock.
///
/// # Python
///
/// `OSError`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// As many processes as a table has room for use locks of this family.
    #[error("{0} processes share locks already: end some, or share fewer locks")]
    Exhausted(usize),
    /// The locks belong to processes whose pids mean something else here.
    #[error("locks cannot be shared with processes of another pid namespace")]
    Namespace,
    /// What arrived as a process table is none.
    #[error("the process table that came with a lock is not one of this version of multiproc")]
    Foreign,
    /// There is no memory for a table.
    #[error("cannot make the table of processes that share locks")]
    Memory(#[from] ShmError),
    /// The system refused something.
    #[error("cannot {what}")]
    Os {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
