//! What a pool costs: its tasks, its life.

#![expect(unsafe_code, reason = "sums a block that nobody writes to")]

use std::{
    hint,
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use multiproc::{Context, Pool, partial, shared_memory::SharedMemory};

use super::{Case, Figures, median};
use crate::{Result, ours::Method, raw};

/// How many numbers are squared at once.
const MANY: i64 = 1_000_000;
/// How many tasks are small ones.
const SMALL: i64 = 50_000;
/// How many tasks are long ones, and about how long.
const LONG: u64 = 2_000;
const LONG_TAKES: Duration = Duration::from_millis(1);
/// How many bytes are a large argument.
const LARGE: usize = 100_000_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Squares of many numbers, in chunks of the default size.
    Map,
    /// The same, as plain data.
    Plain,
    /// The sum of a large block of shared memory, which a worker attaches to, and once more.
    Attach,
    /// Tasks of one number each.
    Single,
    /// The same, as they come.
    Unordered,
    /// One call after the other.
    Hot,
    /// One call a while after the other.
    Parked,
    /// Calls that are nothing but work.
    Cpu,
    /// A large value there and back.
    Bytes,
    /// The life of a pool.
    Life(Method),
}

/// Uses a pool of two.
pub(super) struct Pools {
    work: Work,
    pool: Option<Pool>,
    spins: u64,
    image: Option<raw::Image>,
    server: Option<raw::Server>,
    bytes: String,
    block: Option<SharedMemory>,
}

impl Pools {
    pub(super) fn new(work: Work) -> Result<Self> {
        // What is forked by the bare kernel has to be there before a pool has threads.
        let image = (work == Work::Life(Method::Spawn)).then(|| raw::Image::new("exit"));
        let server = (work == Work::Life(Method::Forkserver)).then(raw::Server::start);
        let spins = if work == Work::Cpu { calibrate() } else { 0 };
        let bytes = if work == Work::Bytes { "x".repeat(LARGE) } else { String::new() };
        let (image, server) = (image.transpose()?, server.transpose()?);
        let block = (work == Work::Attach).then(make_block).transpose()?;
        Ok(Self { work, pool: None, spins, image, server, bytes, block })
    }

    /// The pool of two, which a round ends with: the bare kernel's rounds must not have it beside them.
    fn pool(&mut self) -> Result<&Pool> {
        if self.pool.is_none() {
            let pool = Pool::builder().processes(2).context(Context::forkserver()).build()?;
            pool.map(square, 0..1000)?;
            self.pool = Some(pool);
        }
        Ok(self.pool.as_ref().ok_or("it was just made")?)
    }

    /// What the first sum takes, and the second.
    fn attach(&mut self) -> Result<Figures> {
        let block = self.block.clone().ok_or("it was made before")?;
        let pool = self.pool()?;
        let started = Instant::now();
        let first = pool.apply(attach_and_sum, (block,))?;
        let attached = started.elapsed();
        let started = Instant::now();
        let second = pool.apply(sum_again, ())?;
        let kept = started.elapsed();
        assert_eq!((first, second), (SUM, SUM));
        Ok(vec![attached.as_secs_f64() * 1e3, kept.as_secs_f64() * 1e3])
    }

    fn measure(&mut self) -> Result<f64> {
        let (work, spins) = (self.work, self.spins);
        if let Work::Life(method) = work {
            return lives(&method.context());
        }
        let bytes = std::mem::take(&mut self.bytes);
        let pool = self.pool()?;
        let started = Instant::now();
        let milliseconds = || started.elapsed().as_secs_f64() * 1e3;
        let figure = match work {
            Work::Map => {
                assert_eq!(pool.map(square, 0..MANY)?.len() as i64, MANY);
                milliseconds()
            }
            Work::Plain => {
                assert_eq!(pool.plain().map(square, 0..MANY)?.len() as i64, MANY);
                milliseconds()
            }
            Work::Single => {
                assert_eq!(pool.chunksize(1).map(square, 0..SMALL)?.len() as i64, SMALL);
                milliseconds()
            }
            Work::Unordered => {
                let count =
                    pool.imap_unordered(square, 0..SMALL).filter(|result| result.is_ok()).count();
                assert_eq!(count as i64, SMALL);
                milliseconds()
            }
            Work::Hot => {
                for x in 0..2_000 {
                    pool.apply(square, (x,))?;
                }
                milliseconds() * 1e3 / 2e3
            }
            Work::Parked => {
                let figures = (0..40).map(|x| {
                    sleep(Duration::from_millis(5));
                    let started = Instant::now();
                    pool.apply(square, (x,))?;
                    Ok(started.elapsed().as_secs_f64() * 1e6)
                });
                median(figures.collect::<Result<_>>()?)
            }
            Work::Cpu => {
                let each = Instant::now();
                let alone: u64 = (0..100).map(|x| burn(spins, x)).sum();
                hint::black_box(alone);
                let ideal = each.elapsed().as_secs_f64() * (LONG as f64 / 100.0) / 2.0;
                let started = Instant::now();
                pool.map(partial(burn, spins), 0..LONG)?;
                ideal / started.elapsed().as_secs_f64()
            }
            Work::Bytes => {
                let back = pool.apply(|bytes: String| bytes, (bytes,))?;
                let figure = milliseconds();
                assert_eq!(back.len(), LARGE);
                self.bytes = back;
                figure
            }
            Work::Life(_) | Work::Attach => return Err("that is measured elsewhere".into()),
        };
        Ok(figure)
    }
}

