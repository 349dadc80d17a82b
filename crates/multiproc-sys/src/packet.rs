//! Messages of any length with any number of descriptors, each sent and received whole.
//!
//! The transport is a pair of `SOCK_SEQPACKET` sockets, which keep message boundaries: one message is one packet, so
//! several processes may send on one end and receive on the other, and one that is killed leaves no half message.
//!
//! What does not fit a packet travels beside it, still as one packet:
//!
//! - more than [`INLINE`] bytes go as a sealed file ([`memfd`]), so sending needs no reader;
//! - more than [`DIRECT`] descriptors (the kernel allows 253 in a packet) go through a socket of their own, filled
//!   beforehand, whose other end rides in the packet.
//!
//! | packet | bytes |
//! |---|---|
//! | 0..4 | magic `mpk1` |
//! | 4..8 | number of descriptors, without the two helpers below |
//! | 8..16 | length of the payload; the top two bits say that a payload file, an overflow socket rides along |
//! | 16.. | the payload, unless it is in the file |
//!
//! Descriptors: the payload file if any, the overflow socket if any, then up to [`DIRECT`] of the message's own.

#![expect(
    unsafe_code,
    reason = "receives into spare capacity, and takes ownership of received descriptors"
)]

use std::{
    io::{self, ErrorKind, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketFlags, SocketType, sendmsg, socketpair,
    },
};

use crate::memfd;

/// The longest payload that is put into the packet itself, in bytes.
pub const INLINE: usize = 64 * 1024;

/// The most descriptors that are attached to the packet itself.
pub const DIRECT: usize = 250;

const MAGIC: [u8; 4] = *b"mpk1";
const HEADER: usize = 16;
const IN_FILE: u64 = 1 << 63;
const OVERFLOW: u64 = 1 << 62;
/// Payload file, overflow socket and the direct ones; the kernel's own limit is 253.
const MOST: usize = DIRECT + 2;

/// Makes two connected ends, each of which sends and receives.
///
/// # Errors
///
/// `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends one message, waiting while the socket is full.
///
/// # Errors
///
/// `EPIPE` or `ECONNRESET` when the other end is gone (no SIGPIPE is raised), `ETOOMANYREFS` when too many
/// descriptors are under way, `EMFILE` or `ENOMEM` when a helper cannot be made. After an error nothing was sent.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_with(socket, bytes, fds, SendFlags::empty())
}

/// Sends one message, or fails with `WouldBlock` where [`send`] would wait.
///
/// # Errors
///
/// As [`send`], and `WouldBlock`.
pub fn try_send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_with(socket, bytes, fds, SendFlags::DONTWAIT)
}

fn send_with(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    Parcel::new(bytes, fds)?.send_with(socket, flags)
}

/// A message made ready once, to be tried any number of times until the socket has room for it.
#[derive(Debug)]
pub struct Parcel<'a> {
    header: [u8; HEADER],
    inline: &'a [u8],
    direct: &'a [BorrowedFd<'a>],
    file: Option<OwnedFd>,
    overflow: Option<OwnedFd>,
}

impl<'a> Parcel<'a> {
    /// Puts what does not fit a packet into the file and the socket that travel beside it.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENOMEM` when a helper cannot be made, `ETOOMANYREFS` for more descriptors than one can hold.
    pub fn new(bytes: &'a [u8], fds: &'a [BorrowedFd<'a>]) -> io::Result<Self> {
        let count = u32::try_from(fds.len()).map_err(|_| Errno::TOOMANYREFS)?;
        let file = (bytes.len() > INLINE).then(|| memfd::seal(bytes)).transpose()?;
        let (direct, rest) = fds.split_at(fds.len().min(DIRECT));
        let overflow = (!rest.is_empty()).then(|| stuff(rest)).transpose()?;

        let mut length = bytes.len() as u64;
        if file.is_some() {
            length |= IN_FILE;
        }
        if overflow.is_some() {
            length |= OVERFLOW;
        }
        let inline = if file.is_some() { &[] } else { bytes };
        Ok(Self { header: header(count, length), inline, direct, file, overflow })
    }

    /// Sends the message, or fails with `WouldBlock` where that would be to wait.
    ///
    /// # Errors
    ///
    /// As [`send`], and `WouldBlock`.
    pub fn try_send(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.send_with(socket, SendFlags::DONTWAIT)
    }

    fn send_with(&self, socket: BorrowedFd<'_>, flags: SendFlags) -> io::Result<()> {
        if self.direct.is_empty() && self.file.is_none() {
            return transmit(socket, &self.header, self.inline, &[], flags);
        }
        let mut attached = Vec::with_capacity(MOST);
        attached.extend(self.file.iter().map(AsFd::as_fd));
        attached.extend(self.overflow.iter().map(AsFd::as_fd));
        attached.extend_from_slice(self.direct);
        transmit(socket, &self.header, self.inline, &attached, flags)
    }
}

fn header(count: u32, length: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&count.to_le_bytes());
    header[8..].copy_from_slice(&length.to_le_bytes());
    header
}

