//! What a new process is told: who it is, what to install, and which function to run.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use multiproc_sys::{descriptors, packet};
use serde::{Deserialize, Serialize};

use crate::{
    bootstrap,
    error::StartError,
    executable::{self, Build},
    exit,
    family::{self, Handed, Record},
    lifeline, logging,
};

/// A function that a new process runs; when it returns, the process exits with 0.
pub type Entry = fn(Boot);

/// What a new process has in its hands when its function begins.
#[derive(Debug)]
pub struct Boot {
    /// The bytes that the starter sent along.
    pub payload: Vec<u8>,
    /// The descriptors that the starter sent along.
    pub fds: Vec<OwnedFd>,
    /// A socket whose other end the starter holds.
    pub socket: OwnedFd,
}

/// The first byte of a packet with which a new process says that it will not run, and why; other first bytes belong to
/// the function that runs.
pub const REFUSED: u8 = 0;

/// Every message to a new process begins with this, so that a socket that is not ours is told apart.
pub(crate) const MAGIC: [u8; 8] = *b"multipr1";

#[derive(Serialize, Deserialize)]
struct Header {
    build: Build,
    #[serde(with = "Handed")]
    record: Record,
    items: Vec<Item>,
    entry: u64,
}

/// A bootstrap item: how many of the descriptors are its own, and what it gets.
#[derive(Serialize, Deserialize)]
struct Item {
    install: u64,
    bytes: Vec<u8>,
    fds: usize,
}

/// A message to a new process, ready to be sent to wherever that process reads it.
#[derive(Debug)]
pub struct Packed {
    /// What [`run`] reads.
    pub bytes: Vec<u8>,
    /// The descriptors that go along, in this order.
    pub fds: Vec<OwnedFd>,
}

impl Packed {
    /// The descriptors, borrowed for sending.
    #[must_use]
    pub fn borrowed(&self) -> Vec<BorrowedFd<'_>> {
        self.fds.iter().map(AsFd::as_fd).collect()
    }
}

/// Packs what a new process with this `record` needs in order to run `entry` with `payload` and `fds`.
///
/// # Errors
///
/// [`StartError::OutsideImage`] if `entry` is not code of this program; [`StartError::Os`] if there is no descriptor left
/// for the lifeline.
pub fn pack(
    entry: Entry,
    name: &dyn Fn() -> String,
    record: Record,
    payload: &[u8],
    fds: Vec<OwnedFd>,
) -> Result<Packed, StartError> {
    pack_items(bootstrap::collect(), entry, name, record, payload, fds)
}

/// Packs the same as [`pack`] for a process that gets nothing installed: one that has to outlive what is handed down, and
/// would keep it alive.
///
/// # Errors
///
/// As [`pack`].
pub fn pack_bare(
    entry: Entry,
    name: &dyn Fn() -> String,
    record: Record,
    payload: &[u8],
    fds: Vec<OwnedFd>,
) -> Result<Packed, StartError> {
    pack_items(Vec::new(), entry, name, record, payload, fds)
}

fn pack_items(
    handed_down: Vec<bootstrap::Item>,
    entry: Entry,
    name: &dyn Fn() -> String,
    record: Record,
    payload: &[u8],
    fds: Vec<OwnedFd>,
) -> Result<Packed, StartError> {
    descriptors::fill_standard().map_err(StartError::os("open the null device"))?;
    let image = executable::this();
    let offset = |function: Entry| {
        let outside =
            || StartError::OutsideImage { name: name(), program: executable::path_for_messages() };
        image.offset_of(function as usize).ok_or_else(outside)
    };
    let line = lifeline::for_child().map_err(StartError::os("make the lifeline of a child"))?;
    let mut all = vec![line];
    let mut items = Vec::new();
    for item in handed_down {
        items.push(Item { install: offset(item.install)?, bytes: item.bytes, fds: item.fds.len() });
        all.extend(item.fds);
    }
    all.extend(fds);
    let header = Header { build: image.build().clone(), record, items, entry: offset(entry)? };

    let mut bytes = Vec::with_capacity(512 + payload.len());
    bytes.extend(MAGIC);
    let mut bytes = postcard::to_extend(&header, bytes)
        .map_err(|err| StartError::Encode { name: name(), source: Box::new(err) })?;
    bytes.extend(payload);
    Ok(Packed { bytes, fds: all })
}

/// Becomes the process that `bytes` and `fds`, made by [`pack`], describe.
///
/// A message from another build of the program is refused: a packet that begins with [`REFUSED`] goes back through
/// `socket`, and the process exits with 1.
pub fn run(bytes: &[u8], fds: Vec<OwnedFd>, socket: OwnedFd) -> ! {
    match open(bytes, fds, socket.as_fd()) {
        Ok((entry, payload, fds)) => {
            entry(Boot { payload: payload.to_vec(), fds, socket });
            exit::leave(0)
        }
        Err(why) => {
            logging::error(format_args!("{why}"));
            let message = [&[REFUSED], why.as_bytes()].concat();
            // The starter may have gone; then nobody is left to be told.
            let _ = packet::send(socket.as_fd(), &message, &[]);
            exit::leave(1)
        }
    }
}

type Opened<'a> = (Entry, &'a [u8], Vec<OwnedFd>);

fn open<'a>(
    bytes: &'a [u8],
    fds: Vec<OwnedFd>,
    socket: BorrowedFd<'_>,
) -> Result<Opened<'a>, String> {
    let malformed = || "the start message of this process is malformed".to_string();
    let body = bytes.strip_prefix(&MAGIC).ok_or_else(malformed)?;
    // The build stands first, so that it can be compared even where another build has another layout behind it.
    let (build, _) = postcard::take_from_bytes::<Build>(body).map_err(|_| malformed())?;
    let image = executable::this();
    if build == Build::Unknown || build != *image.build() {
        return Err(format!(
            "{} is another build than the program that started it: \
             `set_executable` wants the same executable, or a program that has nothing to do with it",
            executable::path_for_messages()
        ));
    }
    let (header, payload) = postcard::take_from_bytes::<Header>(body).map_err(|_| malformed())?;
    let daemon = header.record.daemon;
    family::install(header.record);

    let mut fds = fds.into_iter();
    let line = fds.next().ok_or_else(malformed)?;
    lifeline::adopt(line, daemon)
        .map_err(|err| format!("cannot watch the parent process: {err}"))?;
    for item in header.items {
        let install = image.address_of(item.install).ok_or_else(malformed)?;
        let owned = fds.by_ref().take(item.fds).collect();
        let socket = socket
            .try_clone_to_owned()
            .map_err(|err| format!("no descriptor left at start: {err}"))?;
        entry_at(install)(Boot { payload: item.bytes, fds: owned, socket });
    }
    let entry = image.address_of(header.entry).ok_or_else(malformed)?;
    Ok((entry_at(entry), payload, fds.collect()))
}

/// Turns a checked address of this image's code back into the function that a process of this build has packed.
#[expect(unsafe_code, reason = "an address becomes a function again")]
fn entry_at(address: usize) -> Entry {
    // SAFETY: The address lies in the code of this image, and it was named by a process of the same build as the
    // address of an `Entry`: the message came through a socket that only the starter, a process of this family, has had.
    unsafe { std::mem::transmute::<usize, Entry>(address) }
}
