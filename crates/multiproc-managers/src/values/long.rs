//! Long values in files, so that many can fetch them without a copy being made for each.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use multiproc_sys::{
    memfd,
    primitive::{AtomicUsize, Ordering},
};
use multiproc_wire::{Handle, pickle::Object};
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd;

use crate::CallError;

/// From this size on bytes and texts are fetched by way of a file, and up to that.
const SHORTEST: usize = 256 << 10;
const LONGEST: usize = 64 << 20;

/// How many files a server keeps: each is a descriptor, and as much memory as its value.
const MOST: usize = 64;

static KEPT: AtomicUsize = AtomicUsize::new(0);

/// The file of a value that somebody has in a shared object: made when it is first fetched, gone with it.
#[derive(Default)]
pub(crate) struct Long(OnceLock<Option<Sealed>>);

struct Sealed(Handle);

/// A file on its way to a client, who can read it and nobody can change it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LongFile(Handle);

/// What a client is told of the file that follows: whether its bytes are a text, and how many they are.
pub(crate) const KIND: &str = "#FILE";

impl Long {
    /// Makes room for the file of a value that is long enough for one.
    pub(crate) fn of(object: &Object) -> Option<Arc<Self>> {
        let length = content(object)?.1.len();
        (SHORTEST..=LONGEST).contains(&length).then(Arc::default)
    }

    /// Returns the file of this value, and what is to be told of it; none where there are files enough.
    pub(crate) fn file(&self, object: &Object) -> Option<(Object, LongFile)> {
        let (is_text, bytes) = content(object)?;
        let sealed = self.0.get_or_init(|| Sealed::new(bytes)).as_ref()?;
        let told = Object::Tuple(vec![is_text.into(), bytes.len().into()]);
        Some((told, LongFile(sealed.0.clone())))
    }
}

fn content(object: &Object) -> Option<(bool, &[u8])> {
    match object {
        Object::Bytes(bytes) => Some((false, bytes)),
        Object::Str(text) => Some((true, text.as_bytes())),
        _ => None,
    }
}

impl Sealed {
    fn new(bytes: &[u8]) -> Option<Self> {
        if MOST <= KEPT.fetch_add(1, Ordering::Relaxed) {
            KEPT.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        match memfd::seal(bytes) {
            Ok(file) => Some(Self(file.into())),
            // Then it is sent as it is.
            Err(_) => {
                KEPT.fetch_sub(1, Ordering::Relaxed);
                None
            }
        }
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        KEPT.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LongFile {
    /// Reads the value, which is what was told of it or an error.
    pub(crate) fn read(&self, told: &Object) -> Result<Object, CallError> {
        let [is_text, length] = told.as_tuple().unwrap_or_default() else {
            return Err(CallError::Malformed);
        };
        let length = length.as_int().and_then(|length| u64::try_from(length).ok());
        let length = length.ok_or(CallError::Malformed)?;
        let mut bytes = Vec::new();
        // As much as is there, whatever was told.
        memfd::read(self.0.as_fd(), length, &mut bytes)
            .map_err(|err| CallError::Recv(err.into()))?;
        match is_text {
            Object::Bool(true) => {
                Ok(Object::Str(String::from_utf8(bytes).map_err(|_| CallError::Malformed)?))
            }
            _ => Ok(Object::Bytes(bytes)),
        }
    }
}

impl fmt::Debug for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Long").field(&self.0.get().map(Option::is_some)).finish()
    }
}

impl fmt::Debug for LongFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LongFile")
    }
}
