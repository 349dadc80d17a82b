//! Looking again for a moment before one sleeps.
//!
//! Where a request is answered in a few microseconds, most of the time of a call is that of two threads being put to sleep
//! and woken again. So both sides look for a moment whether there is something, and let others run between looks. That
//! is in vain where the other side takes longer, and harmful where the cores are busy: who sleeps is let run at
//! once when woken, who has given way waits for its turn. So after a few looks in vain none is made for a while, and
//! for twice as long after each further one.

use std::time::Duration;

/// How long to look: about as long as it takes to fall asleep and be woken on a core that has halted meanwhile.
pub(crate) const LOOK: Duration = Duration::from_micros(50);

/// How often one sleeps at most before one looks again.
const MOST: u32 = 256;

/// What a penalty has to come to before it is felt: where many share the cores, a look now and then is in vain.
const FORGIVEN: u32 = 16;

/// Whether it has been worth while to look.
#[derive(Debug)]
pub(crate) struct Eager {
    /// How often to sleep before the next look.
    rest: u32,
    /// Doubled by each look in vain, halved by each other.
    penalty: u32,
}

impl Eager {
    pub(crate) const fn new() -> Self {
        Self { rest: 0, penalty: 0 }
    }

    /// Returns whether to look before sleeping this time.
    pub(crate) fn is_due(&mut self) -> bool {
        let due = self.rest == 0;
        self.rest = self.rest.saturating_sub(1);
        due
    }

    /// Tells what came of a look: whether there was something in time.
    pub(crate) fn looked(&mut self, found: bool) {
        if found {
            self.penalty /= 2;
        } else {
            self.penalty = (2 * self.penalty).clamp(1, FORGIVEN * MOST);
        }
        self.rest = self.penalty / FORGIVEN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many sleeps begin with a look that comes to this.
    fn looks(eager: &mut Eager, sleeps: u32, found: bool) -> u32 {
        (0..sleeps)
            .filter(|_| {
                let due = eager.is_due();
                if due {
                    eager.looked(found);
                }
                due
            })
            .count() as u32
    }

    #[test]
    fn looking_in_vain_is_given_up_and_tried_again() {
        let mut eager = Eager::new();
        assert_eq!(looks(&mut eager, 100, true), 100);
        assert!(looks(&mut eager, 10 * MOST, false) < 30);
        assert!(0 < looks(&mut eager, MOST + 1, false));
        looks(&mut eager, 3 * MOST, true);
        assert_eq!(looks(&mut eager, 100, true), 100);
    }
}
