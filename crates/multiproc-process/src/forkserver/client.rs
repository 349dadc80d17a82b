//! The requester's side: finding the server, starting one where there is none, and asking it for a process.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use multiproc_image::{
    Boot, StartError, after_fork::ForkLocal, boot, bootstrap, family, logging::LogSettings, start,
    start::Fresh,
};
use multiproc_sys::{packet, pidfd, poll};
use rustix::process::Pid;

use super::{preload, request, server};
use crate::{
    child::Inner,
    held,
    launch::{Launched, Parcel, Sentinel, give_up, sentinel_of, sentinel_pipe, starting},
    reaper,
    report::Report,
};

/// The server, in the process that started it; all others have only the way to it ([`held::FORKSERVER`]).
static SERVER: ForkLocal<Mutex<Option<Fresh>>> = ForkLocal::new(|_| Mutex::new(None));

/// How often a server that dies under our hands is replaced before that is an error.
const ATTEMPTS: usize = 3;

/// Asks the server for a process that becomes what the parcel says; called by one thread at a time.
///
/// What is worth a warning goes into `notes`, because nothing is printed while others wait to start a process.
pub(crate) fn launch(parcel: &Parcel, notes: &mut Vec<String>) -> Result<Launched, StartError> {
    for _ in 0..ATTEMPTS {
        let requests = match held::FORKSERVER.get() {
            Some(requests) => requests,
            None => match start_server(notes)? {
                Some(requests) => requests,
                None => continue,
            },
        };
        if let Some(launched) = ask(requests, parcel)? {
            return Ok(launched);
        }
        notes.push("fork server has died, or has dropped a request".into());
        if let Some(server) = forget() {
            // It may live on for those who still have the way to it.
            let _ = packet::send(server.socket.as_fd(), server::STOP, &[]);
            reap_some_time(server);
        }
    }
    let message = format!("the fork server has died {ATTEMPTS} times in a row");
    Err(StartError::Refused { message })
}

/// Forgets the way to the server; returns the server if it is our child.
fn forget() -> Option<Fresh> {
    held::FORKSERVER.close();
    SERVER.get().lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn wait_for(server: &Fresh) {
    let _ = match &server.pidfd {
        Some(pidfd) => {
            poll::wait_readable(pidfd.as_fd(), None).and_then(|_| pidfd::reap(pidfd.as_fd()))
        }
        None => loop {
            match pidfd::reap_by_pid(server.pid) {
                Ok(None) => std::thread::yield_now(),
                result => break result,
            }
        },
    };
}

/// Leaves a server that may or may not be dead to the reaper.
fn reap_some_time(server: Fresh) {
    let Fresh { pid, pidfd, socket } = server;
    let sentinel = pidfd.map(Sentinel::Pidfd).map_or_else(|| sentinel_of(pid, None), Ok);
    // Without a descriptor left it stays a zombie until we exit.
    if let Ok(sentinel) = sentinel {
        let launched = Launched { pid, sentinel, socket, is_ours: true, early: None };
        reaper::adopt(Arc::new(Inner::new("ForkServer".into(), false, launched)));
    }
}

/// Ends the fork server that this process has started, if any, and waits for it; the next start makes a new one.
///
/// There is hardly a need: the server ends by itself when the last process that could ask it has ended. A server that
/// descendants of this process still hold on to goes on until they have ended.
///
/// # Python
///
/// The undocumented `multiprocessing.forkserver._forkserver._stop()`.
pub fn stop_forkserver() {
    let starting = starting();
    let server = forget();
    drop(starting);
    if let Some(server) = server {
        // If it is dead, it need not be told.
        let _ = packet::send(server.socket.as_fd(), server::STOP, &[]);
        wait_for(&server);
    }
}

/// Starts a server; none if it has died before it served.
fn start_server(notes: &mut Vec<String>) -> Result<Option<BorrowedFd<'static>>, StartError> {
    let (ours, theirs) = packet::pair().map_err(StartError::os("make a socket pair"))?;
    let preload = preload::current();
    let message = multiproc_wire::encode(&preload).map_err(|err| StartError::Encode {
        name: "the preload function".into(),
        source: Box::new(err),
    })?;
    let mut record = family::record().child(0);
    record.name = "ForkServer".into();
    record.daemon = false;
    // What it has to say, it says to us; its children log as their requesters do.
    record.log = LogSettings::default();
    let packed = boot::pack(
        server::serve,
        &|| "the fork server".into(),
        record,
        &message.bytes,
        vec![theirs],
    )?;
    let server = start::fresh_with(&packed)?;
    drop(packed);

    let mut bytes = Vec::new();
    let ready = hear_first(&server, &mut bytes);
    let failure = match ready {
        Ok(true) if bytes.starts_with(server::READY) => {
            if let Some(warning @ [_, ..]) = bytes.strip_prefix(server::READY) {
                notes.push(String::from_utf8_lossy(warning).into_owned());
            }
            *SERVER.get().lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
            bootstrap::provide(hand_down);
            return Ok(Some(held::FORKSERVER.keep(ours)));
        }
        Ok(true) => Err(refusal(&bytes)),
        Err(err) if err.kind() != io::ErrorKind::ConnectionReset => {
            Err(StartError::Os { what: "hear from the fork server", source: err })
        }
        Ok(false) | Err(_) => {
            notes.push("fork server has died before it served".into());
            Ok(None)
        }
    };
    drop(ours);
    wait_for(&server);
    failure
}

