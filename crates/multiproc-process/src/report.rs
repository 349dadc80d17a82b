//! What a child tells the process that started it, one packet each.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use multiproc_image::boot::REFUSED;
use multiproc_sys::{packet, pidfd::Exit};
use multiproc_wire::Handle;

use crate::PanicReport;

const STARTED: u8 = 1;
const RETURNED: u8 = 2;
const PANICKED: u8 = 3;
const UNSENDABLE: u8 = 4;
const NOT_STARTED: u8 = 5;
const ENDED: u8 = 6;
const PIDFD: u8 = 7;

/// A packet on the socket between a child and its starter.
#[derive(Debug)]
pub(crate) enum Report {
    /// The child could not begin.
    Refused(String),
    /// From a child of the fork server, and from the server, whichever is first: the process exists.
    Started { pid: i32, is_ours: bool },
    /// From the same two, where the fork server is the parent: the pidfd of the process.
    Pidfd(OwnedFd),
    /// From the fork server: no process could be made, for this reason of the system's.
    NotStarted(i32),
    /// The function returned this value, encoded, and the process is going to exit with `code`.
    Returned { code: i32, bytes: Vec<u8>, fds: Vec<OwnedFd> },
    /// The function panicked.
    Panicked(PanicReport),
    /// The function returned what could not be encoded.
    Unsendable(String),
    /// From the fork server, whose child the process was: how it ended.
    Ended(Exit),
}

impl Report {
    /// The code with which a process exits after this report.
    pub(crate) fn code(&self) -> i32 {
        match self {
            Self::Returned { code, .. } => *code,
            _ => 1,
        }
    }

    /// Sends the report; that the starter is gone is not an error, because then nobody wants to know.
    ///
    /// A report that cannot be sent, for want of a descriptor or of memory, is replaced by one that says so.
    pub(crate) fn send(&self, socket: BorrowedFd<'_>) {
        if let Self::Started { pid, is_ours } = self {
            // Without allocating: in a process that has just been forked that would copy pages.
            let _ = packet::send(socket, &started(*pid, *is_ours), &[]);
            return;
        }
        let (bytes, fds) = self.encode();
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        if let Err(err) = packet::send(socket, &bytes, &fds) {
            let instead = match self {
                // A process that nobody could watch is not to be.
                Self::Pidfd(_) => Self::NotStarted(err.raw_os_error().unwrap_or(libc::EIO)),
                _ => Self::Unsendable(err.to_string()),
            };
            let _ = packet::send(socket, &instead.encode().0, &[]);
        }
    }

    fn encode(&self) -> (Vec<u8>, Vec<BorrowedFd<'_>>) {
        let tagged = |tag: u8, parts: &[&[u8]]| {
            let mut bytes =
                Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
            bytes.push(tag);
            parts.iter().for_each(|part| bytes.extend_from_slice(part));
            bytes
        };
        match self {
            Self::Refused(why) => (tagged(REFUSED, &[why.as_bytes()]), Vec::new()),
            Self::Started { pid, is_ours } => (started(*pid, *is_ours).to_vec(), Vec::new()),
            Self::Pidfd(pidfd) => (tagged(PIDFD, &[]), vec![pidfd.as_fd()]),
            Self::NotStarted(errno) => (tagged(NOT_STARTED, &[&errno.to_le_bytes()]), Vec::new()),
            Self::Returned { code, bytes, fds } => (
                tagged(RETURNED, &[&code.to_le_bytes(), bytes]),
                fds.iter().map(AsFd::as_fd).collect(),
            ),
            Self::Panicked(report) => {
                let bytes =
                    multiproc_wire::encode(report).map(|message| message.bytes).unwrap_or_default();
                (tagged(PANICKED, &[&bytes]), Vec::new())
            }
            Self::Unsendable(why) => (tagged(UNSENDABLE, &[why.as_bytes()]), Vec::new()),
            Self::Ended(exit) => {
                let (kind, value) = match exit {
                    Exit::Code(code) => (0, *code),
                    Exit::Signal(signal) => (1, *signal),
                    Exit::Unknown => (2, 0),
                };
                (tagged(ENDED, &[&[kind], &value.to_le_bytes()]), Vec::new())
            }
        }
    }

    /// Reads a packet; none if it is not a report.
    pub(crate) fn decode(bytes: &[u8], fds: Vec<OwnedFd>) -> Option<Self> {
        let (tag, body) = bytes.split_first()?;
        let text = || String::from_utf8_lossy(body).into_owned();
        let word = |at: usize| Some(i32::from_le_bytes(*body.get(at..)?.first_chunk()?));
        Some(match *tag {
            REFUSED => Self::Refused(text()),
            STARTED => Self::Started { pid: word(0)?, is_ours: *body.get(4)? == 1 },
            PIDFD => Self::Pidfd(fds.into_iter().next()?),
            NOT_STARTED => Self::NotStarted(word(0)?),
            RETURNED => Self::Returned { code: word(0)?, bytes: body.get(4..)?.to_vec(), fds },
            PANICKED => Self::Panicked(multiproc_wire::decode(body, Vec::new()).ok()?),
            UNSENDABLE => Self::Unsendable(text()),
            ENDED => Self::Ended(match *body.first()? {
                0 => Exit::Code(word(1)?),
                1 => Exit::Signal(word(1)?),
                _ => Exit::Unknown,
            }),
            _ => return None,
        })
    }
}

fn started(pid: i32, is_ours: bool) -> [u8; 6] {
    let [a, b, c, d] = pid.to_le_bytes();
    [STARTED, a, b, c, d, u8::from(is_ours)]
}

/// Makes the report of a returned value; `code` is what the process is going to exit with.
pub(crate) fn returned(code: i32, bytes: Vec<u8>, handles: Vec<Handle>) -> Report {
    let fds = handles.into_iter().map(Handle::into_owned).collect::<Result<_, _>>();
    fds.map_or_else(
        |err| Report::Unsendable(err.to_string()),
        |fds| Report::Returned { code, bytes, fds },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(report: &Report) -> Report {
        let (a, b) = packet::pair().unwrap();
        report.send(a.as_fd());
        let (mut bytes, mut fds) = (Vec::new(), Vec::new());
        assert!(packet::recv(b.as_fd(), &mut bytes, &mut fds).unwrap());
        Report::decode(&bytes, fds).unwrap()
    }

    #[test]
    fn reports_arrive_as_they_are() {
        let panic =
            PanicReport { message: "m".into(), location: Some("l".into()), backtrace: None };
        for report in [
            Report::Refused("why".into()),
            Report::Started { pid: 7, is_ours: true },
            Report::NotStarted(11),
            Report::Returned { code: 1, bytes: vec![1, 2], fds: Vec::new() },
            Report::Panicked(panic),
            Report::Unsendable("no".into()),
            Report::Ended(Exit::Signal(9)),
            Report::Ended(Exit::Unknown),
        ] {
            assert_eq!(format!("{:?}", round_trip(&report)), format!("{report:?}"));
        }
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for bytes in [
            &[][..],
            &[STARTED],
            &[STARTED, 1, 2, 3, 4],
            &[ENDED, 0, 1],
            &[PANICKED, 0xff],
            &[200, 1],
        ] {
            assert!(Report::decode(bytes, Vec::new()).is_none(), "{bytes:?}");
        }
    }
}
