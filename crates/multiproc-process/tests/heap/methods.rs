//! Every way from one process to another.

use std::{
    collections::BTreeMap,
    sync::{OnceLock, atomic::Ordering::Relaxed},
};

use multiproc_connection::{Connection, pipe};
use multiproc_process::{Context, Failure, OnPreloadError, set_forkserver_preload};
use multiproc_shm::{Block, heap};
use serde::{Deserialize, Serialize};

use crate::support::{block, contexts, eventually, is_without_locks, watchdog};

#[derive(Serialize, Deserialize)]
struct Job {
    name: String,
    blocks: BTreeMap<u32, Block>,
    same: Block,
}

fn work(job: Job, line: Connection<Block, Block>) -> Block {
    assert_eq!(job.name, "job");
    for (number, block) in &job.blocks {
        assert_eq!(block.atomic_u32(4).load(Relaxed), *number);
        block.atomic_u32(4).store(number + 1000, Relaxed);
    }
    assert_eq!(job.same.as_ptr(), job.blocks[&3].as_ptr(), "the same memory is at one address");
    assert!(job.same.handles_here() >= 2);
    let message = line.recv().unwrap();
    assert_eq!(message.atomic_u64(8).load(Relaxed), 5);
    message.atomic_u64(8).store(6, Relaxed);
    line.send(&message).unwrap();
    let ours = block(40);
    ours.atomic_u64(32).store(7, Relaxed);
    ours
}

#[test]
fn blocks_are_arguments_fields_messages_and_results() {
    for context in contexts() {
        let blocks: BTreeMap<u32, Block> = (0..50).map(|number| (number, block(8))).collect();
        for (number, block) in &blocks {
            block.atomic_u32(4).store(*number, Relaxed);
        }
        let job = Job { name: "job".to_owned(), same: blocks[&3].clone(), blocks };
        let kept = job.blocks.clone();
        let (ours, theirs) = pipe().unwrap();
        let child = context.start(work, (job, theirs)).unwrap();

        let sent = block(16);
        sent.atomic_u64(8).store(5, Relaxed);
        ours.send(&sent).unwrap();
        let home = ours.recv().unwrap();
        assert_eq!(home.as_ptr(), sent.as_ptr(), "it has come home");
        assert_eq!(sent.atomic_u64(8).load(Relaxed), 6);
        drop((ours, home));

        let result = child.result().unwrap();
        assert_eq!((result.len(), result.atomic_u64(32).load(Relaxed)), (40, 7));
        for (number, block) in &kept {
            assert_eq!(block.atomic_u32(4).load(Relaxed), number + 1000);
        }
        if !is_without_locks() {
            // The child has ended, and with it its handles; ours and the child's segment remain.
            eventually(|| !sent.is_held_elsewhere() && !result.is_held_elsewhere());
        }
    }
}

fn hold(line: Connection<(), ()>, blocks: (Block, Block)) {
    let (first, second) = blocks;
    line.send(&()).unwrap();
    line.recv().unwrap();
    drop(first);
    line.send(&()).unwrap();
    line.recv().unwrap();
    drop(second);
}

#[test]
fn it_is_known_whether_others_hold_a_block() {
    if is_without_locks() {
        return;
    }
    for context in contexts() {
        let blocks = (block(8), block(8));
        assert!(!blocks.0.is_held_elsewhere() && !blocks.1.is_held_elsewhere());
        let (ours, theirs) = pipe().unwrap();
        let child = context.start(hold, (theirs, blocks.clone())).unwrap();
        ours.recv().unwrap();
        assert!(blocks.0.is_held_elsewhere() && blocks.1.is_held_elsewhere());
        ours.send(&()).unwrap();
        ours.recv().unwrap();
        // A forked child also has a copy of the arguments that its parent still holds.
        if context.get_start_method().to_string() != "fork" {
            assert!(!blocks.0.is_held_elsewhere() && blocks.1.is_held_elsewhere());
        }
        ours.send(&()).unwrap();
        child.join().unwrap();
        eventually(|| !blocks.1.is_held_elsewhere() && !blocks.0.is_held_elsewhere());
    }
}

fn make(count: usize) -> Vec<Block> {
    (0..count).map(|_| block(64)).collect()
}

#[test]
fn a_message_of_a_thousand_blocks_is_a_few_descriptors() {
    for context in contexts() {
        let before = heap::usage();
        let child = context.start(make, (1000,)).unwrap();
        let blocks = child.result().unwrap();
        assert_eq!(blocks.len(), 1000);
        let now = heap::usage();
        assert!(now.received - before.received <= 2, "{now:?}");
        drop(blocks);
    }
}

static PRELOADED: OnceLock<Block> = OnceLock::new();

fn preload() {
    let made = PRELOADED.get_or_init(|| block(8));
    made.atomic_u64(0).store(77, Relaxed);
}

fn give_preloaded() -> Option<(Block, usize, usize)> {
    let usage = heap::usage();
    PRELOADED.get().map(|block| (block.clone(), usage.segments, usage.received))
}

#[test]
fn children_of_the_fork_server_have_what_was_preloaded() {
    watchdog();
    // In a process of its own, whose server is its own too.
    let process = Context::spawn().process().daemon(false).start(use_preloaded, ()).unwrap();
    process.result().unwrap().unwrap();
}

fn use_preloaded() -> Result<(), Failure> {
    multiproc_process::stop_forkserver();
    set_forkserver_preload(preload, OnPreloadError::Fail);
    let start = || Context::forkserver().start(give_preloaded, ());
    let given = || -> Result<_, Failure> {
        let given = start()?.result()?;
        given.ok_or_else(|| Failure::new("nothing was preloaded"))
    };
    let (first, segments, received) = given()?;
    assert_eq!((segments, received), (0, 1), "the server has made it, the child has inherited it");
    let (second, ..) = given()?;
    assert_eq!(first.as_ptr(), second.as_ptr());
    drop(first);
    let (third, ..) = given()?;
    assert!(third.is_held_elsewhere(), "by the server, whatever its children drop");
    assert_eq!(third.atomic_u64(0).load(Relaxed), 77);
    Ok(())
}
