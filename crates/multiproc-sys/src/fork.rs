//! Fork, and fork as a sibling.

#![expect(unsafe_code, reason = "fork(2) and clone(2)")]

use std::{io, ptr};

use rustix::process::Pid;

use crate::switch::{Feature, without};

/// On which side of a fork this is.
#[derive(Debug)]
pub enum Forked {
    /// In the process that forked: the child's pid.
    Parent(Pid),
    /// In the new process.
    Child,
}

/// Copies this process by the C library's `fork`, which runs the handlers of `pthread_atfork`.
///
/// # Errors
///
/// `EAGAIN`, `ENOMEM`.
///
/// # Safety
///
/// In the child only the calling thread exists. The caller sees to it that the child never needs what another thread
/// holds (a lock, a half-written structure), and never returns into frames that the parent will run too.
pub unsafe fn fork() -> io::Result<Forked> {
    // SAFETY: By the contract of this function.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(child(pid))),
    }
}

/// Copies this single-threaded process so that the copy is a child of *this process's parent*, which can wait for it.
///
/// The C library offers no such fork, so this is the bare system call with what the library's own does for the thread:
/// the copy gets a robust list (a bare clone has none) and its thread id where the library caches it.
///
/// # Errors
///
/// `EAGAIN`, `ENOMEM`; `Unsupported` where the kernel cannot tell what the library needs, or a sandbox forbids it.
///
/// # Safety
///
/// As [`fork`], and the process has one thread. Handlers of `pthread_atfork` do not run.
pub unsafe fn fork_sibling() -> io::Result<Forked> {
    let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
    // Only of the GNU library is it known that the word it registers is its copy of the thread id.
    if without(Feature::CloneParent) || cfg!(not(target_env = "gnu")) {
        return Err(unsupported());
    }
    let mut tid_address: *mut libc::pid_t = ptr::null_mut();
    // SAFETY: Stores a pointer into `tid_address`: the word that the library had registered with `set_tid_address`.
    let known = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut tid_address) };
    let (mut head, mut length) = (ptr::null_mut::<libc::c_void>(), 0usize);
    // SAFETY: Stores this thread's list head and its size into the two variables.
    let listed =
        unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length) };
    if known != 0 || tid_address.is_null() || listed != 0 {
        return Err(unsupported());
    }

    let flags = libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
    // SAFETY: Without CLONE_VM this is a fork: by the contract of this function. The library's own word for the thread
    // id is writable.
    let pid = unsafe { raw_clone(flags, tid_address) };
    match pid {
        -1 => match io::Error::last_os_error() {
            err if matches!(
                err.raw_os_error(),
                Some(libc::ENOSYS | libc::EPERM | libc::EINVAL)
            ) =>
            {
                Err(unsupported())
            }
            err => Err(err),
        },
        0 => {
            if !head.is_null() {
                // What the list names is held by the thread that was copied, not by this one: the first field, of the
                // head as of an empty list, points to the head itself.
                // SAFETY: The head is the copy of the one that the library had registered; nobody else uses it.
                unsafe { head.cast::<*mut libc::c_void>().write(head) };
                // SAFETY: As above.
                unsafe { libc::syscall(libc::SYS_set_robust_list, head, length) };
            }
            Ok(Forked::Child)
        }
        pid => Ok(Forked::Parent(child(pid))),
    }
}

/// The system call, whose argument order is the architecture's.
#[cfg(target_arch = "x86_64")]
unsafe fn raw_clone(flags: libc::c_int, tid: *mut libc::pid_t) -> libc::pid_t {
    let (stack, unused) = (0usize, 0usize);
    // SAFETY: By the contract of the caller.
    unsafe {
        libc::syscall(libc::SYS_clone, libc::c_long::from(flags), stack, unused, tid, 0usize)
            as libc::pid_t
    }
}

/// The system call, whose argument order is the architecture's.
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
unsafe fn raw_clone(flags: libc::c_int, tid: *mut libc::pid_t) -> libc::pid_t {
    let (stack, unused) = (0usize, 0usize);
    // SAFETY: By the contract of the caller.
    unsafe {
        libc::syscall(libc::SYS_clone, libc::c_long::from(flags), stack, unused, 0usize, tid)
            as libc::pid_t
    }
}

/// Where the argument order is not known for certain, the call is not made; the caller has another way.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
unsafe fn raw_clone(_: libc::c_int, _: *mut libc::pid_t) -> libc::pid_t {
    // SAFETY: No such call exists; it sets the error number and does nothing.
    unsafe { libc::syscall(-1) as libc::pid_t }
}

/// Ends this process at once: no exit handlers, no flushing of the C library's streams.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: Ends the process.
    unsafe { libc::_exit(code) }
}

/// Registers handlers for every `fork` of the C library, whoever calls it: before it, and after it on either side.
///
/// The one for the parent also runs where the fork has failed.
///
/// # Errors
///
/// `ENOMEM`.
pub fn at_fork(
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
) -> io::Result<()> {
    // SAFETY: The handlers are functions of this image, never unloaded.
    match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Registers `handler` to be run when this process exits by `exit` or by the return of `main`.
///
/// # Errors
///
/// `ENOMEM`.
pub fn at_exit(handler: extern "C" fn()) -> io::Result<()> {
    // SAFETY: The handler is a function of this image, never unloaded.
    match unsafe { libc::atexit(handler) } {
        0 => Ok(()),
        _ => Err(io::ErrorKind::OutOfMemory.into()),
    }
}

fn child(pid: libc::pid_t) -> Pid {
    Pid::from_raw(pid).expect("fork returned 0 to the parent")
}
