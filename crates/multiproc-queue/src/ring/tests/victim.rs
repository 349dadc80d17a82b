//! A process that is killed after a number of instructions, and threads that must go on when it is.

#![expect(unsafe_code, reason = "fork(2) and ptrace(2)")]

use std::{
    fs, ptr,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use multiproc_sys::primitive::{AtomicBool, AtomicU32, Ordering::SeqCst};

use super::{
    super::{layout::Fields, pending},
    Ring, WITHOUT_SLICES,
};

/// A forked process, stopped between two instructions.
pub(super) struct Victim {
    pid: libc::pid_t,
}

impl Victim {
    /// Forks a process that does `operation`, and stops it right before.
    pub(super) fn new(operation: impl FnOnce()) -> Self {
        // SAFETY: The child runs the operation, which takes no lock of this process, and leaves by `_exit`.
        match unsafe { libc::fork() } {
            -1 => panic!("{}", std::io::Error::last_os_error()),
            0 => {
                // What a process does once: ask who it is.
                drop(pending::begin(&AtomicU32::new(0)));
                // SAFETY: Asks to be traced by the parent.
                unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut::<u8>(), 0) };
                // SAFETY: Stops this process.
                unsafe { libc::raise(libc::SIGSTOP) };
                operation();
                // SAFETY: Ends the process.
                unsafe { libc::_exit(0) }
            }
            pid => {
                let victim = Self { pid };
                assert!(victim.is_stopped());
                victim
            }
        }
    }

    /// Runs one instruction; false if the process has ended.
    pub(super) fn step(&self) -> bool {
        // SAFETY: The child is ours and stopped.
        let stepped = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid, 0, 0) };
        assert_eq!(stepped, 0, "{}", std::io::Error::last_os_error());
        self.is_stopped()
    }

    fn is_stopped(&self) -> bool {
        let mut status = 0;
        // SAFETY: Waits for our child.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        assert_eq!(pid, self.pid);
        libc::WIFSTOPPED(status)
    }

    /// Kills it, and waits until it is gone.
    pub(super) fn kill(self) {
        // SAFETY: Our child, which has not been waited for.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        assert!(!self.is_stopped());
    }
}

/// A thread that does one thing after the other, and tells whether it is done or asleep.
pub(super) struct Helper {
    orders: Sender<Box<dyn FnOnce() + Send>>,
    is_busy: Arc<AtomicBool>,
    tid: u32,
}

impl Helper {
    pub(super) fn new() -> Self {
        let (orders, received): (_, Receiver<Box<dyn FnOnce() + Send>>) = channel();
        let (tell, told) = channel();
        let is_busy = Arc::new(AtomicBool::new(false));
        let busy = Arc::clone(&is_busy);
        thread::spawn(move || {
            WITHOUT_SLICES.set(true);
            tell.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()).unwrap();
            for order in received {
                order();
                busy.store(false, SeqCst);
            }
        });
        Self { orders, is_busy, tid: told.recv().unwrap() }
    }

    pub(super) fn start(&self, order: impl FnOnce() + Send + 'static) {
        self.is_busy.store(true, SeqCst);
        self.orders.send(Box::new(order)).unwrap();
    }

    pub(super) fn is_done(&self) -> bool {
        !self.is_busy.load(SeqCst)
    }

    /// Waits until it is done or asleep on a word of the ring.
    pub(super) fn settle(&self, ring: &Ring) {
        let start = ptr::from_ref(ring.fields()).addr();
        let words = start..start + size_of::<Fields>();
        while !self.is_done() {
            let call = fs::read_to_string(format!("/proc/self/task/{}/syscall", self.tid));
            let asleep_on = call.as_deref().ok().and_then(|call| {
                let word = call.strip_prefix(&format!("{} 0x", libc::SYS_futex))?;
                usize::from_str_radix(word.split(' ').next()?, 16).ok()
            });
            if asleep_on.is_some_and(|word| words.contains(&word)) {
                return;
            }
            thread::yield_now();
        }
    }

    /// Waits until it is done; the watchdog sees to it that it is.
    pub(super) fn finish(&self) {
        while !self.is_done() {
            thread::yield_now();
        }
    }
}
