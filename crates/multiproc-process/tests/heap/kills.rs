//! Holders that are killed: what they alone held comes back to its maker.

use multiproc_connection::{Connection, pipe};
use multiproc_process::{Context, Failure, get_context};
use multiproc_shm::{Block, heap};

use crate::support::{Random, alone, block, check, eventually, is_without_locks, mark};

/// Waits until nothing is lent any more, where that can be known.
fn all_back() {
    if !is_without_locks() {
        eventually(|| heap::usage().lent == 0);
    }
}

fn context(method: &str) -> Result<Context, Failure> {
    Ok(get_context(method)?.allow_threads())
}

fn take_and_drop(line: Connection<(), (Block, u64)>) {
    let mut random = Random::new();
    let mut held: Vec<(Block, u64)> = Vec::new();
    // Until it is killed, or nobody sends any more.
    while let Ok((block, word)) = line.recv() {
        check(&block, word);
        match random.below(4) {
            0 => drop(block),
            1 => {
                let message = multiproc_wire::encode(&block).unwrap();
                drop(block);
                held.push((message.decode().unwrap(), word));
            }
            _ => held.push((block, word)),
        }
        if random.below(3) == 0 && !held.is_empty() {
            let at = random.below(held.len() as u64) as usize;
            held.swap_remove(at);
        }
        held.iter().for_each(|(block, word)| check(block, *word));
    }
}

#[test]
fn blocks_come_back_from_one_killed_at_any_moment() {
    alone(kill_at_any_moment);
}

fn kill_at_any_moment(method: String) -> Result<(), Failure> {
    let context = context(&method)?;
    let mut random = Random::new();
    let kept = block(64);
    mark(&kept, 1);
    for round in 0..20 {
        let (ours, theirs) = pipe::<(Block, u64), ()>()?;
        let child = context.start(take_and_drop, (theirs,))?;
        for number in 0..random.below(60) {
            let sent = block(8 * (1 + number as usize % 5));
            mark(&sent, number + round);
            ours.send(&(sent, number + round))?;
            if random.below(8) == 0 {
                ours.send(&(kept.clone(), 1))?;
            }
        }
        random.dither();
        child.kill()?;
        child.join()?;
        drop(ours);
        all_back();
        assert_eq!(heap::usage().held, 1, "what we hold is still ours");
        check(&kept, 1);
    }
    Ok(())
}

fn pass_on(from: Connection<(), Block>, to: Connection<Block, Block>, ready: Connection<(), ()>) {
    let block = from.recv().unwrap();
    to.send(&block).unwrap();
    drop(block);
    ready.send(&()).unwrap();
    let _ = ready.recv();
}

fn wait_before_reading(to: Connection<Block, Block>, ready: Connection<Option<u64>, ()>) {
    ready.send(&None).unwrap();
    if ready.recv().is_ok() {
        let block = to.recv().unwrap();
        ready.send(&Some(block.bytes().get(0).unwrap())).unwrap();
        let _ = ready.recv();
    }
}

#[test]
fn unread_message_holds_its_block_whoever_has_sent_it() {
    alone(kill_the_sender);
}

fn kill_the_sender(method: String) -> Result<(), Failure> {
    let context = context(&method)?;
    // The last round kills the reader as well, before it has read.
    for reader_reads in [true, false] {
        let (ours, theirs) = pipe()?;
        let (near, far) = pipe()?;
        let (sender_line, sender_ready) = pipe()?;
        let (reader_line, reader_ready) = pipe()?;
        let sender = context.start(pass_on, (theirs, near, sender_ready))?;
        let reader = context.start(wait_before_reading, (far, reader_ready))?;
        let sent = block(64);
        mark(&sent, 42);
        ours.send(&sent)?;
        drop(sent);
        sender_line.recv()?;
        reader_line.recv()?;
        sender.kill()?;
        sender.join()?;

        let usage = heap::usage();
        assert_eq!((usage.lent, usage.held), (1, 0), "the message has it");
        let others: Vec<Block> = (0..2000).map(|_| block(64)).collect();
        others.iter().for_each(|block| mark(block, 7));
        if reader_reads {
            reader_line.send(&())?;
            assert_eq!(reader_line.recv()?, Some(42));
            assert_eq!(heap::usage().lent, 1, "the reader has it");
        }
        reader.kill()?;
        reader.join()?;
        drop((ours, sender_line, reader_line));
        all_back();
        others.iter().for_each(|block| check(block, 7));
        if is_without_locks() {
            return Ok(());
        }
    }
    Ok(())
}

fn make_and_give(line: Connection<Vec<Block>, ()>) {
    let blocks: Vec<Block> = (0..100).map(|_| block(100)).collect();
    (0..).zip(&blocks).for_each(|(word, block)| block.bytes().set(0, &(word as u64)).unwrap());
    line.send(&blocks).unwrap();
    let _ = line.recv();
}

#[test]
fn blocks_outlive_their_killed_maker() {
    alone(|method: String| {
        let (ours, theirs) = pipe::<(), Vec<Block>>()?;
        let child = context(&method)?.start(make_and_give, (theirs,))?;
        let blocks = ours.recv()?;
        assert!(is_without_locks() || blocks[0].is_held_elsewhere());
        child.kill()?;
        child.join()?;
        for (word, block) in (0u64..).zip(&blocks) {
            assert_eq!(block.bytes().get::<u64>(0)?, word);
        }
        if !is_without_locks() {
            eventually(|| blocks.iter().all(|block| !block.is_held_elsewhere()));
        }
        // They can be handed on when nobody is left who made them.
        let message = multiproc_wire::encode(&blocks)?;
        drop(blocks);
        let again: Vec<Block> = message.decode()?;
        assert_eq!(again[99].bytes().get::<u64>(0)?, 99);
        drop(again);
        assert_eq!(heap::usage().received, 0, "and their segment is gone with them");
        Ok(())
    });
}
