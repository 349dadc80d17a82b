//! Shared memory, described before it is made or opened.

use std::io;

use multiproc_sys::memfd;

use super::{SharedMemory, place, random_name::random_name};
use crate::{
    ShmError,
    error::is_out_of_memory,
    mapping::Mapping,
    memory,
    segment::check_size,
    tracker::{self, Line, Registration},
};
use std::os::fd::{AsFd, OwnedFd};

/// Describes a block that is about to be made or opened.
///
/// # Python
///
/// The keyword arguments of `SharedMemory`.
///
/// # Examples
///
/// ```
/// use multiproc_shm::SharedMemory;
///
/// let memory = SharedMemory::builder().track(false).create(1024)?;
/// let other = SharedMemory::builder().reserve(false).open(memory.name())?;
/// assert_eq!(other.size(), 1024);
/// memory.unlink()?;
/// # Ok::<(), multiproc_shm::ShmError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is made before `create` or `open`"]
pub struct Builder {
    track: Option<bool>,
    reserve: Option<bool>,
}

impl Builder {
    /// Chooses whether the tracker removes the name when all processes of this family have ended.
    ///
    /// Unless it is said here, it does so for a block that this process makes and not for one that it opens: what others
    /// have made is theirs to remove.
    ///
    /// # Python
    ///
    /// `track`, which is true in both cases; before 3.13 there was no choice, and opening a block meant its end.
    pub fn track(mut self, track: bool) -> Self {
        self.track = Some(track);
        self
    }

    /// Chooses whether opening a block puts memory behind all of it; true unless it is said here.
    ///
    /// Python makes blocks without memory, which they get when they are touched; where there is none left, that ends the
    /// process by SIGBUS. Say no for a huge block of which only a part is used. A block made here always has its memory.
    pub fn reserve(mut self, reserve: bool) -> Self {
        self.reserve = Some(reserve);
        self
    }

    /// Makes a block of `size` zero bytes under a name that nobody has.
    ///
    /// # Errors
    ///
    /// [`ShmError::InvalidSize`], [`ShmError::NoSpace`], [`ShmError::Tracker`], [`ShmError::Os`]; there is then no block.
    pub fn create(self, size: usize) -> Result<SharedMemory, ShmError> {
        self.make(None, size)
    }

    /// Makes a block of `size` zero bytes under this name, with or without a leading slash.
    ///
    /// # Errors
    ///
    /// [`ShmError::InvalidName`]; [`ShmError::Exists`] where there is one of this name, which is left as it is; and as
    /// [`create`](Self::create).
    pub fn create_named(self, name: &str, size: usize) -> Result<SharedMemory, ShmError> {
        let name = place::check_name(name)?;
        check_size(size)?;
        if place::identity_of(name).is_some() {
            return Err(ShmError::Exists { name: name.into() });
        }
        self.make(Some(name), size)
    }

    /// Opens the block of this name, with or without a leading slash, whoever has made it.
    ///
    /// # Errors
    ///
    /// [`ShmError::InvalidName`], [`ShmError::NotFound`], [`ShmError::Empty`], [`ShmError::NoSpace`],
    /// [`ShmError::Os`].
    pub fn open(self, name: &str) -> Result<SharedMemory, ShmError> {
        let name = place::check_name(name)?;
        let file = place::open_named(name).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ShmError::NotFound { name: name.into() },
            _ => ShmError::os(format!("open shared memory {name:?}"))(source),
        })?;
        let stat = place::look(&file);
        let stat = stat.map_err(ShmError::os(format!("use shared memory {name:?}")))?;
        let size = usize::try_from(stat.st_size).ok();
        let size = match size {
            Some(0) => return Err(ShmError::Empty { name: name.into() }),
            Some(size) if check_size(size).is_ok() => size,
            _ => return Err(ShmError::InvalidSize { size: size.unwrap_or(usize::MAX) }),
        };
        if self.reserve.unwrap_or(true) {
            let there = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
            reserve(&file, size as u64, there)?;
        }
        let mapping = map(&file, size, name)?;
        let registration = Registration { name: name.into(), identity: place::identity(&stat) };
        let line = self.track.unwrap_or(false).then_some(Line::Own);
        if line.is_some() {
            tracker::register(&registration)?;
        }
        Ok(SharedMemory::new(registration, file.into(), mapping, line))
    }

    /// Opens the block of this name, or makes one of `size` bytes where there is none.
    ///
    /// One that is there keeps its size.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`create_named`](Self::create_named), except that it is there or is not.
    pub fn open_or_create(self, name: &str, size: usize) -> Result<SharedMemory, ShmError> {
        check_size(size)?;
        loop {
            match self.clone().open(name) {
                Err(ShmError::NotFound { .. }) => {}
                result => return result,
            }
            // Between the two somebody else may have made or removed it: each turn, one of us has got ahead.
            match self.clone().create_named(name, size) {
                Err(ShmError::Exists { .. }) => {}
                result => return result,
            }
        }
    }

    fn make(self, name: Option<&str>, size: usize) -> Result<SharedMemory, ShmError> {
        let length = check_size(size)?;
        let track = self.track.unwrap_or(true);
        let failed =
            |source| ShmError::os(format!("make shared memory in {}", place::FOLDER))(source);
        match place::create_unnamed().map_err(failed)? {
            Some(file) => {
                fill(&file, length)?;
                make_visible(file, name, size, track)
            }
            None => make_in_sight(name, size, length, track),
        }
    }
}

