//! Starting a fresh copy of this executable.

use std::{
    ffi::{CString, OsStr, OsString},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::PathBuf,
};

use multiproc_sys::{
    attributes::signal_mask,
    exec::{Exec, Program, Signals},
    packet,
};
use rustix::process::Pid;

use crate::{
    boot::{Entry, Packed, pack},
    entry,
    error::StartError,
    executable, family,
    published::Published,
};

/// A fresh copy that has been started.
#[derive(Debug)]
#[must_use = "a child that nobody waits for stays a zombie"]
pub struct Fresh {
    /// Its process id. It is a child of this process, to be waited for by the caller.
    pub pid: Pid,
    /// Its pidfd; none where the kernel has none.
    pub pidfd: Option<OwnedFd>,
    /// A socket whose other end the copy has.
    pub socket: OwnedFd,
}

/// Starts a fresh copy that runs `function`, with the family record of a nameless child.
///
/// # Errors
///
/// See [`StartError`]; there is then no process.
pub fn fresh(function: Entry, payload: Vec<u8>, fds: Vec<OwnedFd>) -> Result<Fresh, StartError> {
    let record = family::record().child(0);
    let packed = pack(function, &|| "a function".into(), record, &payload, fds)?;
    fresh_with(&packed)
}

/// Starts a fresh copy that becomes what `packed` says.
///
/// It is executed from a descriptor of this executable that was opened at start-up, so it is this program even if the
/// file has since been replaced or deleted; it gets our arguments, our environment, our standard output and error, and
/// no other descriptor than those packed.
///
/// # Errors
///
/// See [`StartError`]; there is then no process.
pub fn fresh_with(packed: &Packed) -> Result<Fresh, StartError> {
    if !entry::is_hooked() {
        return Err(StartError::HookMissing);
    }
    let (ours, theirs) = packet::pair().map_err(StartError::os("make a socket pair"))?;
    // Before there is a process: it finds the message when it looks, and need not wait.
    packet::try_send(ours.as_fd(), &packed.bytes, &packed.borrowed())
        .map_err(StartError::os("hand the new process its arguments"))?;

    let arguments: Vec<CString> =
        std::env::args_os().filter_map(|argument| c_string(argument).ok()).collect();
    let chosen = EXECUTABLE.get().cloned().flatten();
    let chosen = chosen.map(|path| c_string(path.into())).transpose();
    let chosen = chosen.map_err(|err| StartError::Os {
        what: "use the path set as executable",
        source: err.into(),
    })?;
    let descriptor = executable::descriptor();
    let program = match (&chosen, descriptor) {
        (Some(path), _) => Program::Path(path),
        (None, Some(descriptor)) => Program::Descriptor(descriptor),
        // The descriptor was closed under us. This name leads to what our memory was loaded from, also if deleted.
        (None, None) => Program::Path(c"/proc/self/exe"),
    };
    // A path may lead to a program that knows nothing of our hook and would never unblock its signals.
    let signals = if chosen.is_some() { Signals::AsHere } else { Signals::Blocked };
    let environment = environment();
    let socket = theirs.as_fd();
    let exec = Exec { program, arguments: &arguments, environment: &environment, socket, signals };
    let (pid, pidfd) = exec.start().map_err(StartError::os("start a copy of this program"))?;
    let pidfd = match pidfd {
        Some(pidfd) => Some(pidfd),
        // We are its parent and have not waited, so the pid is still this child's.
        None => multiproc_sys::pidfd::open(pid).ok().flatten(),
    };
    Ok(Fresh { pid, pidfd, socket: ours })
}

static EXECUTABLE: Published<Option<PathBuf>> = Published::new();

/// Sets the path of the executable that is started for a fresh copy; none for the running one, which is the default.
///
/// It wants the same build of this program, at another place; another build refuses to run a function of this one. A
/// program that has nothing to do with `multiproc` just runs, as in Python.
///
/// # Python
///
/// `multiprocessing.set_executable`.
pub fn set_executable(path: impl Into<Option<PathBuf>>) {
    EXECUTABLE.set(path.into());
}

/// The path set by [`set_executable`].
#[must_use]
pub fn executable() -> Option<PathBuf> {
    EXECUTABLE.get().cloned().flatten()
}

fn c_string(text: OsString) -> Result<CString, std::ffi::NulError> {
    CString::new(text.into_vec())
}

/// Our environment, with the variable that leads the copy into its hook.
fn environment() -> Vec<CString> {
    let pair = |name: &OsStr, value: &OsStr| {
        // With room for the terminator, so that it is allocated once.
        let mut text = Vec::with_capacity(name.len() + value.len() + 2);
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        text.extend_from_slice(value.as_bytes());
        CString::new(text).ok()
    };
    std::env::vars_os()
        .filter(|(name, _)| name != entry::VARIABLE)
        .filter_map(|(name, value)| pair(&name, &value))
        .chain(pair(entry::VARIABLE.as_ref(), entry::variable(signal_mask()).as_ref()))
        .collect()
}
