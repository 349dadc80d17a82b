//! Signals that do interrupt a system call: handled without a restart, sent only while the process sleeps, counted.

use std::{
    io::{self, PipeReader, Read},
    mem,
    os::fd::IntoRawFd,
    ptr,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering},
    thread,
};

use crate::procfs;

static ACKNOWLEDGEMENTS: AtomicI32 = AtomicI32::new(-1);
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn acknowledge(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: The location of this thread's `errno` is always valid.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: `write` may be called in a handler, and the byte is a static one.
    unsafe { libc::write(ACKNOWLEDGEMENTS.load(Ordering::SeqCst), b"x".as_ptr().cast(), 1) };
    // SAFETY: As above. Whoever is interrupted looks at it next.
    unsafe { *libc::__errno_location() = errno };
}

/// Handles SIGUSR1 from now on in this process, which has one thread; whoever gets the pipe can [`interrupt`] it.
///
/// # Errors
///
/// What pipe(2) and sigaction(2) report.
pub fn handle() -> io::Result<PipeReader> {
    assert_eq!(procfs::threads(), 1, "another thread could get the signal");
    let (reader, writer) = io::pipe()?;
    ACKNOWLEDGEMENTS.store(writer.into_raw_fd(), Ordering::SeqCst);
    // SAFETY: A plain struct, for which zeroes are no flags (so no SA_RESTART) and no blocked signals.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = acknowledge as *const () as usize;
    // SAFETY: The action is whole, and its handler does only what a handler may do.
    match unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) } {
        0 => Ok(reader),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has SIGINT end this process: somebody may have started the tests with it ignored, as `nohup` in a script does.
pub fn heed() {
    // SAFETY: The default handler is no code of ours.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}

/// How many signals this process has handled.
pub fn handled() -> usize {
    HANDLED.load(Ordering::SeqCst)
}

/// Interrupts the process `pid`, each time once it sleeps in a system call, until `enough`; waits for the handler.
///
/// # Errors
///
/// What kill(2) reports, and the end of the pipe when the process has ended.
pub fn interrupt_until(
    pid: u32,
    mut acknowledgements: &PipeReader,
    mut enough: impl FnMut() -> bool,
) -> io::Result<()> {
    while !enough() {
        while procfs::state(pid) != Some('S') {
            if procfs::state(pid).is_none_or(|state| state == 'Z') {
                return Err(io::ErrorKind::NotFound.into());
            }
            thread::yield_now();
        }
        // SAFETY: Plain numbers.
        if unsafe { libc::kill(pid.cast_signed(), libc::SIGUSR1) } != 0 {
            return Err(io::Error::last_os_error());
        }
        acknowledgements.read_exact(&mut [0])?;
    }
    Ok(())
}

/// Interrupts the process `pid` so many times.
///
/// # Errors
///
/// As [`interrupt_until`].
pub fn interrupt(pid: u32, acknowledgements: &PipeReader, times: usize) -> io::Result<()> {
    let mut signals = 0..times;
    interrupt_until(pid, acknowledgements, || signals.next().is_none())
}
