//! Items, one after the other.

use std::{fmt, marker::PhantomData};

use crate::{
    GetError, Postcard, TryGetError,
    calls::{self, as_it_is, never_empty},
    codec::Code,
    port::Port,
    ring::Patience,
};

/// Iterates over the items of a queue, waiting for each, until there will be none.
///
/// Made by [`Queue::iter`](crate::Queue::iter) and [`Receiver::iter`](crate::Receiver::iter).
#[must_use = "an iterator takes nothing until it is asked"]
pub struct Iter<'a, T, C = Postcard> {
    port: &'a Port,
    types: PhantomData<fn() -> (T, C)>,
}

impl<'a, T, C> Iter<'a, T, C> {
    pub(crate) fn new(port: &'a Port) -> Self {
        Self { port, types: PhantomData }
    }
}

impl<T, C: Code<T>> Iterator for Iter<'_, T, C> {
    type Item = Result<T, GetError>;

    fn next(&mut self) -> Option<Self::Item> {
        match calls::get::<T, C, _>(self.port, None, Patience::Endless, never_empty) {
            Err(GetError::ShutDown | GetError::Abandoned) => None,
            other => Some(other),
        }
    }
}

/// The items that are there, without waiting.
pub(crate) fn drain<T, C: Code<T>>(port: &Port) -> impl Iterator<Item = Result<T, GetError>> {
    std::iter::from_fn(|| match calls::get::<T, C, _>(port, None, Patience::None, as_it_is) {
        Ok(item) => Some(Ok(item)),
        Err(TryGetError::Empty | TryGetError::Failed(GetError::ShutDown)) => None,
        Err(TryGetError::Failed(err)) => Some(Err(err)),
    })
}

/// Iterates over the items of a queue up to one that equals a given one.
///
/// Made by [`Queue::iter_until`](crate::Queue::iter_until).
#[must_use = "an iterator takes nothing until it is asked"]
pub struct IterUntil<'a, T, C = Postcard> {
    items: Iter<'a, T, C>,
    /// None once it has come.
    stop: Option<T>,
}

impl<'a, T, C> IterUntil<'a, T, C> {
    pub(crate) fn new(items: Iter<'a, T, C>, stop: T) -> Self {
        Self { items, stop: Some(stop) }
    }
}

impl<T: PartialEq, C: Code<T>> Iterator for IterUntil<'_, T, C> {
    type Item = Result<T, GetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let stop = self.stop.as_ref()?;
        let next = self.items.next();
        if !matches!(&next, Some(item) if !item.as_ref().is_ok_and(|item| item == stop)) {
            self.stop = None;
            return None;
        }
        next
    }
}

impl<T, C> fmt::Debug for Iter<'_, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

impl<T, C> fmt::Debug for IterUntil<'_, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterUntil").finish_non_exhaustive()
    }
}
