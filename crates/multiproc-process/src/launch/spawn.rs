//! Spawn: the program is executed anew.

use multiproc_image::{StartError, family::Record, start};

use super::{Launched, Sentinel, pack, sentinel_of, sentinel_pipe};
use crate::target::Target;

/// Executes this program anew; the new process runs `target`.
pub(super) fn launch(record: Record, target: Box<dyn Target>) -> Result<Launched, StartError> {
    let (ours, shown) = sentinel_pipe()?.unzip();
    let packed = pack(record, target.as_ref(), shown)?;
    drop(target);
    let fresh = start::fresh_with(&packed)?;
    // Before anything is waited for: a copy of the sentinel's other end must be the child's alone.
    drop(packed);
    let sentinel = match (fresh.pidfd, ours) {
        (Some(pidfd), None) => Sentinel::Pidfd(pidfd),
        (_, pipe) => {
            sentinel_of(fresh.pid, pipe).map_err(StartError::os("watch a spawned child"))?
        }
    };
    Ok(Launched { pid: fresh.pid, sentinel, socket: fresh.socket, is_ours: true, early: None })
}
