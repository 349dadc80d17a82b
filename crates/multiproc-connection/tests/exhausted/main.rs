//! A process that has no descriptors left.
//!
//! A binary of its own, because the limit is the whole process's.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

#[path = "../support/watchdog.rs"]
mod watchdog;
mod listeners;

use std::{
    fs::File,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Mutex,
};

use multiproc_connection::{Connection, RecvError, SendError, TryRecvError, pipe};
use multiproc_wire::Fd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

type Ends = (Connection<Vec<Fd<File>>, ()>, Connection<(), Vec<Fd<File>>>);

/// Held by each test: the limit is one for all.
static LIMIT: Mutex<()> = Mutex::new(());

fn stream() -> Ends {
    let (a, b) = UnixStream::pair().unwrap();
    (OwnedFd::from(a).into(), OwnedFd::from(b).into())
}

fn files(count: usize) -> Vec<Fd<File>> {
    (0..count).map(|_| Fd(File::open("/dev/null").unwrap())).collect()
}

fn open() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn error(result: Result<Vec<Fd<File>>, RecvError>) -> RecvError {
    result.map(|files| files.len()).unwrap_err()
}

/// Does something while there is room for so many descriptors more.
fn with_room<T>(room: u64, act: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Nofile);
    let highest = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .max()
        .unwrap_or(0);
    // Gaps below would be room, too.
    let mut gaps = Vec::new();
    let full = loop {
        let file = File::open("/dev/null").unwrap();
        match u64::try_from(file.as_raw_fd()).unwrap() {
            number if number <= highest => gaps.push(file),
            number => break number,
        }
    };
    let _lowered = Lowered(before);
    setrlimit(Resource::Nofile, Rlimit { current: Some(full + room), ..before }).unwrap();
    act()
}

/// A limit that is what it was when this goes, also where a test has failed.
struct Lowered(Rlimit);

impl Drop for Lowered {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::Nofile, self.0);
    }
}

/// A message of `count` handles comes while there is room for `room`.
fn check((a, b): &Ends, count: usize, room: u64) {
    let files = files(count);
    a.send(&files).unwrap();
    a.send(&vec![]).unwrap();
    a.send(&files).unwrap();
    let open_before = open();
    let err = with_room(room, || error(b.recv()));
    assert!(matches!(err, RecvError::NoRoom), "{count} handles, room for {room}: {err:?}");
    assert!(err.to_string().contains("connection goes on with the next"));
    assert_eq!(open(), open_before, "those that did arrive are closed");

    assert!(b.recv().unwrap().is_empty(), "it goes on with the next message");
    let received = b.recv().unwrap();
    assert_eq!(received.len(), count);
    for Fd(file) in &received {
        let flags = rustix::io::fcntl_getfd(file).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
    assert!(matches!(b.try_recv(), Err(TryRecvError::Empty)));
}

#[test]
fn message_whose_handles_find_no_room_is_lost_and_the_next_one_arrives() {
    let _alone = LIMIT.lock();
    for ends in [pipe().unwrap(), stream()] {
        // None fits, some do, all but one; and with a socket beside those that are attached, of
        // which the socket does not fit, or what is in it does not.
        for (count, room) in [(1, 0), (20, 0), (20, 10), (20, 19), (250, 249)] {
            check(&ends, count, room);
        }
        for (count, room) in [(254, 0), (254, 1), (254, 252), (300, 260), (600, 599)] {
            check(&ends, count, room);
        }
    }
}

#[test]
fn long_message_on_a_pipe_needs_room_for_its_file() {
    let _alone = LIMIT.lock();
    let (a, b) = pipe::<Vec<u8>, ()>().unwrap();
    a.send(&vec![1; 1 << 20]).unwrap();
    a.send(&vec![2]).unwrap();
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
    assert!(matches!(b.recv(), Err(RecvError::NoRoom)));
    assert_eq!(b.recv().unwrap(), [2], "still without room");
    setrlimit(Resource::Nofile, before).unwrap();
}

#[test]
fn handle_that_cannot_be_duplicated_is_not_sent() {
    let _alone = LIMIT.lock();
    for (a, b) in [pipe().unwrap(), stream()] {
        let files = files(20);
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
        let refused = a.send(&files);
        setrlimit(Resource::Nofile, before).unwrap();
        assert!(matches!(refused, Err(SendError::Encode(_))), "{refused:?}");
        a.send(&files).unwrap();
        assert_eq!(b.recv().unwrap().len(), 20);
    }
}

#[test]
fn more_handles_than_there_is_room_to_carry_are_not_sent() {
    let _alone = LIMIT.lock();
    for (a, b) in [pipe().unwrap(), stream()] {
        let files = files(300);
        let before = getrlimit(Resource::Nofile);
        // Their duplicates fit, the socket that carries them does not.
        let highest = files.iter().map(|file| file.0.as_raw_fd()).max().unwrap();
        let full = u64::try_from(highest).unwrap() + 1 + 300;
        setrlimit(Resource::Nofile, Rlimit { current: Some(full), ..before }).unwrap();
        let refused = a.send(&files);
        setrlimit(Resource::Nofile, before).unwrap();
        assert!(matches!(refused, Err(SendError::Io(_))), "{refused:?}");
        a.send(&files).unwrap();
        assert_eq!(b.recv().unwrap().len(), 300);
    }
}
