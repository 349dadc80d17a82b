//! A fresh copy of this executable that exits in its entry hook.
#![expect(unsafe_code, reason = "calls clone, execve and posix_spawn of the C library")]

use std::{
    env,
    ffi::{CString, OsString, c_void},
    io,
    os::unix::ffi::OsStringExt,
    ptr,
};

use super::{ORDER, checked, fork};

const PATH: &std::ffi::CStr = c"/proc/self/exe";
const STACK_SIZE: usize = 64 * 1024;

/// This executable with the arguments and the environment that an exec takes.
pub(crate) struct Image {
    /// Owns what `argv` and `envp` point to.
    _strings: Vec<CString>,
    // Invariant: both end with a null pointer, and all others point into `_strings`, which is
    // never changed.
    argv: Vec<*mut libc::c_char>,
    envp: Vec<*mut libc::c_char>,
    stack: Vec<u128>,
}

impl Image {
    /// Makes an image whose entry hook is given `order`.
    pub(crate) fn new(order: &str) -> io::Result<Self> {
        let mut entries = vec![(OsString::from(ORDER), OsString::from(order))];
        entries.extend(env::vars_os());

        let mut strings = vec![CString::new("multiproc-bench")?];
        for (mut entry, value) in entries {
            entry.push("=");
            entry.push(value);
            strings.push(CString::new(entry.into_vec())?);
        }
        let pointers = |of: &[CString]| {
            of.iter().map(|s| s.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
        };
        let (argv, envp) = (pointers(&strings[..1]), pointers(&strings[1..]));
        let stack = vec![0; STACK_SIZE / size_of::<u128>()];
        Ok(Self { _strings: strings, argv, envp, stack })
    }

    /// Starts it by a clone that shares memory until the exec, and waits.
    pub(crate) fn vfork_and_wait(&mut self) -> io::Result<()> {
        fork::wait(self.vfork()?)
    }

    /// Starts it by the C library's `posix_spawn`, and waits.
    pub(crate) fn posix_spawn_and_wait(&self) -> io::Result<()> {
        let (argv, envp) = (self.argv.as_ptr(), self.envp.as_ptr());
        let mut pid = 0;
        let (actions, attributes) = (ptr::null(), ptr::null());
        // SAFETY: By the invariant of `Image` the vectors are what an exec takes; the actions and
        // the attributes may be null; and `pid` is a live integer.
        let error = unsafe {
            libc::posix_spawn(&raw mut pid, PATH.as_ptr(), actions, attributes, argv, envp)
        };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        fork::wait(pid)
    }

    /// Starts it and returns when the exec is done.
    pub(super) fn vfork(&mut self) -> io::Result<libc::pid_t> {
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let top = self.stack.as_mut_ptr_range().end.cast::<c_void>();
        let image = ptr::from_mut(self).cast::<c_void>();
        // SAFETY: The stack is ours alone and 16-byte aligned. The parent stands still until the
        // child has left its memory, so `image` outlives the child's use of it.
        checked(unsafe { libc::clone(exec, top, flags, image) })
    }
}

/// Runs in the child, on its own stack, in the memory of its parent.
extern "C" fn exec(image: *mut c_void) -> libc::c_int {
    // SAFETY: `vfork` passes a live `Image`, and stands still meanwhile.
    let image = unsafe { &*image.cast::<Image>() };
    let (argv, envp) = (image.argv.as_ptr().cast(), image.envp.as_ptr().cast());
    // SAFETY: By the invariant of `Image` the vectors are what an exec takes.
    unsafe { libc::execve(PATH.as_ptr(), argv, envp) };
    fork::exit_now(127)
}
