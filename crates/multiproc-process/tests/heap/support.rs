//! What the tests have in common.

use std::{
    alloc::Layout,
    io::{self, Write},
    process::{self, abort},
    sync::Once,
    thread,
    time::{Duration, Instant},
};

use multiproc_image::Function;
use multiproc_process::{Context, Failure, get_all_start_methods};
use multiproc_shm::Block;

/// How long all tests of the binary together may take before one counts as hung.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Ends the binary, should a test hang.
pub(crate) fn watchdog() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        thread::spawn(|| {
            let start = Instant::now();
            while start.elapsed() < PATIENCE {
                thread::sleep(PATIENCE / 100);
            }
            let _ = writeln!(io::stderr().lock(), "a test hangs: no run takes {PATIENCE:?}");
            abort();
        });
    });
}

/// A context of each start method, for a harness with threads that hold nothing the children need.
pub(crate) fn contexts() -> Vec<Context> {
    watchdog();
    get_all_start_methods()
        .into_iter()
        .map(|method| Context::from(method).allow_threads())
        .collect()
}

/// Runs `test` in a process of its own, with a heap of its own and one thread, once for each start method.
pub(crate) fn alone<F>(test: F)
where
    F: Function<(String,), Output = Result<(), Failure>> + Copy,
{
    for context in contexts() {
        let name = context.get_start_method().to_string();
        let process = Context::spawn().process().daemon(false).start(test, (name.clone(),));
        let result = process.unwrap().result().unwrap();
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

/// A block of `len` bytes.
pub(crate) fn block(len: usize) -> Block {
    Block::new(Layout::from_size_align(len, 8).unwrap()).unwrap()
}

/// Waits until `done`: the kernel lets go of a killed process's descriptors a little after it can be reaped.
#[track_caller]
pub(crate) fn eventually(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE / 4, "it never comes about");
        thread::yield_now();
    }
}

/// True where this run does without the ledger, so that nothing which was shared is used again.
pub(crate) fn is_without_locks() -> bool {
    use multiproc_sys::switch::{Feature, without};
    without(Feature::OfdLocks)
}

/// Random numbers: xorshift.
pub(crate) struct Random(u64);

impl Random {
    /// A sequence of its own for each process and each call.
    pub(crate) fn new() -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
        Self((now ^ (u64::from(process::id()) << 40)) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Lets a random time pass, short ones being as likely as long ones, up to a millisecond or so.
    pub(crate) fn dither(&mut self) {
        let magnitude = self.below(18);
        for _ in 0..self.below(1 << magnitude) {
            std::hint::spin_loop();
        }
    }
}

/// Writes `word` into the whole block.
pub(crate) fn mark(block: &Block, word: u64) {
    for offset in (0..block.len()).step_by(8) {
        block.bytes().set(offset, &word).unwrap();
    }
}

/// Fails if anything but `word` stands in the block: then somebody else has it too.
#[track_caller]
pub(crate) fn check(block: &Block, word: u64) {
    for offset in (0..block.len()).step_by(8) {
        assert_eq!(block.bytes().get::<u64>(offset).unwrap(), word, "a block is somebody else's");
    }
}
