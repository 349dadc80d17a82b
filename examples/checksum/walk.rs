//! Finds the files below a folder, in the order of their paths' bytes.

use std::{
    collections::HashSet,
    ffi::{CString, OsStr, OsString},
    fs, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
    vec,
};

/// What a walk comes across.
pub enum Found {
    /// A regular file.
    File(CString),
    /// A folder or an entry that cannot be read.
    Error { path: CString, err: io::Error },
}

/// A walk through a folder and what is below it.
///
/// It holds what is left of each folder from the top to where it is, and nothing more.
pub struct Walk<'a> {
    skip: &'a HashSet<OsString>,
    /// The path of the innermost folder, with a slash at the end.
    path: Vec<u8>,
    folders: Vec<Folder>,
    /// Found before the first folder was.
    first: Option<Found>,
}

struct Folder {
    /// How long the path of the folder is.
    len: usize,
    entries: vec::IntoIter<Entry>,
}

/// An entry of a folder that is a file or, with a slash at the end of its name, a folder.
///
/// Thanks to the slash, folders are visited in the order of the paths below them: `a.b`, `a/b`, `ab`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: Vec<u8>,
}

impl<'a> Walk<'a> {
    /// Begins a walk; `skip` names files and folders to pass by.
    pub fn new(top: &Path, skip: &'a HashSet<OsString>) -> Self {
        let path = top.as_os_str().as_bytes().to_vec();
        let mut walk = Self { skip, path, folders: Vec::new(), first: None };
        match fs::metadata(top) {
            Ok(metadata) if metadata.is_dir() => {
                if !walk.path.ends_with(b"/") {
                    walk.path.push(b'/');
                }
                walk.first = walk.enter();
            }
            Ok(metadata) if metadata.is_file() => {
                walk.first = Some(Found::File(c_string(&walk.path)));
            }
            Ok(_) => {}
            Err(err) => walk.first = Some(Found::Error { path: c_string(&walk.path), err }),
        }
        walk
    }

    /// Reads the folder `self.path`; returns what went wrong.
    fn enter(&mut self) -> Option<Found> {
        let (entries, failed) = self.read();
        let len = self.path.len();
        self.folders.push(Folder { len, entries: entries.into_iter() });
        // Named without the slash, unless it is the root.
        let path =
            c_string(self.path.strip_suffix(b"/").filter(|path| !path.is_empty()).unwrap_or(b"/"));
        failed.map(|err| Found::Error { path, err })
    }

    /// The entries, in order, as far as they can be read.
    fn read(&self) -> (Vec<Entry>, Option<io::Error>) {
        let mut entries = Vec::new();
        let folder = match fs::read_dir(OsStr::from_bytes(&self.path)) {
            Ok(folder) => folder,
            Err(err) => return (entries, Some(err)),
        };
        let mut failed = None;
        for entry in folder {
            match entry.and_then(|entry| self.take(&entry)) {
                Ok(entry) => entries.extend(entry),
                // One that was removed meanwhile was never there.
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                Err(err) => failed = Some(err),
            }
        }
        entries.sort_unstable();
        (entries, failed)
    }

    fn take(&self, entry: &fs::DirEntry) -> io::Result<Option<Entry>> {
        let name = entry.file_name();
        if self.skip.contains(&name) {
            return Ok(None);
        }
        // Of a link, this is the link's own.
        let file_type = entry.file_type()?;
        let mut name = name.into_vec();
        if file_type.is_dir() {
            name.push(b'/');
            Ok(Some(Entry { name }))
        } else if file_type.is_file() {
            Ok(Some(Entry { name }))
        } else {
            Ok(None)
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let folder = self.folders.last_mut()?;
            self.path.truncate(folder.len);
            let Some(entry) = folder.entries.next() else {
                self.folders.pop();
                continue;
            };
            self.path.extend(&entry.name);
            if !entry.name.ends_with(b"/") {
                return Some(Found::File(c_string(&self.path)));
            }
            if let Some(failed) = self.enter() {
                return Some(failed);
            }
        }
    }
}

/// A path as the system takes it. It has no zero byte, or the system could not have been given it.
fn c_string(path: &[u8]) -> CString {
    CString::new(path).unwrap_or_default()
}
