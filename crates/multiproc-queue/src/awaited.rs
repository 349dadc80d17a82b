//! The calls that wait for an item or for room, awaited: the feature `tokio`.

use std::{os::fd::AsFd, sync::Arc, time::Duration};

use multiproc_sys::readiness::{Ready, Registered, Side};
use tokio::time::timeout;

use crate::{
    GetError, PutError, Queue, Receiver, Sender, TryGetError, TryPutError,
    calls::{self, as_it_is, never_empty, never_full},
    codec::Code,
    port::{Failed, Overflow, Port},
    ring::Patience,
};

/// How often a task that waits looks whether anybody is left who could put.
const SLICE: Duration = Duration::from_millis(500);

async fn get<T, C: Code<T>>(port: &Port) -> Result<T, GetError> {
    let attempt = || calls::get::<T, C, _>(port, None, Patience::None, as_it_is);
    match attempt() {
        Ok(item) => return Ok(item),
        Err(TryGetError::Failed(err)) => return Err(err),
        Err(TryGetError::Empty) => {}
    }
    let ring = &port.core.ring;
    ring.watch();
    // A registration of its own for each task, which ends with it.
    let event = ring.as_fd().try_clone_to_owned().map_err(GetError::Os)?;
    let event = Registered::new(Arc::new(event), Side::Read).map_err(GetError::Os)?;
    let (mut ready, mut pause) = (None::<Ready<'_>>, FIRST_LOOK);
    loop {
        match attempt() {
            Ok(item) => return Ok(item),
            Err(TryGetError::Failed(err)) => return Err(err),
            Err(TryGetError::Empty) => {}
        }
        if !port.may_be_put_to_task() {
            // The last one may have put something before it went.
            return attempt().map_err(never_empty);
        }
        if ring.len() > 0 {
            // Another consumer is at it, or what it was about to do is not finished: there may be no further word of
            // this item, so the present one is not forgotten.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
            continue;
        }
        if let Some(mut ready) = ready.take() {
            ready.is_over();
        }
        pause = FIRST_LOOK;
        ready = match timeout(SLICE, event.ready()).await {
            Ok(ready) => Some(ready.map_err(GetError::Os)?),
            Err(_) => None,
        };
    }
}

/// A task that waits for room looks again after this, then after twice as long, up to the longest.
const FIRST_LOOK: Duration = Duration::from_micros(200);
const LONGEST_LOOK: Duration = Duration::from_millis(20);

async fn put<T, C: Code<T>>(port: &Port, value: T) -> Result<(), PutError<T>> {
    let overflow = Overflow::Usual(Patience::None);
    let value = match calls::put::<T, C, _>(port, value, overflow, as_it_is) {
        Ok(_) => return Ok(()),
        Err(TryPutError::Failed(err)) => return Err(err),
        Err(TryPutError::Full(back)) => back,
    };
    // Encoded once, however often it is tried.
    let parcel = match calls::pack::<T, C>(port, &value) {
        Ok(parcel) => parcel,
        Err(reason) => return Err(never_full(calls::put_error(value, reason))),
    };
    let (mut pause, mut since_asked) = (FIRST_LOOK, Duration::ZERO);
    loop {
        tokio::time::sleep(pause).await;
        since_asked += pause;
        pause = (pause * 2).min(LONGEST_LOOK);
        if port.is_closed() {
            return Err(PutError::Closed(value));
        }
        match port.put_parcel(&parcel, Patience::None) {
            Ok(_) => return Ok(()),
            Err(Failed::TimedOut) => {}
            Err(reason) => return Err(never_full(calls::put_error(value, reason))),
        }
        if SLICE <= since_asked {
            if !port.may_be_taken_from_task() {
                return Err(PutError::Abandoned(value));
            }
            since_asked = Duration::ZERO;
        }
    }
}

impl<T, C: Code<T>> Sender<T, C> {
    /// Awaits room for an item, and puts it; as [`Queue::put_async`].
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// # Panics
    ///
    /// Panics when it has to wait outside a tokio runtime, or in one without time.
    pub async fn put_async(&self, value: T) -> Result<(), PutError<T>> {
        put::<T, C>(self.port(), value).await
    }
}

impl<T, C: Code<T>> Queue<T, C> {
    /// Awaits room for an item, and puts it.
    ///
    /// Nobody is woken by room: while the queue is full the task looks again, first after 0.2 ms, later every 20 ms. A
    /// queue without bound takes the item at once. A future that is dropped has put nothing, and its item is dropped.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), but never [`PutError::Abandoned`]: another task may take by this very handle. A
    /// [`Sender`] learns that nobody can.
    ///
    /// # Panics
    ///
    /// Panics when it has to wait outside a tokio runtime, or in one without time.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let q = multiproc_queue::Queue::<u32>::bounded(1)?;
    /// q.put_async(1).await?;
    /// let (put, got) = tokio::join!(q.put_async(2), async { q.get() });
    /// put?;
    /// assert_eq!((got?, q.get_async().await?), (1, 2));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put_async(&self, value: T) -> Result<(), PutError<T>> {
        put::<T, C>(self.port(), value).await
    }

    /// Awaits an item, and takes it.
    ///
    /// A future that is dropped, as `tokio::time::timeout` does, has taken nothing.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), but never [`GetError::Abandoned`]: another task may put by this very handle. A [`Receiver`]
    /// learns that nobody can. And [`GetError::Os`] where there is no descriptor to wait by.
    ///
    /// # Panics
    ///
    /// Panics when it has to wait outside a tokio runtime, or in one without I/O or time.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let q = multiproc_queue::Queue::<u32>::new()?;
    /// let (item, ()) = tokio::join!(q.get_async(), async { q.put(7).unwrap() });
    /// assert_eq!(item?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_async(&self) -> Result<T, GetError> {
        get::<T, C>(self.port()).await
    }
}

