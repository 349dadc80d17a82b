//! A process that has no descriptors left.
//!
//! A binary of its own, because the limit is the whole process's.

use std::fs::File;

use multiproc_connection::{RecvError, SendError, pipe};
use multiproc_wire::Fd;
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

#[test]
fn message_whose_handles_find_no_room_is_lost_and_the_next_one_arrives() {
    let (a, b) = pipe::<Vec<Fd<File>>, ()>().unwrap();
    let files: Vec<_> = (0..20).map(|_| Fd(File::open("/dev/null").unwrap())).collect();
    a.send(&files).unwrap();
    a.send(&vec![]).unwrap();

    let before = getrlimit(Resource::Nofile);
    let highest = files.iter().map(|file| std::os::fd::AsRawFd::as_raw_fd(&file.0)).max();
    let full = u64::try_from(highest.unwrap()).unwrap() + 11;
    setrlimit(Resource::Nofile, Rlimit { current: Some(full), ..before }).unwrap();

    // Ten fit, twenty come.
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let open_before = open();
    match b.recv().unwrap_err() {
        RecvError::Io(err) => assert_eq!(err.raw_os_error(), Some(Errno::MFILE.raw_os_error())),
        err => panic!("{err:?}"),
    }
    assert_eq!(open(), open_before, "those that did arrive are closed");
    assert!(b.recv().unwrap().is_empty());

    // To send a handle takes a duplicate of it here, and so fails likewise, before anything goes.
    let hoard: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(matches!(a.send(&files), Err(SendError::Encode(_))));
    drop(hoard);

    setrlimit(Resource::Nofile, before).unwrap();
    a.send(&files).unwrap();
    assert_eq!(b.recv().unwrap().len(), 20);
}
