//! The world of a process: words in shared memory, futexes, the process table.

use multiproc_shm as shm;
use multiproc_sys::{
    futex::{self, Wake},
    pending::{self, Pending},
    primitive::{AtomicU32, AtomicU64, Ordering},
    threads,
};

use super::{
    patience::Patience,
    world::{Attention, Life, Sleep, World},
};
use crate::place::Place;

impl World for Place {
    type Word = AtomicU32;
    type Wide = AtomicU64;
    type Owed<'a> = Pending<'a>;

    #[inline]
    fn owe<'a>(&'a self, word: &'a AtomicU32) -> Pending<'a> {
        pending::pend(word)
    }

    fn wake(&self, word: &AtomicU32, most: u32) -> u32 {
        futex::wake(word, most)
    }

    fn move_one(&self, from: &AtomicU32, expected: u32, to: &AtomicU32) -> bool {
        futex::move_one(from, expected, to)
    }

    #[cold]
    fn sleep(
        &self,
        words: &[(&AtomicU32, u32)],
        holder: Option<(&AtomicU64, u32)>,
        attention: &Attention<'_, AtomicU32>,
        patience: &mut Patience,
    ) -> Sleep {
        let often = matches!(attention, Attention::Often) || !self.table().is_watched();
        let (end, is_last) = patience.next(often);
        let mut all = [(futex::Word::from(words[0].0), words[0].1); 4];
        let mut count = 0;
        let mut add = |word, value| {
            all[count] = (word, value);
            count += 1;
        };
        for (word, value) in words {
            add((*word).into(), *value);
        }
        if let Some((word, name)) = holder {
            add(futex::Word::low_half_of(word), name);
        }
        if let Attention::Watch(word, value) = attention {
            add((*word).into(), *value);
        }
        let several = if count == 1 { None } else { futex::wait_for_any(&all[..count], Some(end)) };
        let wake = several.unwrap_or_else(|| {
            // One word alone, so what the others would tell has to be looked for.
            let (end, _) = if count == 1 { (end, is_last) } else { patience.next(true) };
            futex::wait(words[0].0, words[0].1, Some(end))
        });
        if let Attention::Watch(word, value) = attention
            && word.load(Ordering::Relaxed) != *value
        {
            // The kernel has woken one who watches that process, us perhaps; the others may be here for other objects.
            futex::wake(word, i32::MAX.unsigned_abs());
        }
        match wake {
            Wake::Retry => Sleep::Woken,
            Wake::Beside => Sleep::Beside,
            Wake::TimedOut if is_last && patience.is_over() => Sleep::Over,
            Wake::TimedOut => {
                patience.lengthen(often || (1 < count && several.is_none()));
                Sleep::Look
            }
        }
    }

    fn life(&self, name: u32) -> Life<'_, AtomicU32> {
        match self.table().life(name) {
            shm::Life::Watched(watch) => Life::Watched(watch.word, watch.value),
            shm::Life::Unwatched => Life::Unwatched,
            shm::Life::Dead => Life::Dead,
        }
    }

    fn is_abandoned(&self) -> bool {
        self.has_one_handle() && !self.has_other_threads() && !self.is_held_elsewhere()
    }

    #[inline]
    fn core(&self) -> u32 {
        threads::core() as u32 + 1
    }

    #[inline]
    fn relax(&self) -> bool {
        std::hint::spin_loop();
        true
    }
}

impl Place {
    /// True if another thread of this process may have a reference to the same handle.
    fn has_other_threads(&self) -> bool {
        if threads::is_alone() {
            return false;
        }
        let keeper = self.table().keeper().map(u32::cast_signed);
        let others = threads::others();
        !others.is_ok_and(|others| others.iter().all(|thread| Some(*thread) == keeper))
    }
}
