//! A request to the fork server, as bytes and descriptors.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    process,
};

use multiproc_image::{StartError, boot::Packed};
use multiproc_sys::{attributes::Attributes, descriptors};
use rustix::fs::{CWD, Mode, OFlags, openat};

/// What of the requester's surroundings the child gets, by bit.
const HAS_DIRECTORY: u8 = 1;
const HAS_STDOUT: u8 = 2;
const HAS_STDERR: u8 = 4;

/// A request on its way to the server.
#[derive(Debug)]
pub(super) struct Request {
    /// The message.
    pub(super) bytes: Vec<u8>,
    /// The descriptors that go along.
    pub(super) fds: Vec<OwnedFd>,
}

impl Request {
    /// Asks for a child that becomes what `packed` says, in the surroundings of this process, and that has `socket`.
    pub(super) fn here(socket: OwnedFd, packed: Packed) -> Result<Self, StartError> {
        let surroundings =
            Surroundings::here().map_err(StartError::os("read the attributes of this process"))?;
        let copy = |stream: &dyn AsFd| match stream.as_fd().try_clone_to_owned() {
            Err(err) if err.raw_os_error() == Some(libc::EBADF) => Ok(None),
            result => result.map(Some).map_err(StartError::os("duplicate a standard stream")),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // A working directory that was deleted, or may not be entered, is not handed down.
        let directory = openat(CWD, c".", flags, Mode::empty()).ok();
        let streams = [
            (directory, HAS_DIRECTORY),
            (copy(&io::stdout())?, HAS_STDOUT),
            (copy(&io::stderr())?, HAS_STDERR),
        ];

        let mut bytes = Vec::with_capacity(64 + surroundings.0.len() + packed.bytes.len());
        bytes.extend(process::id().to_le_bytes());
        bytes.push(streams.iter().filter(|(fd, _)| fd.is_some()).map(|(_, bit)| bit).sum());
        bytes.extend((surroundings.0.len() as u64).to_le_bytes());
        bytes.extend(&surroundings.0);
        bytes.extend(&packed.bytes);
        let mut fds = vec![socket];
        fds.extend(streams.into_iter().filter_map(|(fd, _)| fd));
        fds.extend(packed.fds);
        Ok(Self { bytes, fds })
    }
}

/// A request as the server reads it.
#[derive(Debug)]
pub(super) struct Received<'a> {
    /// Who asks.
    pub(super) pid: u32,
    /// The child's end of the socket to the requester.
    pub(super) socket: OwnedFd,
    /// What the child is to become.
    pub(super) packed: &'a [u8],
    /// What it gets for that.
    pub(super) fds: Vec<OwnedFd>,
    surroundings: &'a [u8],
    directory: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl<'a> Received<'a> {
    /// Reads a message; none if it is not a request.
    pub(super) fn decode(bytes: &'a [u8], fds: Vec<OwnedFd>) -> Option<Self> {
        let (pid, rest) = bytes.split_first_chunk()?;
        let (&present, rest) = rest.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (surroundings, packed) = rest.split_at_checked(length)?;

        let mut fds = fds.into_iter();
        let socket = fds.next()?;
        let mut next = |bit| if present & bit != 0 { fds.next() } else { None };
        let (directory, stdout, stderr) = (next(HAS_DIRECTORY), next(HAS_STDOUT), next(HAS_STDERR));
        let pid = u32::from_le_bytes(*pid);
        Some(Self {
            pid,
            socket,
            packed,
            fds: fds.collect(),
            surroundings,
            directory,
            stdout,
            stderr,
        })
    }

    /// Makes the requester's surroundings those of this process, which has one thread and is still in those of `now`.
    pub(super) fn enter(&mut self, now: &Surroundings) -> io::Result<()> {
        // Taken, because what becomes of this value afterwards never returns, and so never drops.
        if let Some(directory) = self.directory.take() {
            rustix::process::fchdir(directory)?;
        }
        for (number, stream) in [(1, self.stdout.take()), (2, self.stderr.take())] {
            if let Some(stream) = stream {
                descriptors::replace(number, stream.as_fd())?;
            }
        }
        // As a rule the server was started in the same ones.
        if self.surroundings == now.0 { Ok(()) } else { self.change(now) }
    }

    #[cold]
    fn change(&self, now: &Surroundings) -> io::Result<()> {
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        let (mut wanted, mut is) = (self.surroundings, now.0.as_slice());
        let attributes = Attributes::decode(&mut wanted).ok_or_else(malformed)?;
        let present = Attributes::decode(&mut is).ok_or_else(malformed)?;
        if wanted != is {
            set_environment(wanted);
        }
        attributes.apply(&present)
    }
}

/// Attributes and environment of a process, encoded: what is the same is told by comparing bytes.
#[derive(Debug)]
pub(super) struct Surroundings(Vec<u8>);

impl Surroundings {
    /// Reads those of this process.
    pub(super) fn here() -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(4096);
        Attributes::current()?.encode(&mut bytes);
        write_environment(&mut bytes);
        Ok(Self(bytes))
    }
}

/// Appends the environment of this process, as the system keeps it: each variable with a zero behind it.
fn write_environment(block: &mut Vec<u8>) {
    for (name, value) in env::vars_os() {
        for part in [name.as_bytes(), b"=", value.as_bytes(), b"\0"] {
            block.extend(part);
        }
    }
}

#[expect(unsafe_code, reason = "changes the environment of a process that has one thread")]
fn set_environment(block: &[u8]) {
    for (name, _) in env::vars_os() {
        // SAFETY: The caller's process has one thread.
        unsafe { env::remove_var(name) };
    }
    for variable in block.split(|byte| *byte == 0) {
        // A name may begin with `=`, but is not empty.
        let Some(at) = variable.iter().skip(1).position(|byte| *byte == b'=').map(|at| at + 1)
        else {
            continue;
        };
        let (name, value) =
            (OsStr::from_bytes(&variable[..at]), OsStr::from_bytes(&variable[at + 1..]));
        // SAFETY: As above. Neither part contains a zero, and the name is not empty and has no `=` behind its start.
        unsafe { env::set_var(name, value) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_survives_and_cut_ones_are_refused() {
        let (_ours, theirs) = multiproc_sys::packet::pair().unwrap();
        let extra = theirs.try_clone().unwrap();
        let packed = Packed { bytes: b"what to become".to_vec(), fds: vec![extra] };
        let Request { bytes, fds } = Request::here(theirs, packed).unwrap();
        for cut in 0..bytes.len() - b"what to become".len() {
            let copies = fds.iter().map(|fd| fd.try_clone().unwrap()).collect();
            assert!(Received::decode(&bytes[..cut], copies).is_none(), "cut at {cut}");
        }
        let request = Received::decode(&bytes, fds).unwrap();
        assert_eq!(request.pid, process::id());
        assert_eq!(request.packed, b"what to become");
        assert_eq!(request.fds.len(), 1);
        assert_eq!(request.surroundings, Surroundings::here().unwrap().0);
    }
}
