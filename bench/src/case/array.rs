//! Arrays in shared memory, beside those in memory of one's own.

use std::{hint::black_box, time::Instant};

use multiproc::{Array, RawArray};

use super::{Case, Figures};
use crate::{Result, raw};

/// Sums an array item by item, and copies one as a whole.
pub(super) struct Arrays {
    guarded: Array<i64>,
    raw: RawArray<i64>,
    own: Vec<i64>,
    buffer: Vec<i64>,
}

/// How often a round goes through the items.
const TIMES: usize = 20;

impl Arrays {
    /// Prepares so many items.
    pub(super) fn new(len: usize) -> Result<Self> {
        let own: Vec<i64> = (0..len as i64).collect();
        let (guarded, raw) = (Array::from_slice(&own)?, RawArray::from_slice(&own)?);
        Ok(Self { guarded, raw, buffer: vec![0; len], own })
    }
}

impl Case for Arrays {
    fn ours(&mut self) -> Result<Figures> {
        let len = self.own.len();
        let guard = self.guarded.lock()?;
        let guard = black_box(&guard);
        let sum = nanoseconds(len, || {
            let mut sum = 0i64;
            for at in 0..guard.len() {
                sum = sum.wrapping_add(guard[at]);
            }
            black_box(sum);
        });
        let (raw, buffer) = (black_box(&self.raw), &mut self.buffer);
        let copy = nanoseconds(len, || {
            // There are as many.
            let _ = raw.read(0, black_box(buffer));
        });
        Ok(vec![sum, copy])
    }

    fn limit(&mut self) -> Result<Figures> {
        let len = self.own.len();
        let sum = nanoseconds(len, || {
            black_box(raw::sum(black_box(&self.own)));
        });
        let copy =
            nanoseconds(len, || raw::copy(black_box(&self.own), black_box(&mut self.buffer)));
        Ok(vec![sum, copy])
    }
}

/// What the fastest of several runs of `f` takes, for each of `len` items.
fn nanoseconds(len: usize, mut f: impl FnMut()) -> f64 {
    let run = |_| {
        let started = Instant::now();
        f();
        started.elapsed().as_secs_f64() * 1e9 / len as f64
    };
    (0..TIMES).map(run).fold(f64::INFINITY, f64::min)
}
