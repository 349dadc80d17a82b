//! Killing a process after a given number of its instructions.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A forked process that stops before and after what it is to be killed in.
#[derive(Debug)]
pub struct Victim {
    pid: libc::pid_t,
    over: bool,
    /// It has ended, and been waited for.
    is_gone: bool,
}

/// In the victim: marks the beginning or the end of what it is to be killed in.
pub fn mark() {
    // SAFETY: Stops this process, whose tracer lets it go on.
    unsafe { libc::raise(libc::SIGSTOP) };
}

impl Victim {
    /// Forks a process that runs `body`, which calls [`mark`] twice, and leaves it at the first mark.
    ///
    /// # Errors
    ///
    /// What fork(2) reports.
    pub fn fork(body: impl FnOnce()) -> io::Result<Self> {
        // SAFETY: The child runs only `body`, and leaves without returning.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                // SAFETY: Ends this process with the thread that forked it, which lives as long as the program.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                // SAFETY: Lets the parent trace this process.
                unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
                // A panic must not go on into the frames of the parent that this is a copy of.
                let code = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
                // SAFETY: Ends this process.
                unsafe { libc::_exit(code) }
            }
            pid => {
                let mut victim = Self { pid, over: false, is_gone: false };
                let status = victim.wait();
                assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGSTOP);
                Ok(victim)
            }
        }
    }

    /// Lets it run one instruction; false if it is at the second mark.
    pub fn step(&mut self) -> bool {
        if self.over {
            return false;
        }
        // SAFETY: The process is ours, traced and stopped.
        unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid, 0, 0) };
        let status = self.wait();
        assert!(libc::WIFSTOPPED(status), "it lives until it is killed: {status:x}");
        self.over = libc::WSTOPSIG(status) == libc::SIGSTOP;
        !self.over
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Kills it, and does not wait for it to be gone.
    pub fn kill(&self) {
        // SAFETY: The process is ours and not reaped.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
    }

    fn wait(&mut self) -> libc::c_int {
        let mut status = 0;
        loop {
            // SAFETY: Waits for our own child.
            let waited = unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) };
            let interrupted =
                waited == -1 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
            if !interrupted {
                self.is_gone = waited == -1 || libc::WIFSIGNALED(status) || libc::WIFEXITED(status);
                return status;
            }
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        while !self.is_gone {
            self.kill();
            self.wait();
        }
    }
}
