//! What a process has, compared before and after: descriptors, children, zombies.

use std::{process, thread};

use multiproc::Failure;

use crate::procfs;

/// What this process has at one moment.
#[derive(Debug)]
pub struct Ledger {
    descriptors: Vec<i32>,
    children: Vec<u32>,
    threads: usize,
}

impl Ledger {
    /// Takes down what there is.
    pub fn take() -> Self {
        let mut children = procfs::children_and_zombies_of(process::id());
        children.sort_unstable();
        Self { descriptors: procfs::open_descriptors(), children, threads: procfs::threads() }
    }

    /// An error unless there is now what there was then: no descriptor, child or zombie more, and none less.
    ///
    /// While there are more threads than there were, one of them may be reaping still: then it is not over yet.
    pub fn check(&self, after: &str) -> Result<(), Failure> {
        loop {
            let (is_over, outcome) = (procfs::threads() <= self.threads, self.compare(after));
            if is_over || outcome.is_ok() {
                return outcome;
            }
            thread::yield_now();
        }
    }

    fn compare(&self, after: &str) -> Result<(), Failure> {
        let now = Self::take();
        if now.descriptors != self.descriptors {
            let links: Vec<_> =
                (now.descriptors.iter().filter(|fd| !self.descriptors.contains(fd)))
                    .map(|fd| (fd, std::fs::read_link(format!("/proc/self/fd/{fd}"))))
                    .collect();
            return Err(Failure::new(format!(
                "descriptors after {after}: {:?}, before: {:?}; new: {links:?}",
                now.descriptors, self.descriptors
            )));
        }
        if now.children != self.children {
            let states: Vec<_> = now
                .children
                .iter()
                .map(|pid| (pid, procfs::comm(*pid), procfs::state(*pid)))
                .collect();
            return Err(Failure::new(format!(
                "children after {after}: {states:?}, before: {:?}",
                self.children
            )));
        }
        Ok(())
    }
}