/// Gives a finished block its name: nobody ever sees one that is not, and a process killed before leaves nothing.
fn make_visible(
    file: OwnedFd,
    wanted: Option<&str>,
    size: usize,
    track: bool,
) -> Result<SharedMemory, ShmError> {
    let stat = place::look(&file).map_err(ShmError::os("look at new shared memory"))?;
    loop {
        let name = wanted.map_or_else(random_name, |name| Ok(name.into()))?;
        let registration = Registration { name, identity: place::identity(&stat) };
        let name = &registration.name;
        let mapping = map(&file, size, name)?;
        let line = track.then_some(Line::Own);
        if track {
            // First, so that there is no moment at which the name exists and the tracker does not know it. Told too
            // much it does no harm: it removes a name only from the file that was registered with it.
            tracker::register(&registration)?;
        }
        let Err(source) = place::give_name(&file, name) else {
            return Ok(SharedMemory::new(registration, file.into(), mapping, line));
        };
        if track {
            tracker::unregister(&Line::Own, &registration);
        }
        match (source.kind(), wanted) {
            (io::ErrorKind::AlreadyExists, None) => {}
            (io::ErrorKind::AlreadyExists, Some(_)) => {
                return Err(ShmError::Exists { name: registration.name });
            }
            _ => return Err(ShmError::os(format!("give shared memory the name {name:?}"))(source)),
        }
    }
}

/// Makes a block as `shm_open` does, where files without a name are not to be had.
fn make_in_sight(
    wanted: Option<&str>,
    size: usize,
    length: u64,
    track: bool,
) -> Result<SharedMemory, ShmError> {
    let (name, file) = loop {
        let name = wanted.map_or_else(random_name, |name| Ok(name.into()))?;
        match (place::create_named(&name), wanted) {
            (Ok(file), _) => break (name, file),
            (Err(err), None) if err.kind() == io::ErrorKind::AlreadyExists => {}
            (Err(err), Some(_)) if err.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ShmError::Exists { name });
            }
            (Err(err), _) => {
                return Err(ShmError::os(format!("make shared memory {name:?}"))(err));
            }
        }
    };
    let stat = place::look(&file).map_err(ShmError::os("look at new shared memory"))?;
    let registration = Registration { name, identity: place::identity(&stat) };
    let line = track.then_some(Line::Own);
    let made = (|| {
        if track {
            tracker::register(&registration)?;
        }
        fill(&file, length)?;
        map(&file, size, &registration.name)
    })();
    match made {
        Ok(mapping) => Ok(SharedMemory::new(registration, file.into(), mapping, line)),
        Err(err) => {
            // It is ours, and of no use.
            let _ = place::remove_exactly(&registration.name, registration.identity);
            if track {
                tracker::unregister(&Line::Own, &registration);
            }
            Err(err)
        }
    }
}

/// Gives a new file its size, and all the memory for it.
fn fill(file: &OwnedFd, length: u64) -> Result<(), ShmError> {
    let sized = memfd::check_limit(length).and_then(|()| Ok(rustix::fs::ftruncate(file, length)?));
    sized.map_err(ShmError::os(format!("make shared memory of {length} bytes")))?;
    reserve(file, length, 0)
}

/// Puts memory behind `length` bytes of a file, of which `there` have some already.
fn reserve(file: &OwnedFd, length: u64, there: u64) -> Result<(), ShmError> {
    let reserved = memory::check(length.saturating_sub(there))
        .and_then(|()| memfd::reserve(file.as_fd(), 0, length));
    reserved.map_err(|source| match is_out_of_memory(&source) {
        true => place::no_space(length, source),
        false => ShmError::os("reserve shared memory")(source),
    })
}

fn map(file: &OwnedFd, size: usize, name: &str) -> Result<Mapping, ShmError> {
    Mapping::new(file, size)
        .map_err(ShmError::os(format!("map shared memory {name:?} of {size} bytes")))
}
