//! Files with one value each, of which there are only so many at a time.
//!
//! Each is a descriptor of this process, which the rest of the program wants, too. So at most an eighth of those that it
//! may have are taken: what is large beyond that stays in memory.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use multiproc_image::after_fork::ForkLocal;
use multiproc_sys::{
    memfd,
    primitive::{AtomicU64, Ordering::Relaxed},
};
use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};

/// How many places of this process are taken.
static TAKEN: ForkLocal<AtomicU64> = ForkLocal::new(|_| AtomicU64::new(0));

/// One of the descriptors that this process may have for values.
#[derive(Debug)]
pub(crate) struct Place(());

impl Place {
    /// Takes one; none if there is none.
    pub(crate) fn take() -> Option<Self> {
        let most = getrlimit(Resource::Nofile).current.map_or(u64::MAX, |all| all / 8);
        // Not one that is made and dropped where there is none: that would give back what was not taken.
        add(TAKEN.get(), most).then(|| Self(()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        subtract(TAKEN.get());
    }
}

/// A sealed file that holds one value, and counts as long as it is open.
#[derive(Debug)]
pub(crate) struct ValueFile {
    file: OwnedFd,
    _place: Option<Place>,
}

impl ValueFile {
    /// Puts bytes into a file; none if there are too many such files.
    pub(crate) fn of(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(place) = Place::take() else { return Ok(None) };
        let file = unless_exhausted(memfd::seal(bytes))?;
        Ok(file.map(|file| Self::new(file, Some(place))))
    }

    /// A file that came from elsewhere, or was filled here.
    pub(crate) fn new(file: OwnedFd, place: Option<Place>) -> Self {
        Self { file, _place: place }
    }
}

impl AsFd for ValueFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A file that is being filled; none where no descriptor is left for it.
pub(crate) fn fill() -> io::Result<Option<(memfd::Filling, Place)>> {
    let Some(place) = Place::take() else { return Ok(None) };
    Ok(unless_exhausted(memfd::Filling::new())?.map(|file| (file, place)))
}

/// None where descriptors have run out.
fn unless_exhausted<T>(file: io::Result<T>) -> io::Result<Option<T>> {
    match file {
        Err(err)
            if [Some(Errno::MFILE), Some(Errno::NFILE)].contains(&Errno::from_io_error(&err)) =>
        {
            Ok(None)
        }
        file => file.map(Some),
    }
}

/// Counts one more, unless there are as many as may be.
fn add(taken: &AtomicU64, most: u64) -> bool {
    taken.fetch_update(Relaxed, Relaxed, |taken| (taken < most).then(|| taken + 1)).is_ok()
}

/// Counts one less, unless there is none.
fn subtract(taken: &AtomicU64) {
    let _ = taken.fetch_update(Relaxed, Relaxed, |taken| taken.checked_sub(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let taken = AtomicU64::new(0);
        assert!(add(&taken, 2) && add(&taken, 2) && !add(&taken, 2));
        subtract(&taken);
        assert!(add(&taken, 2) && !add(&taken, 2));
        // What a forked child has of its parent was not counted in it.
        (0..3).for_each(|_| subtract(&taken));
        assert!(add(&taken, 1) && !add(&taken, 1));
    }

    #[test]
    fn only_a_lack_of_descriptors_leaves_a_value_in_memory() {
        let fail = |errno: Errno| unless_exhausted::<()>(Err(errno.into()));
        assert!(matches!((fail(Errno::MFILE), fail(Errno::NFILE)), (Ok(None), Ok(None))));
        assert!(fail(Errno::NOSPC).is_err());
    }
}
