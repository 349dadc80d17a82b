//! What the fork server is asked, and what the new process is told then.
//!
//! The two are apart, so that the server need not read, hold or pass on what is only the child's, and so that the
//! requester gathers it while the server forks.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    process,
};

use multiproc_image::boot::Packed;
use multiproc_sys::{attributes::Attributes, descriptors, packet};
use rustix::fs::{CWD, Mode, OFlags, openat};

/// What of the requester's surroundings the child gets, by bit.
const HAS_DIRECTORY: u8 = 1;
const HAS_STDOUT: u8 = 2;
const HAS_STDERR: u8 = 4;

/// A request to the server: a process, please.
#[derive(Debug)]
pub(super) struct Request {
    /// Who asks.
    pub(super) pid: u32,
    /// The child's end of the socket to the requester.
    pub(super) socket: OwnedFd,
}

impl Request {
    /// Asks in the name of this process for a child that has `socket`.
    pub(super) fn send(requests: BorrowedFd<'_>, socket: BorrowedFd<'_>) -> io::Result<()> {
        packet::send(requests, &process::id().to_le_bytes(), &[socket])
    }

    /// Reads a request; none if it is not one.
    pub(super) fn decode(bytes: &[u8], fds: &mut Vec<OwnedFd>) -> Option<Self> {
        let pid = u32::from_le_bytes(*bytes.as_array()?);
        Some(Self { pid, socket: fds.pop()? })
    }
}

/// Tells a new process what it is to become, in the surroundings of this one.
pub(super) fn tell(child: BorrowedFd<'_>, packed: &Packed) -> io::Result<()> {
    let surroundings = Surroundings::here()?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // A working directory that was deleted, or may not be entered, is not handed down.
    let directory = openat(CWD, c".", flags, Mode::empty()).ok();
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let streams = [
        (directory.as_ref().map(AsFd::as_fd), HAS_DIRECTORY),
        (open(stdout.as_fd()), HAS_STDOUT),
        (open(stderr.as_fd()), HAS_STDERR),
    ];

    let mut bytes = Vec::with_capacity(64 + surroundings.0.len() + packed.bytes.len());
    bytes.push(streams.iter().filter(|(fd, _)| fd.is_some()).map(|(_, bit)| bit).sum());
    bytes.extend((surroundings.0.len() as u64).to_le_bytes());
    bytes.extend(&surroundings.0);
    bytes.extend(&packed.bytes);
    let mut fds: Vec<BorrowedFd<'_>> = streams.iter().filter_map(|(fd, _)| *fd).collect();
    fds.extend(packed.fds.iter().map(AsFd::as_fd));
    packet::send(child, &bytes, &fds)
}

/// The stream, unless this process has closed it.
fn open(stream: BorrowedFd<'_>) -> Option<BorrowedFd<'_>> {
    rustix::io::fcntl_getfd(stream).is_ok().then_some(stream)
}

/// What a new process is told.
#[derive(Debug)]
pub(super) struct Told<'a> {
    /// What it is to become.
    pub(super) packed: &'a [u8],
    /// What it gets for that.
    pub(super) fds: Vec<OwnedFd>,
    surroundings: &'a [u8],
    directory: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl<'a> Told<'a> {
    /// Reads what [`tell`] has sent; none if it is not that.
    pub(super) fn decode(bytes: &'a [u8], fds: Vec<OwnedFd>) -> Option<Self> {
        let (&present, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (surroundings, packed) = rest.split_at_checked(length)?;
        let mut fds = fds.into_iter();
        let mut next = |bit| if present & bit != 0 { fds.next() } else { None };
        let (directory, stdout, stderr) = (next(HAS_DIRECTORY), next(HAS_STDOUT), next(HAS_STDERR));
        Some(Self { packed, fds: fds.collect(), surroundings, directory, stdout, stderr })
    }

    /// Makes the requester's surroundings those of this process, which has one thread and is still in those of `now`.
    pub(super) fn enter(&mut self, now: &Surroundings) -> io::Result<()> {
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
    fn what_is_told_survives_and_cut_messages_are_refused() {
        let (ours, theirs) = packet::pair().unwrap();
        let extra = theirs.try_clone().unwrap();
        tell(ours.as_fd(), &Packed { bytes: b"what to become".to_vec(), fds: vec![extra] })
            .unwrap();
        let (mut bytes, mut fds) = (Vec::new(), Vec::new());
        assert!(packet::recv(theirs.as_fd(), &mut bytes, &mut fds).unwrap());
        for cut in 0..bytes.len() - b"what to become".len() {
            assert!(Told::decode(&bytes[..cut], Vec::new()).is_none(), "cut at {cut}");
        }
        let told = Told::decode(&bytes, fds).unwrap();
        assert_eq!(told.packed, b"what to become");
        assert_eq!(told.fds.len(), 1);
        assert_eq!(told.surroundings, Surroundings::here().unwrap().0);
    }

    #[test]
    fn request_names_who_asks() {
        let (ours, theirs) = packet::pair().unwrap();
        Request::send(ours.as_fd(), theirs.as_fd()).unwrap();
        let (mut bytes, mut fds) = (Vec::new(), Vec::new());
        assert!(packet::recv(theirs.as_fd(), &mut bytes, &mut fds).unwrap());
        assert!(Request::decode(&bytes[1..], &mut fds).is_none());
        assert_eq!(Request::decode(&bytes, &mut fds).unwrap().pid, process::id());
        assert!(Request::decode(&bytes, &mut fds).is_none(), "without a socket");
    }
}
