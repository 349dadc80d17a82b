//! The world of the model checker: its atomics, a futex, and a kernel that finishes what a killed thread began.
//!
//! Nobody looks around by himself here, so that a wake-up that gets lost is a deadlock, which the checker reports.

#![expect(unsafe_code, reason = "lends bytes, and shows the checker who reads and writes them")]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr::{self, NonNull},
};

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, fence},
    },
};
use multiproc_shm::{SharedBytes, ShmError};
use multiproc_sys::primitive::Ordering::{self, Relaxed, SeqCst};

use super::super::{
    Refused, Ring,
    futex::Wake,
    layout::{Fields, WORD},
    lock::{OWNER, OWNER_DIED, WAITERS},
    moment::Moment,
    world::{Access, Atomic, Named, World},
};

/// A thread of the model.
#[derive(Default)]
struct Me {
    tid: Cell<u32>,
    /// After how many more steps it is killed.
    left: Cell<Option<usize>>,
    is_dead: Cell<bool>,
    /// The words that it is at, the latest last, by their addresses.
    pending: RefCell<Vec<usize>>,
}

loom::thread_local! {
    static ME: Me = Me::default();
}

/// Takes one step; false if the thread is dead, and does nothing any more.
fn step() -> bool {
    ME.with(|me| {
        if me.is_dead.get() {
            return false;
        }
        match me.left.get() {
            Some(0) => {
                me.is_dead.set(true);
                resume_unwind(Box::new("killed"))
            }
            left => me.left.set(left.map(|left| left - 1)),
        }
        true
    })
}

/// An atomic of the checker, which takes `SeqCst` for `AcqRel`: so such accesses have fences around them.
#[derive(Debug)]
pub(super) struct Checked<T>(T);

fn order<T>(ordering: Ordering, access: impl FnOnce() -> T) -> T {
    let is_total = ordering == SeqCst;
    if is_total {
        fence(SeqCst);
    }
    let result = access();
    if is_total {
        fence(SeqCst);
    }
    result
}

macro_rules! checked {
    ($atomic:ident, $number:ty) => {
        impl Atomic<$number> for Checked<loom::sync::atomic::$atomic> {
            fn load(&self, ordering: Ordering) -> $number {
                if step() { order(ordering, || self.0.load(ordering)) } else { 0 }
            }
            fn store(&self, value: $number, ordering: Ordering) {
                if step() {
                    order(ordering, || self.0.store(value, ordering));
                }
            }
            fn swap(&self, value: $number, ordering: Ordering) -> $number {
                if step() { order(ordering, || self.0.swap(value, ordering)) } else { 0 }
            }
            fn compare_exchange(
                &self,
                old: $number,
                new: $number,
                ok: Ordering,
                failed: Ordering,
            ) -> Result<$number, $number> {
                if !step() {
                    return Err(0);
                }
                order(ok, || self.0.compare_exchange(old, new, ok, failed))
            }
            fn fetch_add(&self, value: $number, ordering: Ordering) -> $number {
                if step() { order(ordering, || self.0.fetch_add(value, ordering)) } else { 0 }
            }
            fn fetch_and(&self, bits: $number, ordering: Ordering) -> $number {
                if step() { order(ordering, || self.0.fetch_and(bits, ordering)) } else { 0 }
            }
            fn fetch_or(&self, bits: $number, ordering: Ordering) -> $number {
                if step() { order(ordering, || self.0.fetch_or(bits, ordering)) } else { 0 }
            }
            fn fetch_max(&self, value: $number, ordering: Ordering) -> $number {
                if step() { order(ordering, || self.0.fetch_max(value, ordering)) } else { 0 }
            }
        }
    };
}

checked!(AtomicU32, u32);
checked!(AtomicU64, u64);

type Word = Checked<loom::sync::atomic::AtomicU32>;
type Wide = Checked<loom::sync::atomic::AtomicU64>;

/// One who sleeps, until it is woken.
#[derive(Default)]
struct Bed {
    is_woken: Mutex<bool>,
    bell: Condvar,
}

struct Sleeper {
    word: usize,
    kind: NonZeroU32,
    bed: Arc<Bed>,
}

/// What is shared in the model.
pub(super) struct Kernel {
    fields: Fields<Word, Wide>,
    /// The words among the records, by their places.
    words: Vec<Wide>,
    bytes: Box<[u64]>,
    /// One for each eight bytes, by which the checker knows who reads and writes them.
    accesses: Vec<UnsafeCell<()>>,
    event: AtomicBool,
    sleepers: Mutex<VecDeque<Sleeper>>,
}

// SAFETY: The bytes are accessed as views of shared memory, and that this is in order is what the checker looks at.
unsafe impl Sync for Kernel {}
// SAFETY: As for `Sync`.
unsafe impl Send for Kernel {}

fn address(word: &Word) -> usize {
    ptr::from_ref(word).addr()
}

impl Kernel {
    /// A ring of so many words, all of which have memory, for at most `bound` items.
    pub(super) fn ring(words: usize, bound: usize) -> Ring<Self> {
        let word = || Checked(loom::sync::atomic::AtomicU32::new(0));
        let wide = || Checked(loom::sync::atomic::AtomicU64::new(0));
        let kernel = Self {
            fields: Fields::of(word, wide),
            words: (0..words).map(|_| wide()).collect(),
            bytes: vec![0; words].into(),
            accesses: (0..words).map(|_| UnsafeCell::new(())).collect(),
            event: AtomicBool::new(false),
            sleepers: Mutex::new(VecDeque::new()),
        };
        kernel.fields.initialize(words * WORD, bound);
        kernel.fields.put.reserved.store((words * WORD) as u64, Relaxed);
        kernel.fields.put.high.store((words * WORD) as u64, Relaxed);
        Ring::of(kernel)
    }

