//! The side of those who make and unlink names.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use multiproc_image::{
    Boot, StartError, after_fork::ForkLocal, boot, bootstrap, family, logging,
    logging::LogSettings, start, start::Fresh,
};
use multiproc_sys::{
    attributes::{set_signal_mask, signal_mask},
    packet, pidfd,
    signals::Signal,
};
use rustix::{
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, WaitOptions, waitid, waitpid},
};

use super::{
    line::{self, Line},
    message::{Message, Registration},
    server,
};
use crate::{ShmError, shared_memory::place};

/// How often a tracker that dies under our hands is replaced before that is an error.
const ATTEMPTS: usize = 3;

/// What Python says there, too.
const RELAUNCHING: &[u8] =
    b"resource_tracker: process died unexpectedly, relaunching. Some resources might leak.\n";

/// What this process would have to tell a new tracker, and the tracker that it has started.
#[derive(Debug)]
struct Client {
    known: BTreeSet<Registration>,
    /// When there are as many names, those that others have unlinked are forgotten.
    crowded: usize,
    started: Option<(Pid, Option<OwnedFd>)>,
}

/// A forked child knows no name and has started no tracker; the line it has.
static CLIENT: ForkLocal<Mutex<Client>> =
    ForkLocal::new(|_| Mutex::new(Client { known: BTreeSet::new(), crowded: 64, started: None }));

fn client() -> MutexGuard<'static, Client> {
    CLIENT.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the tracker remove a block when all processes of the family have ended.
pub(crate) fn register(registration: &Registration) -> Result<(), ShmError> {
    let mut client = client();
    client.make_room();
    client.known.insert(registration.clone());
    let result = client.tell(&Message::Register(registration.clone()));
    if result.is_err() {
        client.known.remove(registration);
    }
    result.map_err(|source| ShmError::Tracker { source })
}

/// Has the tracker forget a block whose name is gone.
pub(crate) fn unregister(line: &Line, registration: &Registration) {
    let mut client = client();
    client.known.remove(registration);
    let message = encode(&Message::Unregister(registration.clone()));
    // A tracker that is dead has forgotten everything; its successor never knew.
    let _ = match line {
        Line::Own => line::own().map_or(Ok(()), |line| packet::send(line, &message, &[])),
        Line::Foreign(line) => packet::send(line.as_fd(), &message, &[]),
    };
}

/// Starts the tracker if it does not run.
///
/// Making the first tracked name does that by itself. A process that is started after this shares the tracker.
///
/// # If a process dies
///
/// A tracker that was killed is replaced, here or when the next tracked name is made, by one that is told what this
/// process has made. What others have made is not known to it, and stays behind if nobody unlinks it.
///
/// # Python
///
/// `multiprocessing.resource_tracker.ensure_running`.
///
/// # Errors
///
/// [`ShmError::Tracker`].
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init(); // Or `#[multiproc::main]`.
/// multiproc_shm::tracker::ensure_running()?;
/// # Ok::<(), multiproc_shm::ShmError>(())
/// ```
pub fn ensure_running() -> Result<(), ShmError> {
    client().tell(&Message::Probe).map_err(|source| ShmError::Tracker { source })
}

/// Lets go of the tracker; if this process has started it, waits for its end and returns its exit code.
///
/// The tracker ends when all processes that share it have let go of it or ended. It then removes what they have left, and
/// its code says how that went: 0 if nothing was left, 1 if something was, 2 if some of it could not be removed, 3 if it
/// was told something that it did not understand. The next tracked name starts another one.
///
/// No other thread may be making or unlinking a tracked name meanwhile: it could miss the tracker.
///
/// # Python
///
/// The undocumented `multiprocessing.resource_tracker._resource_tracker._stop()`.
///
/// # Errors
///
/// What waiting reports, as where somebody else has reaped it.
pub fn stop() -> io::Result<Option<i32>> {
    let mut client = client();
    client.known.clear();
    drop(line::take());
    let started = client.started.take();
    drop(client);
    match started {
        Some((_, Some(pidfd))) => loop {
            match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
                Err(Errno::INTR) => {}
                status => return Ok(status?.and_then(|status| status.exit_status())),
            }
        },
        Some((pid, None)) => loop {
            match waitpid(Some(pid), WaitOptions::empty()) {
                Err(Errno::INTR) => {}
                status => return Ok(status?.and_then(|(_, status)| status.exit_status())),
            }
        },
        None => Ok(None),
    }
}

/// Sees to it that processes started from now on share the line.
pub(super) fn share() {
    bootstrap::provide(hand_down);
}