/// Waits for the first word of a new server, or its end: a process that its preload function has left behind may hold a
/// copy of its end of the socket.
fn hear_first(server: &Fresh, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut watched = vec![server.socket.as_fd()];
    watched.extend(server.pidfd.iter().map(AsFd::as_fd));
    poll::wait_many(&watched, None)?;
    match packet::try_recv(server.socket.as_fd(), bytes, &mut Vec::new()) {
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(false),
        result => result,
    }
}

/// Reads why a server does not serve.
fn refusal(bytes: &[u8]) -> StartError {
    let message = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match bytes.split_first() {
        Some((&server::PRELOAD_FAILED, why)) => StartError::Preload { message: message(why) },
        Some((_, why)) => StartError::Refused { message: message(why) },
        None => StartError::Refused { message: "it did not say why".into() },
    }
}

/// Asks for a process, tells it what to be and waits for it; none if there is no answer.
///
/// It is asked for first, so that the server forks while the rest is gathered. What that fails for, want of a descriptor
/// say, ends the process before it runs anything.
fn ask(requests: BorrowedFd<'_>, parcel: &Parcel) -> Result<Option<Launched>, StartError> {
    let (ours, theirs) = packet::pair().map_err(StartError::os("make a socket pair"))?;
    let (pipe, shown) = sentinel_pipe()?.unzip();
    match request::Request::send(requests, theirs.as_fd()) {
        Err(err) if is_gone(&err) => return Ok(None),
        result => result.map_err(StartError::os("send a request to the fork server"))?,
    }
    // Ours must be the only end left besides the server's and the child's, so that their death shows.
    drop(theirs);
    let told = tell(ours.as_fd(), parcel, shown);
    let launched = hear(ours, pipe)?;
    if let (Err(_), Some(launched)) = (&told, &launched) {
        give_up(launched.pid, launched.is_ours);
    }
    told.map(|()| launched)
}

/// Tells the child that has the other end of `socket` what it is to be.
fn tell(socket: BorrowedFd<'_>, parcel: &Parcel, shown: Option<OwnedFd>) -> Result<(), StartError> {
    match request::tell(socket, &parcel.pack(shown)?) {
        // When both ends are gone, there is nobody to be told, and nothing to be heard.
        Err(err) if is_gone(&err) => Ok(()),
        result => result.map_err(StartError::os("tell a child of the fork server what to do")),
    }
}

