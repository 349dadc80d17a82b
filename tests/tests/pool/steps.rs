//! SIGKILL after any number of a worker's instructions.

use std::{io, thread};

use multiproc::{AsyncResult, Context, Pool, TaskError};
use multiproc_tests::{TestResult, once, random::Random};

use crate::{pool, square};

once! { worker_killed_after_any_instruction_costs_what_it_had_begun }

/// At how many moments there are kills: others with each run, since a step takes as long as two changes of processes.
const KILLS: usize = 10;

fn worker_killed_after_any_instruction_costs_what_it_had_begun() -> TestResult {
    let pool = pool(&Context::forkserver(), 1)?;
    let all = kill_after(&pool, usize::MAX)?;
    let (mut random, part) = (Random::new(), all / KILLS);
    for kill in 0..KILLS {
        kill_after(&pool, part * kill + random.below(part.max(1) as u64) as usize)?;
    }
    Ok(())
}

/// Has a worker do two calls, and kills it after so many instructions, or at the end; returns how many they were.
fn kill_after(pool: &Pool, most: usize) -> Result<usize, Box<dyn std::error::Error>> {
    assert_eq!(pool.map(square, [7])?, [49], "there is a worker, and it knows the function");
    let pid = pool.stats().workers[0].pid.ok_or("it is a process")?;
    let traced = Traced::stop(pid.cast_signed())?;
    let results: Vec<_> = (0..2).map(|x| pool.apply_async(square, (x,))).collect();
    let is_over = || results.iter().all(AsyncResult::ready);
    let steps = (0..most).take_while(|_| traced.step(is_over)).count();
    drop(traced);
    let mut lost = 0;
    for (x, result) in (0..).zip(results) {
        match result.into_result() {
            Ok(value) => assert_eq!(value, square(x)),
            Err(TaskError::WorkerLost { signal: Some(9), .. }) => lost += 1,
            Err(err) => panic!("after {steps} instructions: {err}"),
        }
    }
    assert!(lost <= 1, "{lost} were lost after {steps} instructions");
    Ok(steps)
}

/// A process of ours that is stopped; dropped, it is killed.
struct Traced(libc::pid_t);

impl Traced {
    fn stop(pid: libc::pid_t) -> io::Result<Self> {
        for request in [libc::PTRACE_SEIZE, libc::PTRACE_INTERRUPT] {
            // SAFETY: Plain numbers.
            if unsafe { libc::ptrace(request, pid, 0, 0) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        let traced = Self(pid);
        while !traced.has_stopped() {
            thread::yield_now();
        }
        Ok(traced)
    }

    fn has_stopped(&self) -> bool {
        let mut status = 0;
        let flags = libc::__WALL | libc::WNOHANG;
        // SAFETY: Writes a number. The process lives, so nobody is reaped.
        let pid = unsafe { libc::waitpid(self.0, &raw mut status, flags) };
        pid == self.0 && libc::WIFSTOPPED(status)
    }

    /// Lets it run one instruction; false if that is a sleep and `is_over`.
    fn step(&self, is_over: impl Fn() -> bool) -> bool {
        // SAFETY: Plain numbers.
        unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.0, 0, 0) };
        loop {
            if self.has_stopped() {
                return true;
            }
            if is_over() {
                return false;
            }
            thread::yield_now();
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // SAFETY: Plain numbers; the pool has not reaped it.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }
}
