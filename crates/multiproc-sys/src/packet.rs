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

#![expect(unsafe_code, reason = "receives into spare capacity")]

use std::{
    io::{self, ErrorKind, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
        sendmsg, socketpair,
    },
};

use crate::memfd;

/// The longest payload that is put into the packet itself, in bytes.
pub const INLINE: usize = 64 * 1024;

/// The most descriptors that are attached to the packet itself.
pub const DIRECT: usize = 250;

const MAGIC: [u8; 4] = *b"mpk1";
const HEADER: usize = 16;
/// A packet up to this long is sent in one piece.
const SHORT: usize = 512;
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
#[inline]
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_bytes(socket, bytes, fds, SendFlags::empty())
}

/// Sends one message, or fails with `WouldBlock` where [`send`] would wait.
///
/// # Errors
///
/// As [`send`], and `WouldBlock`.
#[inline]
pub fn try_send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_bytes(socket, bytes, fds, SendFlags::DONTWAIT)
}

#[inline(always)]
fn send_bytes(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    if !fds.is_empty() || INLINE < bytes.len() {
        return Parcel::new(bytes, fds)?.send_with(socket, flags);
    }
    if bytes.len() <= SHORT - HEADER {
        return send_short(socket, bytes, flags);
    }
    transmit(socket, &header(0, bytes.len() as u64), bytes, &[], flags)
}

/// Sends one message in one piece: for the kernel to gather two costs more than to copy so little.
#[inline(always)]
fn send_short(socket: BorrowedFd<'_>, bytes: &[u8], flags: SendFlags) -> io::Result<()> {
    let mut packet = [0; SHORT];
    let end = HEADER + bytes.len();
    packet[..HEADER].copy_from_slice(&header(0, bytes.len() as u64));
    packet[HEADER..end].copy_from_slice(bytes);
    loop {
        match rustix::net::send(socket, &packet[..end], flags | SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            result => return Ok(result.map(|_| ())?),
        }
    }
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
        match bytes.len() {
            0..=INLINE => Self::pack(bytes, bytes.len(), None, fds),
            length => Self::pack(&[], length, Some(memfd::seal(bytes)?), fds),
        }
    }

    /// Makes a message of a payload that is in a sealed file already, in its first `length` bytes.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn in_file(file: OwnedFd, length: usize, fds: &'a [BorrowedFd<'a>]) -> io::Result<Self> {
        Self::pack(&[], length, Some(file), fds)
    }

    fn pack(
        inline: &'a [u8],
        length: usize,
        file: Option<OwnedFd>,
        fds: &'a [BorrowedFd<'a>],
    ) -> io::Result<Self> {
        let count = u32::try_from(fds.len()).map_err(|_| Errno::TOOMANYREFS)?;
        let (direct, rest) = fds.split_at(fds.len().min(DIRECT));
        let overflow = (!rest.is_empty()).then(|| stuff(rest)).transpose()?;

        let mut length = length as u64;
        if file.is_some() {
            length |= IN_FILE;
        }
        if overflow.is_some() {
            length |= OVERFLOW;
        }
        Ok(Self { header: header(count, length), inline, direct, file, overflow })
    }

    /// Sends the message, waiting while the socket is full.
    ///
    /// # Errors
    ///
    /// As [`send`].
    pub fn send(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.send_with(socket, SendFlags::empty())
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

#[inline]
fn header(count: u32, length: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&count.to_le_bytes());
    header[8..].copy_from_slice(&length.to_le_bytes());
    header
}

#[inline(always)]
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
    whole(recv_with(socket, INLINE, bytes, fds, RecvFlags::empty())?, bytes)
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
    whole(recv_with(socket, INLINE, bytes, fds, RecvFlags::DONTWAIT)?, bytes)
}

/// Receives one message as [`recv`] does, but leaves a payload in a file where it is.
///
/// # Errors
///
/// As [`recv`].
#[inline]
pub fn recv_head(
    socket: BorrowedFd<'_>,
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    recv_with(socket, INLINE, bytes, fds, RecvFlags::empty())
}

/// Receives one message as [`recv_head`] does, or fails with `WouldBlock` where that would wait.
///
/// # Errors
///
/// As [`recv`], and `WouldBlock`.
#[inline]
pub fn try_recv_head(
    socket: BorrowedFd<'_>,
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    recv_with(socket, INLINE, bytes, fds, RecvFlags::DONTWAIT)
}

/// What came.
#[derive(Debug)]
pub enum Received {
    /// Nobody can send any more.
    End,
    /// A message, whose payload is in the buffer.
    Whole,
    /// A message, whose payload is in a file.
    InFile(InFile),
}

/// A payload that waits in a file.
#[derive(Debug)]
pub struct InFile {
    file: OwnedFd,
    length: u64,
}

impl InFile {
    /// Returns how many bytes the sender says that there are.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends the payload to `bytes`, which is allocated no further than there are bytes.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the file is not one that [`send`] makes; otherwise what reading reports.
    pub fn read(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        memfd::read(self.file.as_fd(), self.length, bytes)
    }