fn is_gone(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Waits for the first word of the child or of the server about it, and, where the server is the parent of the child, for
/// the pidfd that only the two of them can open without doubt.
fn hear(socket: OwnedFd, pipe: Option<OwnedFd>) -> Result<Option<Launched>, StartError> {
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    let (mut early, mut started) = (None, None);
    let sentinel = loop {
        match packet::recv(socket.as_fd(), &mut bytes, &mut fds) {
            Ok(true) => {}
            Ok(false) if started.is_none() => return Ok(None),
            // It has come to life, perhaps done its work, and ended: to ask again would do it twice.
            Ok(false) => {
                let source = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Err(StartError::Os { what: "watch a child of the fork server", source });
            }
            // Said once where an end was closed with our message unread, and before what was sent.
            Err(err) if is_gone(&err) => continue,
            Err(source) => {
                if let Some((pid, is_ours)) = started {
                    give_up(pid, is_ours);
                }
                return Err(StartError::Os { what: "hear from the fork server", source });
            }
        }
        match Report::decode(&bytes, std::mem::take(&mut fds)) {
            Some(Report::Started { pid, is_ours }) => {
                let Some(pid) = Pid::from_raw(pid) else { continue };
                started = Some((pid, is_ours));
                if is_ours || pipe.is_some() {
                    break sentinel_of(pid, pipe);
                }
            }
            Some(Report::Pidfd(pidfd)) if started.is_some() => break Ok(Sentinel::Pidfd(pidfd)),
            Some(Report::Pidfd(_)) | None => {}
            Some(Report::NotStarted(errno)) => {
                if let Some((pid, is_ours)) = started {
                    give_up(pid, is_ours);
                }
                return Err(StartError::Os {
                    what: "fork in the fork server",
                    source: io::Error::from_raw_os_error(errno),
                });
            }
            Some(report) => early = Some(report),
        }
    };
    let Some((pid, is_ours)) = started else { return Ok(None) };
    match sentinel {
        Ok(sentinel) => Ok(Some(Launched { pid, sentinel, socket, is_ours, early })),
        Err(source) => {
            give_up(pid, is_ours);
            Err(StartError::Os { what: "watch a child of the fork server", source })
        }
    }
}

/// Makes the bootstrap item by which a new process knows the way to the server.
fn hand_down() -> Option<bootstrap::Item> {
    let requests = held::FORKSERVER.get()?.try_clone_to_owned().ok()?;
    Some(bootstrap::Item { install, bytes: Vec::new(), fds: vec![requests] })
}

/// In a new process: takes over the way to the server.
fn install(boot: Boot) {
    if let Some(requests) = boot.fds.into_iter().next() {
        held::FORKSERVER.keep(requests);
        bootstrap::provide(hand_down);
    }
}

#[cfg(test)]
mod tests {
    use multiproc_sys::lifeline;

    use super::*;

    #[test]
    fn silence_of_server_and_child_is_no_process() {
        let (ours, theirs) = packet::pair().unwrap();
        drop(theirs);
        assert!(hear(ours, None).unwrap().is_none());
    }

    #[test]
    fn refusal_of_the_system_is_an_error_and_early_reports_are_kept() {
        let (ours, theirs) = packet::pair().unwrap();
        Report::NotStarted(libc::EAGAIN).send(theirs.as_fd());
        assert!(hear(ours, None).unwrap_err().is_exhausted());

        let (ours, theirs) = packet::pair().unwrap();
        let (pipe, _shown) = lifeline::pipe().unwrap();
        Report::Unsendable("early".into()).send(theirs.as_fd());
        Report::Started { pid: 1, is_ours: true }.send(theirs.as_fd());
        let launched = hear(ours, Some(pipe)).unwrap().unwrap();
        assert!(matches!(launched.early, Some(Report::Unsendable(_))));
    }
}
