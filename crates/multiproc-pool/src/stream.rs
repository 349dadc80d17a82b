//! Results as a stream, for those who await them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::{Imap, TaskError};

/// The same results, awaited. The items are taken by whoever polls.
impl<I: Iterator<Item: Unpin> + Unpin, R: Unpin> Stream for Imap<'_, I, R> {
    type Item = Result<R, TaskError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(next) = this.step() {
            return Poll::Ready(next);
        }
        if !this.wake(context.waker()) {
            // In a forked child nobody ever comes.
            this.end(TaskError::NotRunning);
            return Poll::Ready(this.step().flatten());
        }
        // What has come before the waker was there wakes nobody.
        match this.step() {
            Some(next) => Poll::Ready(next),
            None => Poll::Pending,
        }
    }
}
