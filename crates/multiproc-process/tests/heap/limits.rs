//! How much, and how little, there may be.

use std::{env, fs, os::fd::OwnedFd, process::Command};

use multiproc_process::Failure;
use multiproc_shm::{Block, heap};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{alone, block, eventually, is_without_locks, watchdog};

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What this process has open or mapped of `/dev/shm`, whatever others do there meanwhile.
fn named() -> Vec<String> {
    let links = fs::read_dir("/proc/self/fd").unwrap();
    let open = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
    let open = open.map(|path| path.to_string_lossy().into_owned());
    let mapped = fs::read_to_string("/proc/self/maps").unwrap();
    let all = open.chain(mapped.lines().map(str::to_owned));
    all.filter(|line| line.contains("/dev/shm")).collect()
}

#[test]
fn hundred_thousand_blocks_take_few_descriptors_and_little_memory() {
    alone(|_: String| {
        let before = descriptors();
        let blocks: Vec<Block> = (0..100_000).map(|_| block(32)).collect();
        let usage = heap::usage();
        assert_eq!(usage.held, 100_000);
        assert!(descriptors() - before < 32 && usage.segments < 32, "{usage:?}");
        assert!((usage.bytes - usage.free) / 100_000 < 33, "{usage:?}");
        assert_eq!(named(), Vec::<String>::new());
        drop(blocks);
        let after = heap::usage();
        assert_eq!((after.held, after.lent, after.segments), (0, 0, 1));
        Ok(())
    });
}

#[test]
fn without_descriptors_making_and_sending_are_errors() {
    alone(|_: String| {
        let kept = block(8);
        kept.bytes().set(0, &7u64)?;
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit })?;
        let fillers: Vec<OwnedFd> =
            std::iter::from_fn(|| fs::File::open("/dev/null").ok().map(OwnedFd::from)).collect();
        let large = std::alloc::Layout::from_size_align(8 << 20, 8).unwrap();
        let refused = Block::new(large).unwrap_err();
        assert!(refused.is_exhausted(), "{refused}");
        assert!(multiproc_wire::encode(&kept).is_err());
        assert!(block(8).len() == 8, "there is room in what we have");
        drop(fillers);
        let back: Block = multiproc_wire::encode(&kept)?.decode()?;
        assert_eq!(back.bytes().get::<u64>(0)?, 7);
        drop((kept, back));
        if !is_without_locks() {
            eventually(|| heap::usage().lent == 0);
        }
        Ok::<(), Failure>(())
    });
}

/// All tests of this binary again, with the ledger turned off.
#[test]
fn without_locks_nothing_shared_is_used_again() {
    watchdog();
    if is_without_locks() {
        return;
    }
    let mut again = Command::new(env::current_exe().unwrap());
    let output = again.env("MULTIPROC_WITHOUT", "ofd_locks").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
