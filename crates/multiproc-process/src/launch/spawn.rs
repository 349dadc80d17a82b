//! Spawn: the program is executed anew.

use multiproc_image::{StartError, start};

use super::{Launched, Parcel, Sentinel, give_up, sentinel_of, sentinel_pipe};

/// Executes this program anew; the new process runs what the parcel says.
pub(super) fn launch(parcel: &Parcel) -> Result<Launched, StartError> {
    let (ours, shown) = sentinel_pipe()?.unzip();
    let packed = parcel.pack(shown)?;
    let fresh = start::fresh_with(&packed)?;
    // Before anything is waited for: a copy of the sentinel's other end must be the child's alone.
    drop(packed);
    let sentinel = match (fresh.pidfd, ours) {
        (Some(pidfd), None) => Sentinel::Pidfd(pidfd),
        (_, pipe) => sentinel_of(fresh.pid, pipe).map_err(|source| {
            give_up(fresh.pid, true);
            StartError::Os { what: "watch a spawned child", source }
        })?,
    };
    Ok(Launched { pid: fresh.pid, sentinel, socket: fresh.socket, is_ours: true, early: None })
}
