//! What `/proc` tells of processes and threads.

use std::fs;

/// What is read of one process, or of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// True if it will not run user code any more.
    pub(super) is_exiting: bool,
    /// When it was started, in ticks since the machine was.
    pub(super) start: u64,
    /// Where its stack began; 0 where one may not know.
    pub(super) stack: u64,
}

/// `PF_EXITING` of the kernel.
const EXITING: u64 = 0x4;

impl Stat {
    /// Of the process itself, or rather of its first thread.
    pub(super) fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field, in parentheses, may itself contain spaces and parentheses.
        let (_, fields) = text.rsplit_once(')')?;
        // The first of these is the third of proc(5).
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let is_over = matches!(fields.first(), Some(&"Z" | &"X"));
        Some(Self {
            is_exiting: is_over || number(9)? & EXITING != 0,
            start: number(22)?,
            stack: number(28)?,
        })
    }
}

/// True if no thread of a process will run user code any more; false if one may, or that cannot be told.
pub(super) fn all_exiting(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let mut seen = 0;
    for thread in threads {
        let Ok(thread) = thread else { return false };
        let text = fs::read_to_string(thread.path().join("stat"));
        // One that has gone meanwhile is gone.
        if text.is_ok_and(|text| Stat::parse(&text).is_none_or(|stat| !stat.is_exiting)) {
            return false;
        }
        seen += 1;
    }
    0 < seen
}

/// The pid namespace of this process, or 0 where that cannot be told.
pub(super) fn namespace() -> u64 {
    rustix::fs::stat("/proc/self/ns/pid").map_or(0, |stat| stat.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_names_are_read_past() {
        let text = "7 (a) b (c) Z 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0 0 0 0 99 0";
        assert_eq!(Stat::parse(text), Some(Stat { is_exiting: true, start: 4711, stack: 99 }));
        assert_eq!(Stat::parse("7 (a) R 1"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn this_process_runs() {
        let me = std::process::id().cast_signed();
        assert!(!Stat::of(me).unwrap().is_exiting && !all_exiting(me));
        assert!(Stat::of(i32::MAX).is_none() && !all_exiting(i32::MAX));
    }
}