    /// Copies the payload to the front of `buffer` and returns that part, or `None` if it is longer.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_into<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<&'a mut [u8]>> {
        let length = usize::try_from(self.length).ok();
        let Some(front) = length.and_then(|length| buffer.get_mut(..length)) else {
            return Ok(None);
        };
        memfd::read_into(self.file.as_fd(), front)?;
        Ok(Some(front))
    }
}

/// Fetches what is in a file; false is the end.
fn whole(received: Received, bytes: &mut Vec<u8>) -> io::Result<bool> {
    match received {
        Received::End => return Ok(false),
        Received::Whole => {}
        Received::InFile(file) => file.read(bytes)?,
    }
    Ok(true)
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
    whole(recv_with(socket, peeked.inline, bytes, fds, RecvFlags::DONTWAIT)?, bytes)
}

#[inline(always)]
fn recv_with(
    socket: BorrowedFd<'_>,
    room: usize,
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
    flags: RecvFlags,
) -> io::Result<Received> {
    bytes.clear();
    fds.clear();
    bytes.try_reserve(room).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
    let mut header = [0; HEADER];
    let Some(inline) = take(socket, &mut header, bytes, fds, flags)? else {
        return Ok(Received::End);
    };

    if header[..4] != MAGIC {
        return Err(malformed());
    }
    let count = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    let length = u64::from_le_bytes([
        header[8], header[9], header[10], header[11], header[12], header[13], header[14],
        header[15],
    ]);
    if count == 0 && fds.is_empty() && length == inline as u64 {
        return Ok(Received::Whole);
    }
    unpack(count, length, inline, fds)
}

/// Sorts out what came beside the bytes of a packet.
#[cold]
fn unpack(
    count: usize,
    length: u64,
    inline: usize,
    fds: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    let helpers = usize::from(length & IN_FILE != 0) + usize::from(length & OVERFLOW != 0);
    if fds.len() != count.min(DIRECT) + helpers {
        return Err(malformed());
    }
    let mut helpers = fds.drain(..helpers).collect::<Vec<_>>().into_iter();
    let mut received = Received::Whole;
    if length & IN_FILE != 0 {
        let file = helpers.next().ok_or_else(malformed)?;
        received = Received::InFile(InFile { file, length: length & !(IN_FILE | OVERFLOW) });
    } else if length & !OVERFLOW != inline as u64 {
        return Err(malformed());
    }
    if length & OVERFLOW != 0 {
        let socket = helpers.next().ok_or_else(malformed)?;
        while fds.len() < count {
            let (before, mut nothing, mut header) = (fds.len(), Vec::new(), [0; HEADER]);
            match take(socket.as_fd(), &mut header, &mut nothing, fds, RecvFlags::DONTWAIT) {
                Ok(Some(_)) if fds.len() > before => {}
                Ok(_) => return Err(malformed()),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Err(malformed()),
                Err(err) => return Err(err),
            }
        }
    }
    if fds.len() == count { Ok(received) } else { Err(malformed()) }
}

#[cold]
fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "packet is not one of multiproc's")
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

/// Receives one packet: appends the payload to `bytes` (never growing it) and the descriptors to `fds`.
///
/// Inlined, as all that sends or receives a short message: on some processors the first return from a function after a
/// system call costs half as much as the call, and where the whole path is inlined there is none.
#[inline(always)]
fn take(
    socket: BorrowedFd<'_>,
    header: &mut [u8; HEADER],
    bytes: &mut Vec<u8>,
    fds: &mut Vec<OwnedFd>,
    flags: RecvFlags,
) -> io::Result<Option<usize>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST + 1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(header), spare(bytes)];
    let received = loop {
        match recvmsg(socket, &mut slices, &mut control, flags | RecvFlags::CMSG_CLOEXEC) {
            Ok(received) => break received,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        fds.clear();
        return Err(Errno::MFILE.into());
    }
    if received.bytes < HEADER || received.flags.contains(ReturnFlags::TRUNC) {
        fds.clear();
        return Err(malformed());
    }
    let inline = received.bytes - HEADER;
    let length = bytes.len() + inline;
    // SAFETY: The kernel has written `inline` bytes behind the old length, within the spare capacity.
    unsafe { bytes.set_len(length) };
    Ok(Some(inline))
}

/// Returns the spare capacity of `bytes` as something to receive into.
fn spare(bytes: &mut Vec<u8>) -> IoSliceMut<'_> {
    let spare = bytes.spare_capacity_mut();
    let slice = libc::iovec { iov_base: spare.as_mut_ptr().cast(), iov_len: spare.len() };
    // SAFETY: The standard library promises that the two have the same layout. The memory is borrowed for as long as the
    // slice lives, and nobody but the kernel looks at what the slice points to, so it need not be initialised.
    unsafe { std::mem::transmute::<libc::iovec, IoSliceMut<'_>>(slice) }
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
