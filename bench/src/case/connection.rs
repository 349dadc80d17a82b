//! Messages to a child: there and back, and one way.

use super::{Case, Figures};
use crate::{
    Result,
    machine::{self, Seats},
    ours,
    raw::{self, Framing},
};

/// Sends a number there and back.
pub(super) struct Echo {
    there: usize,
    count: u32,
}

impl Echo {
    /// Takes this process's seat and prepares `count` numbers a round.
    pub(super) fn new(seats: Seats, count: u32) -> Result<Self> {
        Ok(Self { there: sit_down(seats)?, count })
    }
}

impl Case for Echo {
    fn ours(&mut self) -> Result<Figures> {
        let seconds = ours::echo(self.there, self.count)?;
        Ok(vec![seconds * 1e6 / f64::from(self.count)])
    }

    fn limit(&mut self) -> Result<Figures> {
        let seconds = raw::echo(self.there, self.count)?;
        Ok(vec![seconds * 1e6 / f64::from(self.count)])
    }
}

/// Sends messages one way.
pub(super) struct Flow {
    there: usize,
    length: usize,
    count: u32,
}

impl Flow {
    /// Takes this process's seat and prepares `count` messages of `length` bytes a round.
    pub(super) fn new(seats: Seats, length: usize, count: u32) -> Result<Self> {
        Ok(Self { there: sit_down(seats)?, length, count })
    }

    /// Up to a page, what counts is how many; above, how much.
    fn figures(&self, seconds: f64) -> Figures {
        let messages = f64::from(self.count) / seconds;
        let is_small = self.length < 4096;
        vec![if is_small { messages / 1e6 } else { messages * self.length as f64 / GIB }]
    }
}

impl Case for Flow {
    fn ours(&mut self) -> Result<Figures> {
        let seconds = ours::flow(self.there, self.length, self.count)?;
        Ok(self.figures(seconds))
    }

    fn limit(&mut self) -> Result<Figures> {
        let flow = |framing| raw::flow(framing, self.there, self.length, self.count);
        let seconds = if LARGE <= self.length {
            flow(Framing::Bulk)?
        } else {
            // The faster of two ways.
            flow(Framing::Packets)?.min(flow(Framing::Prefix)?)
        };
        Ok(self.figures(seconds))
    }
}

const GIB: f64 = (1u64 << 30) as f64;

/// From here on the limit is a stream with large buffers.
const LARGE: usize = 1 << 20;

/// Pins this process to its core, and returns the core for its children.
fn sit_down(seats: Seats) -> Result<usize> {
    let (here, there) = seats.choose(&machine::cores()?)?.ok_or("the plan names no seats")?;
    machine::pin_to(&[here])?;
    Ok(there)
}