    pub(super) fn is_announced(&self) -> bool {
        self.event.load(SeqCst)
    }

    fn wake_up(&self, word: usize, count: u32, kind: NonZeroU32) {
        let mut sleepers = self.sleepers.lock().unwrap();
        for _ in 0..count {
            let is_meant = |one: &Sleeper| one.word == word && one.kind.get() & kind.get() != 0;
            let found = sleepers.iter().position(is_meant);
            let Some(one) = found.and_then(|found| sleepers.remove(found)) else { return };
            *one.bed.is_woken.lock().unwrap() = true;
            one.bed.bell.notify_one();
        }
    }

    /// What the kernel does when a thread ends that was at `word`.
    fn finish(&self, tid: u32, word: &Word) {
        let anybody = NonZeroU32::MAX;
        let mut seen = word.0.load(SeqCst);
        while seen & OWNER == tid {
            let marked = seen & WAITERS | OWNER_DIED;
            match word.0.compare_exchange(seen, marked, SeqCst, SeqCst) {
                Ok(_) if seen & WAITERS != 0 => return self.wake_up(address(word), 1, anybody),
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
        if seen & OWNER == 0 {
            self.wake_up(address(word), 1, anybody);
        }
    }
}

/// Names the calling thread.
pub(super) fn name(tid: u32) {
    ME.with(|me| me.tid.set(tid));
}

/// Does something, and is killed after so many steps; false if it was over before that.
pub(super) fn killed_after(steps: usize, kernel: &Kernel, operation: impl FnOnce()) -> bool {
    ME.with(|me| me.left.set(Some(steps)));
    let is_killed = catch_unwind(AssertUnwindSafe(operation)).is_err();
    let (tid, word) = ME.with(|me| {
        me.left.set(None);
        (me.tid.get(), me.pending.borrow().last().copied())
    });
    if is_killed {
        let fields = &kernel.fields;
        let words = [fields.put.side.word(), fields.get.side.word(), &fields.tasks.bell];
        for own in words.into_iter().filter(|own| Some(address(own)) == word) {
            kernel.finish(tid, own);
        }
    }
    is_killed
}

/// An operation under way.
pub(super) struct Pending(u32);

impl Named for Pending {
    fn tid(&self) -> u32 {
        self.0
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        ME.with(|me| {
            if !me.is_dead.get() {
                me.pending.borrow_mut().pop();
            }
        });
    }
}

impl World for Kernel {
    type Word = Word;
    type Wide = Wide;
    type Pending<'a> = Pending;

    fn fields(&self) -> &Fields<Word, Wide> {
        &self.fields
    }

    fn capacity(&self) -> usize {
        self.words.len() * WORD
    }

    fn word(&self, offset: usize) -> Result<&Wide, Refused> {
        self.words.get(offset / WORD).ok_or(Refused::Damaged)
    }

    fn bytes(
        &self,
        offset: usize,
        length: usize,
        access: Access,
    ) -> Result<SharedBytes<'_>, Refused> {
        if self.capacity() < offset + length {
            return Err(Refused::Damaged);
        }
        if step() {
            for cell in &self.accesses[offset / WORD..(offset + length).div_ceil(WORD)] {
                match access {
                    Access::Read => cell.with(|_| ()),
                    Access::Write => cell.with_mut(|_| ()),
                }
            }
        }
        let start = NonNull::from(&self.bytes[..]).cast::<u8>();
        // SAFETY: Within the box, by the check.
        let place = unsafe { start.byte_add(offset) };
        // SAFETY: As above; nobody accesses it in another way, and threads of a model run one at a time.
        Ok(unsafe { SharedBytes::new(place, length) })
    }

    fn prefetch(&self, _: usize) {}

    fn reserve(&self, _: usize, _: usize) -> Result<(), ShmError> {
        Ok(())
    }

    fn release(&self, _: usize, _: usize) -> Result<(), ShmError> {
        Ok(())
    }

    fn announce(&self) {
        if step() {
            self.event.swap(true, SeqCst);
        }
    }

    fn clear(&self) {
        if step() {
            self.event.swap(false, SeqCst);
        }
    }

    fn begin<'a>(&'a self, word: &'a Word) -> Pending {
        ME.with(|me| {
            me.pending.borrow_mut().push(address(word));
            Pending(me.tid.get())
        })
    }

    fn wait(&self, word: &Word, expected: u32, kind: NonZeroU32, _: Moment) -> Wake {
        if !step() {
            return Wake::Retry;
        }
        let bed = Arc::new(Bed::default());
        {
            // As the kernel does: the look and the falling asleep are one step.
            let mut sleepers = self.sleepers.lock().unwrap();
            if word.0.load(SeqCst) != expected {
                return Wake::Retry;
            }
            sleepers.push_back(Sleeper { word: address(word), kind, bed: Arc::clone(&bed) });
        }
        let mut is_woken = bed.is_woken.lock().unwrap();
        while !*is_woken {
            is_woken = bed.bell.wait(is_woken).unwrap();
        }
        Wake::Woken
    }

    fn wake(&self, word: &Word, count: u32, kind: NonZeroU32) {
        if step() {
            self.wake_up(address(word), count, kind);
        }
    }

    fn is_alive(&self, _: u32) -> bool {
        true
    }

    fn core(&self) -> u32 {
        0
    }

    fn relax(&self) -> bool {
        false
    }

    fn give_way(&self) {
        loom::thread::yield_now();
    }

    fn fence(&self) {
        fence(SeqCst);
    }
}
