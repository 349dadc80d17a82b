//! Too little of something: room in `/dev/shm`, descriptors, the right to make large files.

use std::{os::fd::OwnedFd, process::Command};

use multiproc::{
    Context, Failure,
    shared_memory::{Segment, SharedMemory, tracker},
};
use multiproc_tests::{TestResult, once, procfs};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::programs::{exists, stderr, trackers_of};

once! { full_folder_is_an_error_and_memory_without_a_name_needs_none }

multiproc_tests::once_alone! {
    without_descriptors_making_is_an_error_that_leaves_nothing,
    file_larger_than_allowed_is_an_error_and_no_signal,
}

// complaint: 25
fn full_folder_is_an_error_and_memory_without_a_name_needs_none() -> TestResult {
    let script = "mount -t tmpfs -o size=64k none /dev/shm || exit 77; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]);
    let output = command.args([env!("CARGO_BIN_EXE_shares"), "no-room", "sparse"]).output();
    let output = match output {
        Ok(output) if output.stdout.is_empty() && !output.status.success() => {
            println!("skipped: no mount namespace of one's own here: {}", stderr(&output));
            return Ok(());
        }
        Err(err) => {
            println!("skipped: no unshare here: {err}");
            return Ok(());
        }
        Ok(output) => output,
    };
    let said = String::from_utf8(output.stdout.clone())?;
    let lines: Vec<&str> = said.lines().collect();
    assert!(output.status.success() && lines.len() == 3, "{output:?}");
    for line in &lines[..2] {
        assert!(line.starts_with("no room for 1048576 bytes in /dev/shm: "), "{line}");
        assert!(line.contains("65536 bytes are free") && line.contains("--shm-size"), "{line}");
    }
    assert_eq!((lines[2], &*stderr(&output)), ("all written", ""));
    Ok(())
}

fn without_descriptors_making_is_an_error_that_leaves_nothing() -> Result<(), Failure> {
    assert_eq!(tracker::stop()?, None);
    let name = format!("multiproc_descriptors_{}", std::process::id());
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit })?;
    let (mut failed, mut worked) = (0, 0);
    for free in 0..24 {
        let before = procfs::open_descriptors();
        let mut fillers: Vec<OwnedFd> =
            std::iter::from_fn(|| rustix::io::dup(rustix::stdio::stdin()).ok()).collect();
        fillers.truncate(fillers.len() - free);
        let made = SharedMemory::create_named(&name, 10);
        drop(fillers);
        match made {
            Ok(memory) => {
                worked += 1;
                memory.unlink()?;
            }
            Err(err) => {
                failed += 1;
                assert!(err.is_exhausted(), "with {free} free descriptors: {err:?}");
                assert!(!exists(&name), "with {free} free descriptors");
            }
        }
        let running = trackers_of(std::process::id()).len();
        assert!(tracker::stop()?.is_none_or(|code| code == 0));
        assert!(running <= 1 && procfs::zombies_of(std::process::id()).is_empty());
        // The lifeline of children is made once, and the descriptor of the program is opened once.
        let new = procfs::open_descriptors().len() - before.len();
        assert!(new <= 3, "with {free} free descriptors, {new} are left open");
    }
    assert!(0 < failed && 0 < worked, "{failed} {worked}");
    Ok(())
}

fn file_larger_than_allowed_is_an_error_and_no_signal() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(100_000), ..limit })?;
    for made in [SharedMemory::create(100_001).map(drop), Segment::new(100_001).map(drop)] {
        assert!(made.is_err());
    }
    SharedMemory::create(100_000)?.unlink()?;
    Segment::new(100_000)?;

    // A long message travels in a file; one for which the next power of two would be too much fits all the same.
    let (sender, receiver) = multiproc::connection::pipe::<(), ()>()?;
    assert!(sender.send_bytes(&[1; 100_001]).is_err());
    sender.send_bytes(&[1; 100_000])?;
    assert_eq!(receiver.recv_bytes()?, [1; 100_000]);
    let child = Context::spawn().start(|bytes: Vec<u8>| bytes.len(), (vec![1; 200_000],));
    assert!(child.is_err());
    Ok(())
}