impl Case for Pools {
    fn ours(&mut self) -> Result<Figures> {
        let figures = match self.work {
            Work::Attach => self.attach(),
            _ => self.measure().map(|figure| vec![figure]),
        };
        self.pool = None;
        figures
    }

    fn limit(&mut self) -> Result<Figures> {
        let figure = match self.work {
            Work::Attach => return Ok(raw::map_and_sum(LARGE, SUM)?.to_vec()),
            Work::Map | Work::Plain => raw::squares(MANY as usize, 4096)?,
            Work::Single | Work::Unordered => raw::squares(SMALL as usize, 1)?,
            Work::Hot => raw::spinning_exchange(20_000)?,
            Work::Parked => median(raw::parked_exchange(40, || sleep(Duration::from_millis(5)))?),
            Work::Cpu => 1.0,
            Work::Bytes => raw::bytes_there_and_back(self.bytes.as_bytes())?,
            Work::Life(Method::Fork) => raw::forks(4)?,
            Work::Life(Method::Spawn) => {
                let image = self.image.as_mut().ok_or("it was made before")?;
                let started = Instant::now();
                (0..4).try_for_each(|_| image.vfork_and_wait())?;
                started.elapsed().as_secs_f64() * 1e3
            }
            Work::Life(Method::Forkserver) => {
                let server = self.server.as_ref().ok_or("it was made before")?;
                let started = Instant::now();
                (0..4).try_for_each(|_| server.request())?;
                started.elapsed().as_secs_f64() * 1e3
            }
        };
        Ok(vec![figure])
    }
}

/// The life of a pool of four that is used once; the median of some.
fn lives(context: &Context) -> Result<f64> {
    let life = || -> Result<f64> {
        let started = Instant::now();
        let pool = Pool::builder().processes(4).context(context.clone()).build()?;
        pool.apply(square, (3,))?;
        pool.close();
        pool.join()?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    // The first may also be the start of the fork server.
    life()?;
    Ok(median((0..15).map(|_| life()).collect::<Result<_>>()?))
}

/// What all the numbers of a block are together.
const SUM: u64 = 7 * (LARGE / 8) as u64;

/// A block of sevens.
fn make_block() -> Result<SharedMemory> {
    let block = SharedMemory::create(LARGE)?;
    let sevens = [7u64; 4096];
    for at in (0..LARGE).step_by(size_of_val(&sevens)) {
        let count = ((LARGE - at) / 8).min(sevens.len());
        block.buf().set_all(at, &sevens[..count])?;
    }
    block.unlink()?;
    Ok(block)
}

/// What a worker has attached to.
static ATTACHED: Mutex<Option<SharedMemory>> = Mutex::new(None);

fn attach_and_sum(block: SharedMemory) -> u64 {
    let sum = sum(&block);
    *ATTACHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(block);
    sum
}

fn sum_again() -> u64 {
    ATTACHED.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, sum)
}

fn sum(block: &SharedMemory) -> u64 {
    // SAFETY: Nobody writes to it any more.
    let bytes = unsafe { block.buf().as_slice() };
    raw::add_up(&bytes[..LARGE])
}

pub(super) fn square(x: i64) -> i64 {
    x.wrapping_mul(x)
}

/// Turns so many times, whatever `x` is.
fn burn(spins: u64, x: u64) -> u64 {
    (0..spins).fold(x, |sum, turn| hint::black_box(sum.wrapping_mul(31) ^ turn))
}

/// How many turns take about as long as a long task.
fn calibrate() -> u64 {
    let mut spins = 1_000;
    loop {
        let started = Instant::now();
        hint::black_box(burn(spins, 1));
        if started.elapsed() > LONG_TAKES {
            return spins;
        }
        spins += spins / 8;
    }
}
