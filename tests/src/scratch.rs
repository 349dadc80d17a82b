//! A folder for the files of one test.

use std::{
    fs, io,
    ops::Deref,
    path::{Path, PathBuf},
};

/// A folder that exists for as long as this value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty folder; `root` is `env!("CARGO_TARGET_TMPDIR")`, `name` the test's.
    pub fn new(root: &str, name: &str) -> io::Result<Self> {
        let path = Path::new(root).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that fails has more to say than what is left of its folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
