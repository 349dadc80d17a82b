//! Random moments, without sleeping.

use std::hint::spin_loop;

/// A generator of random numbers: xorshift.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Begins a sequence of its own, and prints its seed for whoever has to look for a failure.
    pub fn new() -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let seed = now.as_nanos() as u64 | 1;
        println!("seed {seed}");
        Self(seed)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Lets a random time pass, between nothing and some hundred microseconds, short times being as likely as long ones.
    pub fn dither(&mut self) {
        let magnitude = self.below(16);
        for _ in 0..self.below(1 << magnitude) {
            spin_loop();
        }
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
