//! Other processes that hold an end, and die with it.
//!
//! A binary of its own: a process that is about to run a program has a copy of every descriptor for
//! a moment, and the tests that watch for the end of a pipe would see it late.

use std::{
    os::fd::OwnedFd,
    process::{Command, Stdio},
    thread,
};

use multiproc_connection::{Connection, RecvError, TryRecvError, pipe, wait};

#[test]
fn killed_peer_ends_the_pipe() {
    let (ours, theirs) = pipe::<u8, u8>().unwrap();
    let stdin = Stdio::from(OwnedFd::try_from(theirs).unwrap());
    // `sleep` never reads it: what counts is that the process has it.
    let mut child = Command::new("sleep").arg("1000").stdin(stdin).spawn().unwrap();
    // The command keeps no copy, so this one is the last.
    assert!(matches!(ours.try_recv(), Err(TryRecvError::Empty)));
    let waiting = thread::spawn(move || ours.recv());
    child.kill().unwrap();
    assert!(waiting.join().unwrap().unwrap_err().is_closed());
    child.wait().unwrap();
}

// parity: connection.pipe-cloexec
#[test]
fn program_does_not_inherit_an_end_that_it_is_not_given() {
    let (ours, theirs) = pipe::<u8, u8>().unwrap();
    let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    drop(theirs);
    assert!(ours.recv().unwrap_err().is_closed());
    child.kill().unwrap();
    child.wait().unwrap();
}

// parity: wait.sentinel-wakes
#[test]
fn wait_returns_just_the_sentinel_of_a_process_that_ends() {
    let (a, b) = pipe::<u8, u8>().unwrap();
    let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let sentinel = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    let waiting = thread::spawn(move || wait(&[&a, &sentinel, &b], None).unwrap());
    child.kill().unwrap();
    assert_eq!(waiting.join().unwrap(), [1]);
    child.wait().unwrap();
}

// parity: connection.killed-writer
#[test]
fn process_killed_within_a_message_leaves_no_short_one() {
    let (peer, ours) = std::os::unix::net::UnixStream::pair().unwrap();
    // A header of ten bytes, then two; and it stays to be killed.
    let mut child = Command::new("sh")
        .args(["-c", r"printf '\0\0\0\012ab'; exec sleep 1000"])
        .stdin(Stdio::null())
        .stdout(Stdio::from(OwnedFd::from(peer)))
        .spawn()
        .unwrap();
    let ours = Connection::<(), ()>::from(OwnedFd::from(ours));
    assert!(ours.poll(None).unwrap());
    child.kill().unwrap();
    let err = ours.recv_bytes().unwrap_err();
    assert!(matches!(err, RecvError::Truncated), "{err:?}");
    child.wait().unwrap();
}