fn transmit(
    socket: BorrowedFd<'_>,
    header: &[u8; HEADER],
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOMANYREFS.into());
    }
    let slices = [IoSlice::new(header), IoSlice::new(bytes)];
    loop {
        match sendmsg(socket, &slices, &mut control, flags | SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            result => return Ok(result.map(|_| ())?),
        }
    }
}

/// Puts `fds` into a fresh socket and returns the end from which they can be taken.
fn stuff(fds: &[BorrowedFd<'_>]) -> io::Result<OwnedFd> {
    let (ours, theirs) = pair()?;
    for chunk in fds.chunks(DIRECT) {
        let header = header(chunk.len() as u32, 0);
        transmit(ours.as_fd(), &header, &[], chunk, SendFlags::DONTWAIT).map_err(|err| {
            if err.kind() == ErrorKind::WouldBlock { Errno::TOOMANYREFS.into() } else { err }
        })?;
    }
    Ok(theirs)
}

/// Receives one message into `bytes` and `fds`, both cleared first, waiting until there is one; false is the end.
///
/// Every descriptor received is close-on-exec. `bytes` keeps its capacity, so a reused buffer is not allocated again.
///
/// # Errors
///
/// `EMFILE` when not all descriptors could be received: the message is lost, the others it carried are closed, and the
/// socket stays usable. `InvalidData` for bytes that no [`send`] has written. What `recvmsg(2)` reports.
pub fn recv(
    socket: BorrowedFd<'_>,
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
) -> io::Result<bool> {
    recv_with(socket, INLINE, bytes, fds, 0)
}

/// Receives one message, or fails with `WouldBlock` where [`recv`] would wait.
///
/// # Errors
///
/// As [`recv`], and `WouldBlock`.
pub fn try_recv(
    socket: BorrowedFd<'_>,
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
) -> io::Result<bool> {
    recv_with(socket, INLINE, bytes, fds, libc::MSG_DONTWAIT)
}

/// Receives the message that [`peek`] has shown, with no more memory than it needs.
///
/// # Errors
///
/// As [`try_recv`].
pub fn try_recv_peeked(
    socket: BorrowedFd<'_>,
    peeked: &Peeked,
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
) -> io::Result<bool> {
    recv_with(socket, peeked.inline, bytes, fds, libc::MSG_DONTWAIT)
}

fn recv_with(
    socket: BorrowedFd<'_>,
    room: usize,
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
    flags: libc::c_int,
) -> io::Result<bool> {
    bytes.clear();
    fds.clear();
    bytes.try_reserve(room).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
    let mut header = [0; HEADER];
    let Some(inline) = take(socket, &mut header, bytes, fds, flags)? else { return Ok(false) };

    let malformed = || io::Error::new(ErrorKind::InvalidData, "packet is not one of multiproc's");
    if header[..4] != MAGIC {
        return Err(malformed());
    }
    let count = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    let length = u64::from_le_bytes([
        header[8], header[9], header[10], header[11], header[12], header[13], header[14],
        header[15],
    ]);
    let helpers = usize::from(length & IN_FILE != 0) + usize::from(length & OVERFLOW != 0);
    if fds.len() != count.min(DIRECT) + helpers {
        return Err(malformed());
    }
    let mut helpers = fds.drain(..helpers).collect::<Vec<_>>().into_iter();
    if length & IN_FILE != 0 {
        let file = helpers.next().ok_or_else(malformed)?;
        memfd::read(file.as_fd(), length & !(IN_FILE | OVERFLOW), bytes)?;
    } else if length & !OVERFLOW != inline as u64 {
        return Err(malformed());
    }
    if length & OVERFLOW != 0 {
        let socket = helpers.next().ok_or_else(malformed)?;
        while fds.len() < count {
            let (before, mut nothing) = (fds.len(), Vec::new());
            match take(socket.as_fd(), &mut header, &mut nothing, fds, libc::MSG_DONTWAIT) {
                Ok(Some(_)) if fds.len() > before => {}
                Ok(_) => return Err(malformed()),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Err(malformed()),
                Err(err) => return Err(err),
            }
        }
    }
    if fds.len() == count { Ok(true) } else { Err(malformed()) }
}

/// What [`peek`] tells of a message.
#[derive(Debug)]
pub struct Peeked {
    /// The first eight bytes of payload; none if it rides in a file or is shorter.
    pub start: Option<[u8; 8]>,
    /// Bytes of payload in the packet itself.
    inline: usize,
}

/// Looks at the message that would be received next, without waiting and without taking it.
///
/// None if there is none or it is not one of ours.
#[must_use]
pub fn peek(socket: BorrowedFd<'_>) -> Option<Peeked> {
    let mut start = [0; HEADER + 8];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    let (_, length) = rustix::net::recv(socket, &mut start, flags).ok()?;
    let inline = length.checked_sub(HEADER).filter(|inline| *inline <= INLINE)?;
    if start[..4] != MAGIC {
        return None;
    }
    let in_file = start[15] & 0x80 != 0;
    let first = start[HEADER..].first_chunk().copied();
    Some(Peeked { start: first.filter(|_| !in_file && length >= start.len()), inline })
}

/// Room for the control message of one packet, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; CONTROL]);

/// `CMSG_SPACE(253 * size_of::<c_int>())`, rounded up: a header of 16 bytes and the numbers.
const CONTROL: usize = 16 + 256 * 4;

/// Receives one packet: appends the payload to `bytes` (never growing it) and the descriptors to `fds`.
fn take(
    socket: BorrowedFd<'_>,
    header: &mut [u8; HEADER],
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
    flags: libc::c_int,
) -> io::Result<Option<usize>> {
    let mut control = Control([MaybeUninit::uninit(); CONTROL]);
    let spare = bytes.spare_capacity_mut();
    let mut slices = [
        libc::iovec { iov_base: header.as_mut_ptr().cast(), iov_len: HEADER },
        libc::iovec { iov_base: spare.as_mut_ptr().cast(), iov_len: spare.len() },
    ];
    // SAFETY: `msghdr` is plain data for which zeroes are valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = slices.as_mut_ptr();
    message.msg_iovlen = slices.len() as _;
    message.msg_control = ptr::from_mut(&mut control).cast();
    message.msg_controllen = CONTROL as _;

    let received = loop {
        let flags = flags | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: Header, spare capacity and control buffer outlive the call and are as long as `message` says.
        let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
        match usize::try_from(received) {
            Ok(received) => break received,
            Err(_) => match io::Error::last_os_error() {
                err if err.kind() == ErrorKind::Interrupted => {}
                err => return Err(err),
            },
        }
    };
    adopt(&message, fds);
    if received == 0 {
        return Ok(None);
    }
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        fds.clear();
        return Err(Errno::MFILE.into());
    }
    if received < HEADER || message.msg_flags & libc::MSG_TRUNC != 0 {
        fds.clear();
        return Err(io::Error::new(ErrorKind::InvalidData, "packet is not one of multiproc's"));
    }
    let inline = received - HEADER;
    let length = bytes.len() + inline;
    // SAFETY: The kernel has written `inline` bytes behind the old length, within the spare capacity.
    unsafe { bytes.set_len(length) };
    Ok(Some(inline))
}

