//! The path of a Unix listener, which has to be removed again.

use std::{
    env,
    fs::{self, DirBuilder},
    io, mem,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use multiproc_image::logging;

use crate::Address;

/// The longest path that a Unix socket can have, without its closing zero.
const LONGEST: usize = 107;

/// A path that a listener has made, and that goes when this is dropped.
///
/// **Invariant:** only the process that made it removes it, and only while it is the same file:
/// another listener may have taken the place.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
    owner: u32,
    /// The private folder that was made for it.
    folder: Option<PathBuf>,
    is_cleared: bool,
}

impl Place {
    /// Remembers what was just bound; none unless it is a path.
    pub(super) fn of(address: &Address) -> io::Result<Option<Self>> {
        let Address::Path(path) = address else { return Ok(None) };
        // The process may go elsewhere meanwhile.
        let path = std::path::absolute(path)?;
        let metadata = fs::symlink_metadata(&path)?;
        Ok(Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            owner: std::process::id(),
            folder: None,
            is_cleared: false,
            path,
        }))
    }

    pub(super) fn within(mut self, folder: PathBuf) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Removes the path if it is still ours.
    pub(super) fn clear(mut self) -> io::Result<()> {
        self.remove()
    }

    fn remove(&mut self) -> io::Result<()> {
        // Once: the next file that is made may get the same number.
        if mem::replace(&mut self.is_cleared, true) || self.owner != std::process::id() {
            return Ok(());
        }
        match fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => {
                fs::remove_file(&self.path)?;
            }
            Ok(_) => return Ok(()),
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) => return Err(err),
        }
        match &self.folder {
            Some(folder) => fs::remove_dir(folder),
            None => Ok(()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A path that cannot be removed is a path left behind.
        let _ = self.remove();
    }
}

/// Makes a folder that nobody else may enter, and names a path in it.
pub(super) fn private_path() -> io::Result<(PathBuf, PathBuf)> {
    let name = |prefix: &str| Ok::<_, io::Error>(format!("{prefix}{:016x}", getrandom::u64()?));
    let (folder, socket) = (name("pymp-")?, name("listener-")?);
    let fits = |base: &Path| base.join(&folder).join(&socket).as_os_str().as_bytes().len();
    let mut base = std::path::absolute(env::temp_dir())?;
    if LONGEST < fits(&base) {
        base = PathBuf::from("/tmp");
    }
    let folder = base.join(folder);
    DirBuilder::new().mode(0o700).create(&folder)?;
    logging::info(format_args!("created temp directory {}", folder.display()));
    Ok((folder.join(socket), folder))
}
