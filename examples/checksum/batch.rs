//! Files in batches: small ones together, so that sending them costs little, large ones alone.

use std::{ffi::CString, io, iter};

use crate::{
    options::Options,
    walk::{Found, Walk},
};

/// A batch is full when it has this many files...
const FILES: usize = 128;

/// ...or this many bytes, some milliseconds of work.
const BYTES: u64 = 2 << 20;

/// Files that one worker hashes in a row.
#[derive(Default)]
pub struct Batch {
    pub files: Vec<CString>,
    /// Folders on the way that could not be read.
    pub errors: Vec<(CString, io::Error)>,
}

/// All files that there are to hash, in order.
pub fn batches(options: &Options) -> impl Iterator<Item = Batch> {
    let mut walk = Walk::new(&options.folder, &options.skip).peekable();
    iter::from_fn(move || {
        walk.peek()?;
        let (mut batch, mut room) = (Batch::default(), BYTES);
        let fits = |found: &Found, batch: &Batch, room| match found {
            Found::File { len, .. } => batch.files.is_empty() || *len <= room,
            Found::Error { .. } => true,
        };
        while batch.files.len() < FILES
            && let Some(found) = walk.next_if(|found| fits(found, &batch, room))
        {
            match found {
                Found::File { path, len } => {
                    batch.files.push(path);
                    room = room.saturating_sub(len);
                }
                Found::Error { path, err } => batch.errors.push((path, err)),
            }
        }
        Some(batch)
    })
}
