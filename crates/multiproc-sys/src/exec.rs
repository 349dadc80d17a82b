//! Starting a program from a descriptor or a path, with nothing inherited that was not named.
//!
//! The child is made by `clone(CLONE_VM | CLONE_VFORK)`: it shares our memory until it has executed the program, so the
//! cost does not grow with what the parent has touched, and a failure of any step is written straight into our memory
//! and becomes our error. There is never a half-started process.

#![expect(
    unsafe_code,
    reason = "clone(2) with shared memory, and what its child does until it executes"
)]

use std::{
    ffi::{CStr, CString},
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use rustix::process::Pid;

use crate::{
    attributes::{set_signal_mask, signal_mask},
    descriptors::close_on_exec_from,
    switch::{Feature, without},
};

/// The number under which the one inherited socket appears in the new program.
pub const SOCKET: RawFd = 3;

/// A program, and what it gets.
#[derive(Debug)]
pub struct Exec<'a> {
    /// The program.
    pub program: Program<'a>,
    /// Its arguments, the first being its name by custom.
    pub arguments: &'a [CString],
    /// Its environment, each `NAME=value`.
    pub environment: &'a [CString],
    /// The one descriptor it inherits besides the standard streams, as number [`SOCKET`].
    pub socket: BorrowedFd<'a>,
    /// Which signals are blocked when it begins.
    pub signals: Signals,
}

/// Which signals are blocked when a program begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// Those that are blocked in the calling thread.
    AsHere,
    /// All, for a program that sets the mask itself. Asking the system for the handler of each signal, of which none
    /// may run before the program begins, is then not needed; it costs more than all else that is done here.
    Blocked,
}

/// Where a program is found.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// In the file behind this descriptor, whatever has become of its name.
    Descriptor(BorrowedFd<'a>),
    /// At this path.
    Path(&'a CStr),
}

impl Exec<'_> {
    /// Starts the program; its standard input is the null device.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, `ENOMEM`, `EMFILE` where no process or pidfd can be made; what `execve(2)` reports for the program.
    /// After an error there is no process.
    pub fn start(&self) -> io::Result<(Pid, Option<OwnedFd>)> {
        let arguments = pointers(self.arguments);
        let environment = pointers(self.environment);
        let mut plan = Plan {
            program: match self.program {
                Program::Descriptor(fd) if !without(Feature::Execveat) => {
                    (fd.as_raw_fd(), ptr::null())
                }
                Program::Descriptor(_) => (-1, c"/proc/self/exe".as_ptr()),
                Program::Path(path) => (-1, path.as_ptr()),
            },
            arguments: arguments.as_ptr(),
            environment: environment.as_ptr(),
            socket: self.socket.as_raw_fd(),
            signal_mask: None,
            error: 0,
        };

        // No handler of ours may run in the child while it shares our memory.
        let mask = signal_mask();
        set_signal_mask(u64::MAX);
        plan.signal_mask = (self.signals == Signals::AsHere).then_some(mask);
        let result = clone_and_run(&mut plan);
        set_signal_mask(mask);

        let (pid, pidfd) = result?;
        if plan.error == 0 {
            return Ok((pid, pidfd));
        }
        while matches!(
            rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()),
            Err(rustix::io::Errno::INTR)
        ) {}
        Err(io::Error::from_raw_os_error(plan.error))
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// All that the child needs, prepared so that it neither allocates nor takes a lock.
struct Plan {
    program: (RawFd, *const libc::c_char),
    arguments: *const *const libc::c_char,
    environment: *const *const libc::c_char,
    socket: RawFd,
    /// What the program begins with; none if it is left as it is, with all blocked.
    signal_mask: Option<u64>,
    /// Written by the child when it fails, read by the parent after it has ended.
    error: libc::c_int,
}

const STACK: usize = 32 * 1024;

fn clone_and_run(plan: &mut Plan) -> io::Result<(Pid, Option<OwnedFd>)> {
    let mut stack: Vec<MaybeUninit<u128>> = Vec::with_capacity(STACK / size_of::<u128>());
    let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    if !without(Feature::Pidfd) {
        flags |= libc::CLONE_PIDFD;
    }
    loop {
        let mut pidfd: RawFd = -1;
        // SAFETY: `run` touches only `plan`, which outlives it: CLONE_VFORK suspends this thread until the child has
        // executed or ended. The stack is ours alone, aligned, and far larger than what `run` uses. All signals are
        // blocked, so no handler runs on it.
        let pid = unsafe {
            libc::clone(run, top.cast(), flags, ptr::from_mut(plan).cast(), &raw mut pidfd)
        };
        if pid >= 0 {
            let pid = Pid::from_raw(pid).expect("clone returned 0 to the parent");
            // SAFETY: The kernel has just installed the descriptor for us.
            let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
            return Ok((pid, pidfd));
        }
        let err = io::Error::last_os_error();
        if flags & libc::CLONE_PIDFD == 0 || err.raw_os_error() != Some(libc::EINVAL) {
            return Err(err);
        }
        // A kernel before 5.2.
        flags &= !libc::CLONE_PIDFD;
    }
}

/// What the child does, in our memory, on its own stack.
extern "C" fn run(plan: *mut libc::c_void) -> libc::c_int {
    let plan = plan.cast::<Plan>();
    // SAFETY: The parent passed its plan and is suspended.
    let plan = unsafe { &mut *plan };
    plan.error = prepare_and_execute(plan);
    127
}

/// Executes the program and does not return, or returns the error number of the step that failed.
fn prepare_and_execute(plan: &Plan) -> libc::c_int {
    let mut program = plan.program.0;
    if program == SOCKET {
        // SAFETY: Duplicates a descriptor.
        program = unsafe { libc::fcntl(program, libc::F_DUPFD_CLOEXEC, SOCKET + 1) };
        if program < 0 {
            return errno();
        }
    }
    let path = c"/dev/null".as_ptr();
    // The bare call: the library's is a point of cancellation, which concerns the parent's thread.
    // SAFETY: Opens a file; the path is a C string.
    let null = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, libc::O_RDONLY) };
    // It has no close-on-exec mark, in case it is number 0; any other number gets one below.
    // SAFETY: Copies a descriptor in a table that is the child's own.
    if null < 0 || unsafe { libc::dup2(null as RawFd, 0) } < 0 {
        return errno();
    }
    let placed = if plan.socket == SOCKET {
        // SAFETY: Clears the close-on-exec mark.
        unsafe { libc::fcntl(SOCKET, libc::F_SETFD, 0) }
    } else {
        // SAFETY: As above; the copy is not close-on-exec.
        unsafe { libc::dup2(plan.socket, SOCKET) }
    };
    if placed < 0 {
        return errno();
    }
    close_on_exec_from(SOCKET + 1);
    if let Some(mask) = plan.signal_mask {
        default_signal_handlers();
        set_signal_mask(mask);
    }
    if plan.program.1.is_null() {
        let empty = c"".as_ptr();
        // SAFETY: Both arrays end with a null pointer and hold C strings, as prepared by the parent.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                program,
                empty,
                plan.arguments,
                plan.environment,
                libc::AT_EMPTY_PATH,
            )
        };
        if !matches!(errno(), libc::ENOSYS | libc::EPERM) {
            return errno();
        }
        // SAFETY: As above. The name leads to what our own memory was loaded from.
        unsafe { libc::execve(c"/proc/self/exe".as_ptr(), plan.arguments, plan.environment) };
    } else {
        // SAFETY: As above.
        unsafe { libc::execve(plan.program.1, plan.arguments, plan.environment) };
    }
    errno()
}

