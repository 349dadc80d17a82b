//! Awaiting that nobody else is in a turn.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{tasks::Place, turn::Turn};

/// Waits until it looks as if the turn could be taken.
///
/// It takes nothing, so that nothing is held while other tasks run; who loses the race waits again.
///
/// In a forked child, which has no such tasks, it waits for the child's own lock.
pub(crate) struct Freed<'a, T: Send> {
    turn: &'a Turn<T>,
    place: Place,
}

impl<'a, T: Send> Freed<'a, T> {
    pub(crate) fn new(turn: &'a Turn<T>) -> Self {
        Self { turn, place: Place::default() }
    }
}

impl<T: Send> Future for Freed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { turn, place } = self.get_mut();
        let lock = turn.lock();
        // A waker is somebody else's code, also where it is cloned or dropped: not under the lock.
        let waker = context.waker().clone();
        let mut waiting = lock.waiting();
        // Whoever releases between this look and the wait finds `waiting` locked, and so wakes us.
        if lock.look().is_some() {
            return Poll::Ready(());
        }
        let replaced = waiting.tasks.add(place, waker);
        drop(waiting);
        drop(replaced);
        Poll::Pending
    }
}

impl<T: Send> Drop for Freed<'_, T> {
    fn drop(&mut self) {
        let waker = self.turn.lock().waiting().tasks.remove(&self.place);
        // Not under the lock: a waker is somebody else's code.
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{Arc, Mutex, mpsc},
        task::{Wake, Waker},
        thread,
        time::Duration,
    };

    use multiproc_sys::primitive::{AtomicU32, Ordering};

    use super::*;
    use crate::patience::Patience;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn release_wakes_all_who_wait_and_none_who_gave_up() {
        let turn = Turn::new((), |_| unreachable!());
        let counts: [_; 3] = std::array::from_fn(|_| Arc::new(Count::default()));
        let [one, two, gone] = counts.each_ref().map(|count| Waker::from(count.clone()));
        let taken = turn.take(Patience::Endless);
        let mut first = pin!(Freed::new(&turn));
        let mut second = pin!(Freed::new(&turn));
        assert!(first.as_mut().poll(&mut Context::from_waker(&one)).is_pending());
        assert!(second.as_mut().poll(&mut Context::from_waker(&two)).is_pending());
        {
            let mut third = pin!(Freed::new(&turn));
            assert!(third.as_mut().poll(&mut Context::from_waker(&gone)).is_pending());
        }
        drop(taken);
        let woken = counts.map(|count| count.0.load(Ordering::Relaxed));
        assert_eq!(woken, [1, 1, 0]);
        assert!(first.as_mut().poll(&mut Context::from_waker(&one)).is_ready());
        assert!(second.as_mut().poll(&mut Context::from_waker(&two)).is_ready());
    }

    /// The waker of a task that keeps another one.
    struct Keeper(#[expect(dead_code, reason = "to be dropped")] Mutex<Freed<'static, ()>>);

    impl Wake for Keeper {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn waker_that_is_replaced_may_end_another_wait_at_the_same_turn() {
        let (done, watched) = mpsc::channel();
        thread::spawn(move || {
            let turn: &Turn<()> = Box::leak(Box::new(Turn::new((), |_| unreachable!())));
            let _taken = turn.take(Patience::Endless);
            let mut kept = Freed::new(turn);
            assert!(Pin::new(&mut kept).poll(&mut Context::from_waker(Waker::noop())).is_pending());
            let keeper = Waker::from(Arc::new(Keeper(Mutex::new(kept))));
            let mut freed = Freed::new(turn);
            assert!(Pin::new(&mut freed).poll(&mut Context::from_waker(&keeper)).is_pending());
            // The last one that is left of it is the turn's.
            drop(keeper);
            assert!(
                Pin::new(&mut freed).poll(&mut Context::from_waker(Waker::noop())).is_pending()
            );
            done.send(()).unwrap();
        });
        watched.recv_timeout(Duration::from_secs(60)).expect("it does not wait for itself");
    }
}
