//! Forks: both sides hold what was held, and neither lets go for the other.

use std::{sync::Arc, thread};

use multiproc_connection::{Connection, pipe};
use multiproc_process::{Context, Failure};
use multiproc_shm::{Block, heap};
use multiproc_sys::primitive::{AtomicBool, Ordering::Relaxed};

use crate::support::{Random, block, check, eventually, is_without_locks, mark, watchdog};

/// Runs `test` in a process of its own, with a heap of its own and one thread.
fn alone(test: impl multiproc_image::Function<(), Output = Result<(), Failure>>) {
    watchdog();
    let process = Context::spawn().process().daemon(false).start(test, ()).unwrap();
    process.result().unwrap().unwrap();
}

fn blocks(count: u64) -> Vec<Block> {
    let blocks: Vec<Block> = (0..count).map(|_| block(64)).collect();
    (0..).zip(&blocks).for_each(|(word, block)| mark(block, word));
    blocks
}

// parity: heap.after-fork-reset
#[test]
fn child_begins_with_a_heap_of_its_own_and_keeps_what_it_inherits() {
    alone(|| {
        let inherited = blocks(500);
        let before = heap::usage();
        assert_eq!((before.segments, before.received, before.held), (1, 0, 500));
        let (ours, theirs) = pipe::<(), ()>()?;
        let child = Context::fork().start(inherit, (inherited.clone(), theirs))?;
        ours.recv()?;
        drop(inherited);
        // The child still has what we have let go, so it is not to be had again.
        let now = heap::usage();
        assert_eq!((now.held, now.lent, now.segments), (0, 500, 1));
        let others = blocks(500);
        others.iter().for_each(|block| mark(block, u64::MAX));
        ours.send(&())?;
        child.result()??;
        if !is_without_locks() {
            eventually(|| heap::usage().lent == 0);
        }
        others.iter().for_each(|block| check(block, u64::MAX));
        Ok(())
    });
}

fn inherit(inherited: Vec<Block>, line: Connection<(), ()>) -> Result<(), Failure> {
    let first = heap::usage();
    assert_eq!((first.segments, first.bytes, first.received, first.held), (0, 0, 1, 500));
    line.send(&())?;
    line.recv()?;
    (0..).zip(&inherited).for_each(|(word, block)| check(block, word));
    let ours = block(64);
    assert_eq!(heap::usage().segments, 1);
    mark(&ours, 7);
    (0..).zip(&inherited).for_each(|(word, block)| check(block, word));
    Ok(())
}

#[test]
fn what_the_child_drops_stays_with_the_parent() {
    alone(|| {
        let kept = blocks(500);
        for _ in 0..5 {
            let child = Context::fork().start(drop_at_random, (kept.clone(),))?;
            child.result()??;
            let others = blocks(100);
            others.iter().for_each(|block| mark(block, u64::MAX));
            (0..).zip(&kept).for_each(|(word, block)| check(block, word));
        }
        Ok(())
    });
}

fn drop_at_random(mut blocks: Vec<Block>) -> Result<(), Failure> {
    let mut random = Random::new();
    while !blocks.is_empty() {
        blocks.swap_remove(random.below(blocks.len() as u64) as usize);
    }
    Ok(())
}

#[test]
fn parent_and_descendants_drop_at_random_and_nothing_is_used_twice() {
    alone(|| {
        let before = heap::usage();
        descend(Vec::new(), 0)?;
        if !is_without_locks() {
            eventually(|| heap::usage().lent == before.lent && heap::usage().held == before.held);
        }
        Ok(())
    });
}

/// Each generation drops a part of what it has inherited, makes its own and forks two more; all look at what they have.
fn descend(mut held: Vec<(Block, u64)>, depth: u64) -> Result<(), Failure> {
    let mut random = Random::new();
    let mut children = Vec::new();
    for number in 0..2 {
        for _ in 0..200 {
            let word = random.below(u64::MAX);
            let made = block(8 * (1 + random.below(12) as usize));
            made.bytes().to_vec().iter().for_each(|byte| assert_eq!(*byte, 0));
            mark(&made, word);
            held.push((made, word));
            if random.below(3) > 0 {
                let (gone, word) = held.swap_remove(random.below(held.len() as u64) as usize);
                check(&gone, word);
            }
        }
        if depth < 3 {
            children.push(Context::fork().start(descend, (held.clone(), depth + 1))?);
        }
        held.retain(|_| random.below(3 + number) > 0);
        held.iter().for_each(|(block, word)| check(block, *word));
    }
    for child in children {
        child.result()??;
        held.iter().for_each(|(block, word)| check(block, *word));
    }
    Ok(())
}

#[test]
fn forks_amid_threads_that_use_the_heap() {
    alone(|| {
        let done = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let done = Arc::clone(&done);
                thread::spawn(move || {
                    let mut random = Random::new();
                    let mut held: Vec<(Block, u64)> = Vec::new();
                    while !done.load(Relaxed) {
                        let (made, word) = (block(24), random.below(u64::MAX));
                        mark(&made, word);
                        let sent = multiproc_wire::encode(&made).unwrap();
                        drop(made);
                        held.push((sent.decode().unwrap(), word));
                        if held.len() > 50 {
                            let at = random.below(50) as usize;
                            let (gone, word) = held.swap_remove(at);
                            check(&gone, word);
                        }
                    }
                })
            })
            .collect();
        let ours = blocks(20);
        for _ in 0..100 {
            let child = Context::fork().allow_threads().start(use_heap, (ours.clone(),))?;
            child.result()??;
        }
        (0..).zip(&ours).for_each(|(word, block)| check(block, word));
        done.store(true, Relaxed);
        for worker in workers {
            worker.join().map_err(|_| Failure::new("a thread has failed"))?;
        }
        drop(ours);
        if !is_without_locks() {
            eventually(|| heap::usage().lent == 0);
        }
        Ok(())
    });
}

fn use_heap(inherited: Vec<Block>) -> Result<(), Failure> {
    let ours = blocks(20);
    (0..).zip(&inherited).for_each(|(word, block)| check(block, word));
    drop(inherited);
    (0..).zip(&ours).for_each(|(word, block)| check(block, word));
    let home: Vec<Block> = multiproc_wire::encode(&ours)?.decode()?;
    assert_eq!(home[0].as_ptr(), ours[0].as_ptr());
    Ok(())
}

#[test]
fn child_does_not_keep_alive_what_its_killed_parent_held() {
    if is_without_locks() {
        return;
    }
    alone(|| {
        let (ours, theirs) = pipe::<(), bool>()?;
        let parent = Context::fork().start(make_and_fork, (theirs,))?;
        assert!(ours.recv()?, "both hold it");
        parent.kill()?;
        parent.join()?;
        ours.send(&())?;
        assert!(!ours.recv()?, "the child alone holds it");
        Ok(())
    });
}

fn make_and_fork(line: Connection<bool, ()>) -> Result<(), Failure> {
    let made = block(8);
    let child = Context::fork().start(outlive, (made.clone(), line))?;
    child.join()?;
    drop(made);
    Ok(())
}

fn outlive(inherited: Block, line: Connection<bool, ()>) -> Result<(), Failure> {
    line.send(&inherited.is_held_elsewhere())?;
    line.recv()?;
    eventually(|| !inherited.is_held_elsewhere());
    Ok(line.send(&inherited.is_held_elsewhere())?)
}
