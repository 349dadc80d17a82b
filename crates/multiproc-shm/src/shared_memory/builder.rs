//! Shared memory, described before it is made or opened.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

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
        self.make(None, size, &[])
    }

    /// Makes a block of `size` zero bytes under this name, with or without a leading slash.
    ///
    /// # Errors
    ///
    /// [`ShmError::InvalidName`]; [`ShmError::Exists`] where there is one of this name, which is left as it is; and as
    /// [`create`](Self::create).
    pub fn create_named(self, name: &str, size: usize) -> Result<SharedMemory, ShmError> {
        self.make(Some(name), size, &[])
    }

    /// Makes a block that holds `contents`, before anybody can see it without them.
    pub(crate) fn create_holding(
        self,
        name: Option<&str>,
        contents: &[u8],
    ) -> Result<SharedMemory, ShmError> {
        self.make(name, contents.len(), contents)
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
        let mapping = map(&file, size)?;
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

    fn make(
        self,
        name: Option<&str>,
        size: usize,
        contents: &[u8],
    ) -> Result<SharedMemory, ShmError> {
        let name = name.map(place::check_name).transpose()?;
        check_size(size)?;
        if let Some(name) = name
            && place::identity_of(name).is_some()
        {
            return Err(ShmError::Exists { name: name.into() });
        }
        let plan = Plan { name, size, contents, track: self.track.unwrap_or(true) };
        let failed = ShmError::os(format!("make shared memory in {}", place::FOLDER));
        match place::create_unnamed().map_err(failed)? {
            Some(file) => plan.make_visible(file),
            None => plan.make_in_sight(),
        }
    }
}

/// A block that is to be made.
struct Plan<'a> {
    /// None for one that nobody has.
    name: Option<&'a str>,
    size: usize,
    /// What it begins with.
    contents: &'a [u8],
    track: bool,
}

impl Plan<'_> {
    /// Gives a file its name when the block is finished: nobody ever sees one that is not, and a process killed before
    /// leaves nothing.
    fn make_visible(&self, file: OwnedFd) -> Result<SharedMemory, ShmError> {
        let mapping = self.fill(&file)?;
        let identity = identity_of_new(&file)?;
        let registration = loop {
            let registration = Registration { name: self.next_name()?, identity };
            if self.track {
                // First, so that there is no moment at which the name exists and the tracker does not know it. Told too
                // much it does no harm: it removes a name only from the file that was registered with it.
                tracker::register(&registration)?;
            }
            let Err(err) = place::give_name(&file, &registration.name) else { break registration };
            if self.track {
                tracker::unregister(&Line::Own, &registration);
            }
            self.refused(registration.name, err)?;
        };
        Ok(SharedMemory::new(registration, file.into(), mapping, self.line()))
    }

    /// Makes a block as `shm_open` does, where files without a name are not to be had.
    fn make_in_sight(&self) -> Result<SharedMemory, ShmError> {
        let (name, file) = loop {
            let name = self.next_name()?;
            match place::create_named(&name) {
                Ok(file) => break (name, file),
                Err(err) => self.refused(name, err)?,
            }
        };
        let registration = Registration { name, identity: identity_of_new(&file)? };
        let registered = if self.track { tracker::register(&registration) } else { Ok(()) };
        match registered.and_then(|()| self.fill(&file)) {
            Ok(mapping) => Ok(SharedMemory::new(registration, file.into(), mapping, self.line())),
            Err(err) => {
                // It is ours, and of no use.
                let _ = place::remove_exactly(&registration.name, registration.identity);
                if self.track {
                    tracker::unregister(&Line::Own, &registration);
                }
                Err(err)
            }
        }
    }

    /// Gives a new file its size, all the memory for it, and its contents.
    fn fill(&self, file: &OwnedFd) -> Result<Mapping, ShmError> {
        let length = self.size as u64;
        let sized = memfd::check_limit(length);
        let sized = sized.and_then(|()| Ok(rustix::fs::ftruncate(file, length)?));
        sized.map_err(ShmError::os(format!("make shared memory of {length} bytes")))?;
        reserve(file, length, 0)?;
        let mapping = map(file, self.size)?;
        mapping.bytes().write(0, self.contents)?;
        Ok(mapping)
    }

    fn next_name(&self) -> Result<String, ShmError> {
        self.name.map_or_else(random_name, |name| Ok(name.into()))
    }

    /// An error unless another name is worth a try.
    fn refused(&self, name: String, source: io::Error) -> Result<(), ShmError> {
        match (source.kind(), self.name) {
            (io::ErrorKind::AlreadyExists, None) => Ok(()),
            (io::ErrorKind::AlreadyExists, Some(_)) => Err(ShmError::Exists { name }),
            _ => Err(ShmError::os(format!("give shared memory the name {name:?}"))(source)),
        }
    }

    fn line(&self) -> Option<Line> {
        self.track.then_some(Line::Own)
    }
}

fn identity_of_new(file: &OwnedFd) -> Result<place::Identity, ShmError> {
    let stat = place::look(file).map_err(ShmError::os("look at new shared memory"))?;
    Ok(place::identity(&stat))
}

/// Puts memory behind `length` bytes of a file, of which `there` have some already.
fn reserve(file: &OwnedFd, length: u64, there: u64) -> Result<(), ShmError> {
    // Looked at first, because a failure on the way leaves the folder full for others.
    let missing = length.saturating_sub(there);
    let reserved = place::check_room(missing)
        .and_then(|()| memory::check(missing))
        .and_then(|()| memfd::reserve(file.as_fd(), 0, length));
    reserved.map_err(|source| match is_out_of_memory(&source) {
        true => place::no_space(length, source),
        false => ShmError::os("reserve shared memory")(source),
    })
}

fn map(file: &OwnedFd, size: usize) -> Result<Mapping, ShmError> {
    Mapping::new(file, size).map_err(ShmError::os(format!("map shared memory of {size} bytes")))
}
