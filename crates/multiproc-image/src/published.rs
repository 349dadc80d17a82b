//! A value that is replaced whole and read without a lock.
//!
//! For what is set a few times in the life of a program: what was replaced is leaked, because somebody may be reading it.
//! A fork in the middle of anything leaves the child with one value or the other.

#![expect(unsafe_code, reason = "hands out references to values that are never freed")]

use std::{fmt, ptr};

use multiproc_sys::primitive::{AtomicPtr, Ordering};

/// A value that is replaced whole and read without a lock; none at first.
pub struct Published<T: 'static> {
    // Invariant: null or a leaked box, which nobody changes.
    value: AtomicPtr<T>,
}

impl<T: Send + Sync> Published<T> {
    /// Makes an empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { value: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Returns the value.
    pub fn get(&self) -> Option<&'static T> {
        Self::at(self.value.load(Ordering::Acquire))
    }

    /// Replaces the value.
    pub fn set(&self, value: T) {
        self.value.store(Box::into_raw(Box::new(value)), Ordering::Release);
    }

    /// Replaces the value by what `change` makes of it, or leaves it where that makes none.
    ///
    /// Called again where another thread has replaced it meanwhile.
    pub fn update(&self, change: impl Fn(Option<&T>) -> Option<T>) {
        let mut before = self.value.load(Ordering::Acquire);
        while let Some(value) = change(Self::at(before)) {
            let after = Box::into_raw(Box::new(value));
            match self.value.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => before = now,
            }
            // SAFETY: Made above, and seen by nobody else.
            drop(unsafe { Box::from_raw(after) });
        }
    }

    fn at(value: *mut T) -> Option<&'static T> {
        // SAFETY: By the invariant.
        unsafe { value.as_ref() }
    }
}

impl<T: Send + Sync + Clone> Published<Vec<T>> {
    /// Adds `item` to a list, unless one that is the same is there.
    pub fn add(&self, item: T, is_same: impl Fn(&T) -> bool) {
        self.update(|items| {
            let items = items.map_or(&[][..], Vec::as_slice);
            if items.iter().any(&is_same) {
                return None;
            }
            Some(items.iter().cloned().chain([item.clone()]).collect())
        });
    }

    /// Returns the items of a list.
    pub fn items(&self) -> &'static [T] {
        self.get().map_or(&[], Vec::as_slice)
    }
}

impl<T: Send + Sync> Default for Published<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync + fmt::Debug> fmt::Debug for Published<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Published").field(&self.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_value_is_read() {
        let value = Published::new();
        assert_eq!(value.get(), None);
        value.set(1);
        let first = value.get();
        value.set(2);
        assert_eq!((first, value.get()), (Some(&1), Some(&2)));
    }

    #[test]
    fn no_item_is_lost_and_none_is_there_twice() {
        let list: Published<Vec<u32>> = Published::new();
        std::thread::scope(|scope| {
            for first in [0, 50] {
                let list = &list;
                scope.spawn(move || {
                    (first..first + 100).for_each(|item| list.add(item, |known| *known == item))
                });
            }
        });
        let mut items = list.items().to_vec();
        items.sort_unstable();
        assert_eq!(items, (0..150).collect::<Vec<_>>());
    }
}