/// Sets every caught signal to its default, because a handler would run in the parent's memory; ignored ones stay so.
fn default_signal_handlers() {
    for signal in 1..=64 {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: Reads the present action into a buffer of its type.
        if unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) } != 0 {
            continue;
        }
        // SAFETY: Plain data, written by the call.
        let mut action = unsafe { action.assume_init() };
        if action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN {
            action.sa_sigaction = libc::SIG_DFL;
            action.sa_flags = 0;
            // SAFETY: Sets the action in the child's own table: CLONE_SIGHAND was not asked for.
            unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
        }
    }
}

fn errno() -> libc::c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, os::fd::AsFd};

    use super::*;

    fn strings(list: &[&str]) -> Vec<CString> {
        list.iter().map(|item| CString::new(*item).unwrap()).collect()
    }

    #[test]
    fn program_gets_socket_and_environment_and_nothing_else() {
        let (ours, theirs) = crate::packet::pair().unwrap();
        let leak = rustix::io::fcntl_dupfd_cloexec(&ours, 60).unwrap();
        rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
        let script = "test \"$A\" = b && test ! -e /proc/self/fd/60 && test -S /proc/self/fd/3 && ! read line";
        let exec = Exec {
            program: Program::Path(c"/bin/sh"),
            arguments: &strings(&["sh", "-c", script]),
            environment: &strings(&["A=b"]),
            socket: theirs.as_fd(),
            signals: Signals::AsHere,
        };
        let (pid, _) = exec.start().unwrap();
        let status = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
            .unwrap()
            .unwrap()
            .1;
        assert_eq!(status.exit_status(), Some(0));
    }

    #[test]
    fn failing_step_is_an_error_and_leaves_no_process() {
        let (_ours, theirs) = crate::packet::pair().unwrap();
        let exec = Exec {
            program: Program::Path(c"/nonexistent/program"),
            arguments: &strings(&["x"]),
            environment: &[],
            socket: theirs.as_fd(),
            signals: Signals::Blocked,
        };
        assert_eq!(exec.start().unwrap_err().kind(), ErrorKind::NotFound);
    }
}