impl<T, C: Code<T>> Receiver<T, C> {
    /// Awaits an item, and takes it; as [`Queue::get_async`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); and [`GetError::Os`] where there is no descriptor to wait by.
    ///
    /// # Panics
    ///
    /// Panics when it has to wait outside a tokio runtime, or in one without I/O or time.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (tx, rx) = multiproc_queue::Queue::<u32>::new()?.split();
    /// tx.put(7)?;
    /// assert_eq!(rx.get_async().await?, 7);
    /// drop(tx);
    /// assert!(rx.get_async().await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_async(&self) -> Result<T, GetError> {
        get::<T, C>(self.port()).await
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use multiproc_sys::primitive::{AtomicU32, Ordering::Relaxed};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::*;

    fn in_runtime<F: Future>(work: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn what_the_last_one_put_before_it_went_is_not_lost() {
        in_runtime(async {
            for round in 0..1000u32 {
                let (tx, rx) = Queue::<u32>::new().unwrap().split();
                let putter = thread::spawn(move || tx.put(round));
                assert_eq!(rx.get_async().await.unwrap(), round);
                putter.join().unwrap().unwrap();
                assert!(matches!(rx.get_async().await, Err(GetError::Abandoned)));
            }
        });
    }

    #[test]
    fn tasks_may_move_between_threads() {
        fn movable<F: Send>(_: F) {}
        let (q, (tx, rx)) = (Queue::<u32>::new().unwrap(), Queue::<u32>::new().unwrap().split());
        movable((q.get_async(), q.put_async(7)));
        movable((rx.get_async(), tx.put_async(7)));
    }

    #[test]
    fn a_task_waits_for_another_of_its_thread_and_handle() {
        in_runtime(async {
            // Where all wait, the clock goes on by itself: longer than it takes to ask whether anybody is left.
            tokio::time::pause();
            let long = 3 * SLICE;
            let q = Queue::<u32>::bounded(1).unwrap();
            let put = async {
                tokio::time::sleep(long).await;
                q.put(7).unwrap();
            };
            assert_eq!(tokio::join!(q.get_async(), put).0.unwrap(), 7);
            q.put(8).unwrap();
            let take = async {
                tokio::time::sleep(long).await;
                q.get().unwrap()
            };
            let (put, taken) = tokio::join!(q.put_async(9), take);
            put.unwrap();
            assert_eq!((taken, q.get().unwrap()), (8, 9));
        });
    }

    #[test]
    fn what_waits_for_room_is_encoded_once() {
        static TIMES: AtomicU32 = AtomicU32::new(0);
        struct Item;
        impl Serialize for Item {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                TIMES.fetch_add(1, Relaxed);
                // Beyond what a record holds.
                serializer.serialize_bytes(&vec![7; 9 << 20])
            }
        }
        impl<'de> Deserialize<'de> for Item {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Vec::<u8>::deserialize(deserializer).map(|_| Self)
            }
        }
        in_runtime(async {
            tokio::time::pause();
            let q = Queue::<Item>::bounded(1).unwrap();
            q.put(Item).unwrap();
            let take = async {
                tokio::time::sleep(SLICE).await;
                q.get().unwrap()
            };
            tokio::join!(q.put_async(Item), take).0.unwrap();
            q.get().unwrap();
        });
        assert_eq!(TIMES.load(Relaxed), 3, "for the look, and for all that followed");
    }

    #[test]
    fn halves_learn_that_nobody_is_left() {
        in_runtime(async {
            let (tx, rx) = Queue::<u32>::bounded(1).unwrap().split();
            tx.put(1).unwrap();
            let drop_it = async { drop(rx) };
            assert!(matches!(
                tokio::join!(tx.put_async(2), drop_it).0,
                Err(PutError::Abandoned(2))
            ));
            let (tx, rx) = Queue::<u32>::new().unwrap().split();
            let drop_it = async { drop(tx) };
            assert!(matches!(tokio::join!(rx.get_async(), drop_it).0, Err(GetError::Abandoned)));
        });
    }
}
