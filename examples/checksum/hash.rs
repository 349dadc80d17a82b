//! What a worker does: reads files and hashes them.

use std::{
    cell::RefCell,
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read, Take},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How much is read at a time: little enough to stay in the processor's cache until it is hashed.
const BLOCK: usize = 128 << 10;

/// What became of a file.
#[derive(Serialize, Deserialize)]
pub enum Outcome {
    /// The hash of so many bytes.
    Sum { digest: [u8; 32], len: u64 },
    /// It is no regular file any more.
    NotAFile,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

thread_local! {
    /// A worker's own, for all the files that it reads.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BLOCK]);
}

/// Hashes a file.
pub fn hash_file(path: CString) -> Outcome {
    BUFFER.with_borrow_mut(|block| read_and_hash(&path, block))
}

fn read_and_hash(path: &CStr, block: &mut [u8]) -> Outcome {
    match open(path).and_then(|opened| opened.map(|file| hash(file, block)).transpose()) {
        Ok(Some((digest, len))) => Outcome::Sum { digest, len },
        Ok(None) => Outcome::NotAFile,
        Err(err) => Outcome::Unreadable(err.to_string()),
    }
}

/// Opens a regular file, and nothing else: what it was when it was found, it need not be any more.
///
/// It ends where it ends now: one that grows as fast as it is read would have no end.
fn open(path: &CStr) -> io::Result<Option<Take<File>>> {
    // To open a FIFO would wait for somebody to write to it, but for NONBLOCK.
    let flags = OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, OFlags::RDONLY | flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        // A link; a socket, or a device that is not there.
        Err(Errno::LOOP | Errno::NXIO) => return Ok(None),
        Err(err) => return Err(err.into()),
    };
    let metadata = file.metadata()?;
    // Files that the kernel makes up, as in /proc, do not know how long they are.
    let end = if metadata.len() == 0 { u64::MAX } else { metadata.len() };
    Ok(metadata.is_file().then(|| file.take(end)))
}

fn hash(mut file: Take<File>, block: &mut [u8]) -> io::Result<([u8; 32], u64)> {
    let (mut sha, mut len) = (Sha256::new(), 0);
    loop {
        match file.read(block) {
            Ok(0) => return Ok((sha.finalize().into(), len)),
            Ok(read) => {
                sha.update(&block[..read]);
                len += read as u64;
            }
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
}
