//! Which threads this process has.

#![expect(unsafe_code, reason = "unshare(2) as a question, and the name of a thread")]

use std::{fs, io};

/// Returns true if the calling thread is known to be the only one.
///
/// `unshare(CLONE_THREAD)` succeeds, as a no-op, just for a process of one thread. Where a sandbox refuses the call,
/// the answer is false and [`others`] tells.
#[must_use]
pub fn is_alone() -> bool {
    // SAFETY: With this flag alone the call either does nothing or fails.
    unsafe { libc::unshare(libc::CLONE_THREAD) == 0 }
}

/// Returns true in the thread that the process began with, or that forked it.
#[must_use]
pub fn is_first() -> bool {
    rustix::thread::gettid() == rustix::process::getpid()
}

/// The number of the core that the calling thread runs on; by the time one looks at it, it may be another.
#[must_use]
pub fn core() -> usize {
    rustix::thread::sched_getcpu()
}

/// Bytes of a thread's name that the kernel keeps, the zero at the end included.
pub const NAME: usize = 16;

/// Names the calling thread, without allocating: a forked child may call it. The name ends at the first zero.
pub fn set_name(name: &[u8; NAME]) {
    // SAFETY: The kernel reads at most 16 bytes, and stops at a zero.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// The ids of all other threads of this process that can still run user code.
///
/// A thread that has been joined may be listed by the kernel for a moment longer; it is told by the flag that the
/// kernel sets when it begins to exit.
///
/// # Errors
///
/// What reading `/proc/self/task` reports.
pub fn others() -> io::Result<Vec<i32>> {
    let me = rustix::thread::gettid().as_raw_nonzero().get();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let name = entry?.file_name();
        let Some(tid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if tid != me && is_running(tid) {
            found.push(tid);
        }
    }
    Ok(found)
}

/// `PF_EXITING` of the kernel, bit of the ninth field of `stat`.
const EXITING: u64 = 0x4;

fn is_running(tid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/self/task/{tid}/stat")) else { return false };
    // The second field, in parentheses, may itself contain spaces and parentheses.
    let Some((_, fields)) = stat.rsplit_once(')') else { return true };
    let flags = fields.split_whitespace().nth(6).and_then(|flags| flags.parse::<u64>().ok());
    flags.is_none_or(|flags| flags & EXITING == 0)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_counts_until_it_is_joined() {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            let _ = stopped.recv();
        });
        let tid = told.recv().unwrap();
        assert!(!is_alone());
        assert!(others().unwrap().contains(&tid));
        drop(stop);
        thread.join().unwrap();
        assert!(!others().unwrap().contains(&tid), "a joined thread is on its way out");
    }
}
