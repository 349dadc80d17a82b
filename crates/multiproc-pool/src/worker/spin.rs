//! Looking again and again for a short while, before a sleep that costs more than it.

use std::{
    hint, thread,
    time::{Duration, Instant},
};

/// How long: about what it takes until somebody who sleeps on another core is awake and has answered.
const LONGEST: Duration = Duration::from_micros(50);
/// How many looks there are from one look at the clock to the next.
const LOOKS: u32 = 32;
/// How often in a row it may be in vain before it is given up.
const PATIENCE: u32 = 4;
/// When it was given up, every so many waits it is tried again.
const PAUSE: u32 = 32;

/// Whether spinning has been worth its while.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    in_vain: u32,
}

impl Spin {
    /// Looks until `is_due` or it is time to sleep; true if it is due.
    pub(crate) fn until(&mut self, mut is_due: impl FnMut() -> bool) -> bool {
        self.in_vain += 1;
        if self.in_vain > PATIENCE && !self.in_vain.is_multiple_of(PAUSE) {
            return false;
        }
        let started = Instant::now();
        loop {
            for _ in 0..LOOKS {
                if is_due() {
                    self.in_vain = 0;
                    return true;
                }
                hint::spin_loop();
            }
            if started.elapsed() >= LONGEST {
                return false;
            }
            // If somebody else wants this core, he has more to do than we.
            thread::yield_now();
        }
    }
}
