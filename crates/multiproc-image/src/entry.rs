//! The hook that a fresh copy runs into.
//!
//! A copy is told by an environment variable that it holds a socket, and on which number. The hook removes the variable
//! at once, so that programs which this process runs see nothing of it, and trusts the socket only when what lies in it
//! begins as our messages do: a variable that somebody else has set, by accident or to fool us, changes nothing.

#![expect(
    unsafe_code,
    reason = "takes over the inherited socket and unsets a variable before there are threads"
)]

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use multiproc_sys::{
    attributes::set_signal_mask,
    exec::SOCKET,
    packet::{self, Peeked},
    primitive::{AtomicBool, Ordering},
};
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::{boot, executable, exit};

/// The environment variable that tells a fresh copy where its socket is.
pub(crate) const VARIABLE: &str = "MULTIPROC_IMAGE_SOCKET";

static HOOKED: AtomicBool = AtomicBool::new(false);

/// Marks the point from which a fresh copy of this program runs the function it was started for; there it never returns.
///
/// Call it as the first line of `main`, or write `#[multiproc::main]` on `main`, which does that. In a process that was
/// started in the ordinary way it returns at once.
///
/// What stands before it runs in every fresh copy too. It must not be called once other threads run.
///
/// # Python
///
/// `if __name__ == "__main__":` and `freeze_support()`.
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init(); // The first line of `main`.
/// println!("once, however many processes this program starts");
/// ```
#[doc(alias = "freeze_support")]
pub fn init() {
    HOOKED.store(true, Ordering::Release);
    if let Some(inherited) = inherited() {
        become_copy(inherited);
    }
    // While nobody has had the time to unmount /proc or change the root.
    let _ = executable::descriptor();
}

/// True if this process has passed the hook, so that a fresh copy of it will pass it too.
#[must_use]
pub fn is_hooked() -> bool {
    HOOKED.load(Ordering::Acquire)
}

/// Runs the hook before `main`: for test binaries, benches, and whatever has a `main` that is not yours.
///
/// Write it once, at the top of the file. It leaves the process as std's own start would (SIGPIPE is ignored).
///
/// # Examples
///
/// ```
/// multiproc_image::auto_init!();
/// # assert!(multiproc_image::entry::is_hooked());
/// ```
#[macro_export]
macro_rules! auto_init {
    () => {
        const _: () = {
            #[allow(unsafe_code, reason = "the linker's list of functions to run before main")]
            #[used]
            #[unsafe(link_section = ".init_array")]
            static HOOK: extern "C" fn() = {
                extern "C" fn hook() {
                    $crate::entry::init_before_main();
                }
                hook
            };
        };
    };
}

/// What [`auto_init!`](crate::auto_init) runs.
#[doc(hidden)]
pub fn init_before_main() {
    if std::env::var_os(VARIABLE).is_some() {
        // The runtime of std would have done so before `main`, which this process never reaches.
        // SAFETY: Ignoring a signal installs no code.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    }
    init();
}

/// What the starter of a copy puts into [`VARIABLE`]: where the socket is, and the signal mask that the copy is to have.
///
/// Until the copy passes the hook all signals wait, so that none is lost on a process that cannot handle it yet.
pub(crate) fn variable(mask: u64) -> String {
    format!("{SOCKET} {mask:x}")
}

/// What a copy was given.
struct Inherited {
    socket: OwnedFd,
    /// The message in it.
    start: Peeked,
    signal_mask: u64,
}

/// What this copy was given; none in a process that was started in the ordinary way.
fn inherited() -> Option<Inherited> {
    let value = std::env::var_os(VARIABLE)?;
    // SAFETY: The hook runs before there are other threads, as `init` demands.
    unsafe { std::env::remove_var(VARIABLE) };
    let (number, mask) = value.to_str()?.split_once(' ')?;
    let number: RawFd = number.parse().ok()?;
    let signal_mask = u64::from_str_radix(mask, 16).ok()?;
    if number != SOCKET {
        return None;
    }
    // SAFETY: It is only asked whether it is open and what it is; nobody closes it meanwhile.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    let start = message_from_us(socket)?;
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC).ok()?;
    // SAFETY: It is the one that our starter put there for us, and nothing else in this process knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    Some(Inherited { socket, start, signal_mask })
}

/// Looks, without taking anything, for a message of ours in `socket`.
fn message_from_us(socket: BorrowedFd<'_>) -> Option<Peeked> {
    let ours = matches!(sockopt::socket_type(socket), Ok(SocketType::SEQPACKET))
        && matches!(sockopt::socket_domain(socket), Ok(AddressFamily::UNIX))
        && sockopt::socket_peercred(socket)
            .is_ok_and(|peer| peer.uid == rustix::process::geteuid());
    // The message was put there before the copy was started, so there is nothing to wait for.
    let peeked = if ours { packet::peek(socket) } else { None };
    peeked.filter(|peeked| peeked.start.is_none_or(|start| start == boot::MAGIC))
}

fn become_copy(Inherited { socket, start, signal_mask }: Inherited) -> ! {
    set_signal_mask(signal_mask);
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    match packet::try_recv_peeked(socket.as_fd(), &start, &mut bytes, &mut fds) {
        Ok(true) => boot::run(&bytes, fds, socket),
        // Out of descriptors, or the message is damaged: the starter learns it by our end.
        Ok(false) | Err(_) => exit::leave(1),
    }
}
