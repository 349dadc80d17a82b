//! Managers of shared memory.

use std::process::Command;

use multiproc::{
    Context, Failure,
    managers::{BaseManager, SharedMemoryManager},
    shared_memory::{ShareableList, SharedMemory},
};
use multiproc_tests::{TestResult, each_start_method, once};

once! {
    blocks_go_with_the_manager,
    server_keeps_the_books,
    block_that_cannot_be_tracked_is_freed,
    nothing_is_left_to_be_said,
}

each_start_method! { blocks_are_there_in_a_child }

// parity: smm.blocks-attachable, smm.shutdown-frees, smm.scope
fn blocks_go_with_the_manager() -> TestResult {
    let manager = SharedMemoryManager::start()?;
    let lists: Vec<_> =
        (5..10).map(|len| manager.shareable_list(0..len)).collect::<Result<_, _>>()?;
    let blocks: Vec<_> = (2..8).map(|n| manager.shared_memory(16 * n)).collect::<Result<_, _>>()?;
    for (list, len) in lists.iter().zip(5..) {
        assert_eq!(ShareableList::open(list.memory().name())?.len(), len);
    }
    for (block, n) in blocks.iter().zip(2..) {
        assert!(16 * n <= SharedMemory::open(block.name())?.size());
    }
    let names = manager.list_segments()?;
    assert_eq!(names.len(), 11);
    manager.shutdown()?;
    for name in names {
        assert!(SharedMemory::open(&name).is_err(), "{name}");
    }
    let howdy = {
        let manager = SharedMemoryManager::start()?;
        let list = manager.shareable_list("howdy".chars().map(|letter| letter.to_string()))?;
        list.memory().name().to_owned()
    };
    assert!(ShareableList::open(&howdy).is_err());
    Ok(())
}

// parity: smm.segment-bookkeeping
fn server_keeps_the_books() -> TestResult {
    let manager = SharedMemoryManager::start()?;
    let block = SharedMemory::create(64)?;
    manager.track_segment(block.name())?;
    assert_eq!(manager.list_segments()?, [block.name()]);
    manager.release_segment(block.name())?;
    assert!(SharedMemory::open(block.name()).is_err());
    assert!(manager.list_segments()?.is_empty());
    assert!(manager.release_segment(block.name()).is_err());
    Ok(())
}

// parity: smm.failed-tracking-cleans
fn block_that_cannot_be_tracked_is_freed() -> TestResult {
    let manager = SharedMemoryManager::start()?;
    let client = BaseManager::builder().address(manager.address()).connect()?;
    let client = SharedMemoryManager::from(client);
    manager.shutdown()?;
    let ours = || -> Result<usize, std::io::Error> {
        let names = std::fs::read_dir("/dev/shm")?;
        let mut open = 0;
        for name in names {
            // Only those of this size: other tests are at work too.
            open += usize::from(name?.metadata().is_ok_and(|data| data.len() == 12345));
        }
        Ok(open)
    };
    assert!(client.shared_memory(12345).unwrap_err().is_lost());
    assert_eq!(ours()?, 0);
    Ok(())
}

// parity: smm.one-tracker
fn nothing_is_left_to_be_said() -> TestResult {
    // This binary again, as a program that does nothing else: the exit of a process is where a
    // tracker speaks.
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", "manager::memory::uses_a_list", "--ignored", "--nocapture"])
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
    Ok(())
}

#[test]
#[ignore = "run by nothing_is_left_to_be_said"]
fn uses_a_list() {
    let manager = SharedMemoryManager::start().unwrap();
    let list = manager.shareable_list([1, 2, 3]).unwrap();
    assert_eq!(list.len(), 3);
    manager.shutdown().unwrap();
}

fn blocks_are_there_in_a_child(ctx: &Context) -> TestResult {
    let manager = SharedMemoryManager::builder().context(ctx.clone()).start()?;
    let manager = SharedMemoryManager::from(manager);
    let list = manager.shareable_list([1, 2, 3])?;
    ctx.start(change, (list.memory().name().to_owned(),))?.result()??;
    assert_eq!(list.get(0)?, 5.into());
    Ok(())
}

fn change(name: String) -> Result<(), Failure> {
    Ok(ShareableList::open(&name)?.set(0, 5)?)
}
