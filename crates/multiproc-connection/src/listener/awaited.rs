//! Waiting for others to connect, awaited.

use std::time::Instant;

use multiproc_sys::readiness::Side;
use tokio::{task::coop::consume_budget, time};

use super::{
    Listener,
    reception::{Guest, Reception},
};
use crate::{
    AcceptError, Connection, TryAcceptError,
    awaited::{Attending, Freed},
    patience::Patience,
    turn::Turn,
};

/// What came of an attempt to accept without waiting.
enum Attempt {
    Accepted(Guest),
    /// Nobody is there: try again when the face is ready, or at that moment.
    Empty(Option<Instant>),
    /// Somebody else of this process accepts.
    Busy,
}

/// A task that awaits a client: its waiting is not time in which nobody accepts.
struct Accepting<'a> {
    attending: Attending<'a, Reception>,
    reception: &'a Turn<Reception>,
}

impl Drop for Accepting<'_> {
    fn drop(&mut self) {
        // Whoever has the reception leaves it later than we do.
        if self.attending.is_ours()
            && let Some(mut reception) = self.reception.take(Patience::None)
        {
            reception.leave();
        }
    }
}

impl Listener {
    /// Awaits what [`accept`](Self::accept) does, the handshakes included.
    ///
    /// Those who are within their handshake when the future is dropped stay there and are gone on
    /// with by the next call. Any number of tasks and threads may accept at the same time.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    ///
    /// # Panics
    ///
    /// Panics when it is awaited outside a tokio runtime, or in one without I/O or time.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::{Client, Connection, Listener};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = Listener::builder().bind()?;
    /// let client: Connection<u8> = Client::builder().connect_async(listener.address()).await?;
    /// let served: Connection<u8> = listener.accept_async().await?;
    /// client.send_async(&7).await?;
    /// assert_eq!(served.recv_async().await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn accept_async<S, R>(&self) -> Result<Connection<S, R>, AcceptError> {
        // As for receiving: so that a stream of clients leaves the other tasks their time.
        consume_budget().await;
        let mut accepting = None;
        loop {
            let moment = match self.attempt_accept()? {
                Attempt::Accepted(guest) => return Ok(self.connection(guest)),
                Attempt::Empty(moment) => moment,
                Attempt::Busy => {
                    Freed::new(&self.reception).await;
                    continue;
                }
            };
            // Only now: until that attempt nobody accepted, and that time is not the guests'.
            accepting.get_or_insert_with(|| Accepting {
                attending: Attending::new(&self.reception),
                reception: &self.reception,
            });
            let registered = self.readiness.register(self.face()?, Side::Read)?;
            let mut ready = match moment {
                None => registered.ready().await?,
                Some(moment) => {
                    match time::timeout_at(moment.into(), registered.ready()).await {
                        Ok(ready) => ready?,
                        // A guest has had its time, which the next attempt finds.
                        Err(_) => continue,
                    }
                }
            };
            match self.attempt_accept()? {
                Attempt::Accepted(guest) => return Ok(self.connection(guest)),
                Attempt::Empty(_) => ready.is_over(),
                Attempt::Busy => {}
            }
        }
    }

    fn attempt_accept(&self) -> Result<Attempt, AcceptError> {
        let Some(mut reception) = self.reception.take(Patience::None) else {
            return Ok(Attempt::Busy);
        };
        match self.receive(&mut reception, Patience::None) {
            Ok(guest) => Ok(Attempt::Accepted(guest)),
            Err(TryAcceptError::Accept(err)) => Err(err),
            Err(TryAcceptError::Empty) => Ok(Attempt::Empty(reception.next_moment())),
        }
    }
}

impl Reception {
    fn leave(&mut self) {
        self.left = Instant::now();
    }
}
