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

/// A request, before it is sent or after it was received.
#[derive(Debug)]
pub(super) struct Request {
    /// Who asks.
    pub(super) pid: u32,
    /// The child's end of the socket to the requester.
    pub(super) socket: OwnedFd,
    attributes: Attributes,
    /// Variables as the system keeps them, each with a zero behind it.
    environment: Vec<u8>,
    directory: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    /// What the child is to become.
    pub(super) packed: Packed,
}

impl Request {
    /// Describes a child that becomes what `packed` says, in the surroundings of this process.
    pub(super) fn here(socket: OwnedFd, packed: Packed) -> Result<Self, StartError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let copy = |stream: &dyn AsFd| match stream.as_fd().try_clone_to_owned() {
            Err(err) if err.raw_os_error() == Some(libc::EBADF) => Ok(None),
            result => result.map(Some).map_err(StartError::os("duplicate a standard stream")),
        };
        Ok(Self {
            pid: process::id(),
            socket,
            attributes: Attributes::current()
                .map_err(StartError::os("read the attributes of this process"))?,
            environment: environment_block(),
            // A working directory that was deleted, or may not be read, is not handed down.
            directory: openat(CWD, c".", flags, Mode::empty()).ok(),
            stdout: copy(&io::stdout())?,
            stderr: copy(&io::stderr())?,
            packed,
        })
    }

    /// The message to the server.
    pub(super) fn encode(self) -> (Vec<u8>, Vec<OwnedFd>) {
        let mut bytes = Vec::with_capacity(512 + self.environment.len() + self.packed.bytes.len());
        bytes.extend(self.pid.to_le_bytes());
        let present = [
            (&self.directory, HAS_DIRECTORY),
            (&self.stdout, HAS_STDOUT),
            (&self.stderr, HAS_STDERR),
        ];
        bytes.push(present.iter().filter(|(fd, _)| fd.is_some()).map(|(_, bit)| bit).sum());
        self.attributes.encode(&mut bytes);
        bytes.extend((self.environment.len() as u64).to_le_bytes());
        bytes.extend(&self.environment);
        bytes.extend(&self.packed.bytes);

        let mut fds = vec![self.socket];
        fds.extend([self.directory, self.stdout, self.stderr].into_iter().flatten());
        fds.extend(self.packed.fds);
        (bytes, fds)
    }

    /// Reads a message; none if it is not a request.
    pub(super) fn decode(bytes: &[u8], fds: Vec<OwnedFd>) -> Option<Self> {
        let (pid, rest) = bytes.split_first_chunk()?;
        let (&present, mut rest) = rest.split_first()?;
        let attributes = Attributes::decode(&mut rest)?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (environment, packed) = rest.split_at_checked(length)?;

        let mut fds = fds.into_iter();
        let socket = fds.next()?;
        let mut next = |bit| if present & bit != 0 { fds.next() } else { None };
        let (directory, stdout, stderr) = (next(HAS_DIRECTORY), next(HAS_STDOUT), next(HAS_STDERR));
        Some(Self {
            pid: u32::from_le_bytes(*pid),
            socket,
            attributes,
            environment: environment.to_vec(),
            directory,
            stdout,
            stderr,
            packed: Packed { bytes: packed.to_vec(), fds: fds.collect() },
        })
    }

    /// Makes the requester's surroundings those of this process, which has one thread.
    pub(super) fn enter(&self, now: &Attributes) -> io::Result<()> {
        if let Some(directory) = &self.directory {
            rustix::process::fchdir(directory)?;
        }
        for (number, stream) in [(1, &self.stdout), (2, &self.stderr)] {
            if let Some(stream) = stream {
                descriptors::replace(number, stream.as_fd())?;
            }
        }
        if self.environment != environment_block() {
            set_environment(&self.environment);
        }
        self.attributes.apply(now)
    }
}

/// The environment of this process.
fn environment_block() -> Vec<u8> {
    let mut block = Vec::with_capacity(4096);
    for (name, value) in env::vars_os() {
        for part in [name.as_bytes(), b"=", value.as_bytes(), b"\0"] {
            block.extend(part);
        }
    }
    block
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
        let (bytes, fds) = Request::here(theirs, packed).unwrap().encode();
        for cut in 0..bytes.len() - b"what to become".len() {
            let copies = fds.iter().map(|fd| fd.try_clone().unwrap()).collect();
            assert!(Request::decode(&bytes[..cut], copies).is_none(), "cut at {cut}");
        }
        let request = Request::decode(&bytes, fds).unwrap();
        assert_eq!(request.pid, process::id());
        assert_eq!(request.packed.bytes, b"what to become");
        assert_eq!(request.packed.fds.len(), 1);
        assert_eq!(request.environment, environment_block());
    }
}
