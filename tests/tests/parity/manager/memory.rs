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
}

each_start_method! { blocks_are_there_in_a_child, nothing_is_left_to_be_said }

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
    // Only those of this size: other tests are at work too.
    let size = 1_000_000 + std::process::id() as usize;
    let ours = || -> Result<usize, std::io::Error> {
        let names = std::fs::read_dir("/dev/shm")?;
        let mut open = 0;
        for name in names {
            open += usize::from(name?.metadata().is_ok_and(|data| data.len() == size as u64));
        }
        Ok(open)
    };
    assert!(client.shared_memory(size).unwrap_err().is_lost());
    assert_eq!(ours()?, 0);
    Ok(())
}

// parity: smm.one-tracker
fn nothing_is_left_to_be_said(ctx: &Context) -> TestResult {
    // A program of its own: its exit is where a tracker speaks.
    let output = Command::new(env!("CARGO_BIN_EXE_scenes"))
        .args(["shared-list", &ctx.get_start_method().to_string()])
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3 items\n");
    assert_eq!(stderr, "");
    Ok(())
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
