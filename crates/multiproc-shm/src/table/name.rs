//! The two packed forms of who a process is.

/// Entries of a table.
pub(super) const ENTRIES: usize = 1 << ENTRY_BITS;

const ENTRY_BITS: u32 = 12;
/// Of generations; addresses leave as many bits of 64 free.
pub(super) const GENERATION_BITS: u32 = 17;
const GENERATIONS: u32 = 1 << GENERATION_BITS;
const PID_BITS: u32 = 22;
const START_BITS: u32 = 25;
const _: () = assert!(PID_BITS + GENERATION_BITS + START_BITS == u64::BITS);

/// Set in every name, and in no thread id.
const NOT_A_THREAD: u32 = 1 << (ENTRY_BITS + GENERATION_BITS);

/// The name of a process in a lock word; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) u32);

impl Name {
    pub(super) fn new(entry: usize, generation: u32) -> Self {
        let entry = (entry % ENTRIES) as u32;
        Self(NOT_A_THREAD | ((generation % GENERATIONS) << ENTRY_BITS) | entry)
    }

    /// Always below [`ENTRIES`], whatever the word holds.
    pub(super) fn entry(self) -> usize {
        self.0 as usize % ENTRIES
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> ENTRY_BITS) % GENERATIONS
    }
}

/// Who has an entry; 0 where nobody ever had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim(pub(super) u64);

impl Claim {
    /// `start` is when the process was started, of which the low bits are kept.
    pub(super) fn new(pid: u32, start: u64, generation: u32) -> Self {
        let pid = u64::from(pid) % (1 << PID_BITS);
        let generation = u64::from(generation % GENERATIONS);
        let start = start % (1 << START_BITS);
        Self(pid | (generation << PID_BITS) | (start << (PID_BITS + GENERATION_BITS)))
    }

    pub(super) fn is_free(self) -> bool {
        self.pid() == 0
    }

    pub(super) fn pid(self) -> i32 {
        (self.0 % (1 << PID_BITS)) as i32
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> PID_BITS) as u32 % GENERATIONS
    }

    /// True if the low bits of `number` are this generation.
    pub(super) fn is_of(number: u64, generation: u32) -> bool {
        number as u32 % GENERATIONS == generation % GENERATIONS
    }

    /// True if a process that was started at `start` may be the one.
    pub(super) fn started_at(self, start: u64) -> bool {
        self.0 >> (PID_BITS + GENERATION_BITS) == start % (1 << START_BITS)
    }

    /// The claim of the next owner.
    pub(super) fn succeeded_by(self, pid: u32, start: u64) -> Self {
        Self::new(pid, start, self.generation() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        let name = Name::new(4095, GENERATIONS - 1);
        assert_eq!((name.entry(), name.generation()), (4095, GENERATIONS - 1));
        assert_eq!(name.0 >> 30, 0, "the kernel's two flags are free");
        assert!(1 << 22 < name.0 % (1 << 30), "no thread has this id");
        let claim = Claim::new((1 << PID_BITS) - 1, u64::MAX, GENERATIONS - 1);
        assert_eq!((claim.pid(), claim.generation()), ((1 << PID_BITS) - 1, GENERATIONS - 1));
        assert!(claim.started_at(u64::MAX) && !claim.started_at(0));
        assert_eq!(claim.succeeded_by(7, 0).generation(), 0, "generations begin anew");
        assert!(Claim(0).is_free() && !claim.is_free());
    }
}