/// Takes ownership of every descriptor that `message` brought.
fn adopt(message: &libc::msghdr, fds: &mut Vec<OwnedFd>) {
    // SAFETY: `message` was filled in by a successful `recvmsg` and its control buffer is still there.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: The kernel's control headers are aligned and whole.
        let libc::cmsghdr { cmsg_len, cmsg_level, cmsg_type } = unsafe { ptr::read(header) };
        if (cmsg_level, cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: The macro only computes the length of an empty message.
            let empty = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = (cmsg_len - empty) / size_of::<libc::c_int>();
            // SAFETY: The data of a control message follows its header.
            let data = unsafe { libc::CMSG_DATA(header) }.cast::<libc::c_int>();
            for index in 0..count {
                // SAFETY: The message holds `count` numbers.
                let place = unsafe { data.add(index) };
                // SAFETY: As above; the numbers need not be aligned.
                let raw = unsafe { ptr::read_unaligned(place) };
                // SAFETY: The kernel has just installed this descriptor for us, and for nobody else.
                fds.push(unsafe { OwnedFd::from_raw_fd(raw) });
            }
        }
        // SAFETY: As for `CMSG_FIRSTHDR`; `header` is one of its messages.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn exchange(bytes: &[u8], fds: &[BorrowedFd<'_>]) -> (Vec<u8>, Vec<OwnedFd>) {
        let (a, b) = pair().unwrap();
        send(a.as_fd(), bytes, fds).unwrap();
        let (mut got, mut owned) = (Vec::new(), Vec::new());
        assert!(recv(b.as_fd(), &mut got, &mut owned).unwrap());
        (got, owned)
    }

    #[test]
    fn every_length_arrives_whole() {
        for length in [0, 1, INLINE - 1, INLINE, INLINE + 1, 3 << 20] {
            let sent: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            assert!(exchange(&sent, &[]).0 == sent, "{length} bytes");
        }
    }

    #[test]
    fn every_number_of_descriptors_arrives_in_order() {
        let (null, zero) = (File::open("/dev/null").unwrap(), File::open("/dev/zero").unwrap());
        let device = |fd: &OwnedFd| rustix::fs::fstat(fd).unwrap().st_rdev;
        for count in [1, DIRECT, DIRECT + 1, 253, 254, 3 * DIRECT + 7] {
            let sent: Vec<_> =
                (0..count).map(|i| if i % 3 == 0 { zero.as_fd() } else { null.as_fd() }).collect();
            let (_, got) = exchange(&vec![1; 2 * INLINE], &sent);
            assert_eq!(got.len(), count);
            for (index, fd) in got.iter().enumerate() {
                let expected = if index % 3 == 0 { 0x105 } else { 0x103 };
                assert_eq!(device(fd), expected, "descriptor {index} of {count}");
                let flags = rustix::io::fcntl_getfd(fd).unwrap();
                assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            }
        }
    }

    #[test]
    fn end_and_refusal_are_told_apart() {
        let (a, b) = pair().unwrap();
        let (mut bytes, mut fds) = (Vec::new(), Vec::new());
        let empty = try_recv(b.as_fd(), &mut bytes, &mut fds).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        send(a.as_fd(), b"", &[]).unwrap();
        drop(a);
        assert!(recv(b.as_fd(), &mut bytes, &mut fds).unwrap(), "an empty message is not the end");
        assert!(!recv(b.as_fd(), &mut bytes, &mut fds).unwrap());
        assert_eq!(send(b.as_fd(), b"x", &[]).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn foreign_packets_are_refused_and_the_socket_stays_usable() {
        let (a, b) = pair().unwrap();
        let (mut bytes, mut fds) = (Vec::new(), Vec::new());
        let mut lying = header(3, 5).to_vec();
        for garbage in [&b"x"[..], &[0; 64], &[0xff; 100_000], &lying] {
            rustix::net::send(&a, garbage, SendFlags::empty()).unwrap();
            assert_eq!(
                recv(b.as_fd(), &mut bytes, &mut fds).unwrap_err().kind(),
                ErrorKind::InvalidData
            );
        }
        lying[8..].copy_from_slice(&(IN_FILE | OVERFLOW | 1 << 40).to_le_bytes());
        rustix::net::send(&a, &lying, SendFlags::empty()).unwrap();
        assert_eq!(
            recv(b.as_fd(), &mut bytes, &mut fds).unwrap_err().kind(),
            ErrorKind::InvalidData
        );
        send(a.as_fd(), b"good", &[]).unwrap();
        assert!(recv(b.as_fd(), &mut bytes, &mut fds).unwrap());
        assert_eq!(bytes, b"good");
    }
}