/// Two numbers that are the same for all copies of one line, and for no other.
pub(super) fn identity_of_line(line: BorrowedFd<'_>) -> Option<(u64, u64)> {
    rustix::fs::fstat(line).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

impl Client {
    /// Tells the tracker, after starting one where there is none.
    fn tell(&mut self, message: &Message) -> Result<(), StartError> {
        let bytes = encode(message);
        let mut is_dead = line::own().is_none();
        for _ in 0..ATTEMPTS {
            if is_dead {
                self.start()?;
            }
            match line::own().map(|line| packet::send(line, &bytes, &[])) {
                Some(Ok(())) => return Ok(()),
                Some(Err(err)) if is_gone(&err) => {
                    // Not by the logger: who listens to that may make a name, and we hold the lock.
                    logging::write_stderr(RELAUNCHING);
                    self.reap();
                    is_dead = true;
                }
                Some(Err(err)) => return Err(StartError::os("tell the tracker of a name")(err)),
                None => is_dead = true,
            }
        }
        let message = format!("the tracker has died {ATTEMPTS} times in a row");
        Err(StartError::Refused { message })
    }

    /// Starts a tracker and tells it what this process knows.
    fn start(&mut self) -> Result<(), StartError> {
        let mut record = family::record().child(0);
        record.name = "ResourceTracker".into();
        record.daemon = false;
        record.log = LogSettings::default();
        let name = || "the tracker of named memory".into();
        // Nothing is handed down to it: it outlives those whose end it would keep from being noticed.
        let packed = boot::pack_bare(server::serve, &name, record, &[], Vec::new())?;

        // So that a Ctrl-C which comes before it ignores them does not end it.
        let mask = signal_mask();
        set_signal_mask(mask | Signal::Interrupt.bit() | Signal::Terminate.bit());
        let fresh = start::fresh_with(&packed);
        set_signal_mask(mask);
        let Fresh { pid, pidfd, socket } = fresh?;
        drop(packed);
        self.started = Some((pid, pidfd));

        let mut said = Vec::new();
        let heard = packet::recv(socket.as_fd(), &mut said, &mut Vec::new());
        let failure = match heard {
            Ok(true) if said == server::READY => None,
            Ok(true) => {
                let why = said.strip_prefix(&[boot::REFUSED]).unwrap_or(&said);
                let message = String::from_utf8_lossy(why).into_owned();
                Some(StartError::Refused { message })
            }
            Ok(false) => {
                Some(StartError::Refused { message: "it ended before it was ready".into() })
            }
            Err(err) => Some(StartError::os("hear from the tracker")(err)),
        };
        if let Some(failure) = failure {
            drop(socket);
            self.reap();
            return Err(failure);
        }
        for registration in &self.known {
            // What others have unlinked, or another block has taken the name of, is none of its business.
            if place::identity_of(&registration.name) == Some(registration.identity) {
                let message = encode(&Message::Register(registration.clone()));
                packet::send(socket.as_fd(), &message, &[])
                    .map_err(StartError::os("tell the tracker of a name"))?;
            }
        }
        line::replace(socket).map_err(StartError::os("keep the way to the tracker"))?;
        share();
        Ok(())
    }

    /// Waits for the end of a tracker of ours that has closed its side, and so is ending.
    fn reap(&mut self) {
        match self.started.take() {
            Some((_, Some(pidfd))) => {
                let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            }
            Some((pid, None)) => {
                while matches!(pidfd::reap_by_pid(pid), Ok(None)) {
                    std::thread::yield_now();
                }
            }
            None => {}
        }
    }

    /// Forgets what others have unlinked, now and then, so that the list does not grow for ever.
    fn make_room(&mut self) {
        if self.crowded <= self.known.len() {
            self.known.retain(|known| place::identity_of(&known.name) == Some(known.identity));
            self.crowded = (self.known.len() * 2).max(64);
        }
    }
}

fn encode(message: &Message) -> Vec<u8> {
    // Numbers and a name of at most 255 bytes, which cannot be refused.
    multiproc_wire::encode(message).map(|message| message.bytes).unwrap_or_default()
}

fn is_gone(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Makes the bootstrap item by which a new process shares the tracker.
fn hand_down() -> Option<bootstrap::Item> {
    let line = line::own()?.try_clone_to_owned().ok()?;
    Some(bootstrap::Item { install, bytes: Vec::new(), fds: vec![line] })
}

/// In a new process: takes over the line.
fn install(boot: Boot) {
    if let Some(line) = boot.fds.into_iter().next()
        && line::replace(line).is_ok()
    {
        share();
    }
}
