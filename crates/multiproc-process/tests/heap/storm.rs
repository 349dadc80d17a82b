//! Many processes pass blocks around, fork, and are killed; no block is ever somebody else's too.

use multiproc_connection::{Connection, pipe};
use multiproc_process::{Context, Failure, get_context};
use multiproc_shm::{Block, heap};

use crate::support::{Random, alone, block, check, eventually, is_without_locks, mark};

/// What goes from one to the next: blocks, and what stands in each.
type Parcel = Vec<(Block, u64)>;
type End = Connection<Parcel, Parcel>;

const WORKERS: usize = 4;
const KILLS: usize = 12;

#[test]
fn no_block_is_used_while_anybody_holds_it() {
    alone(storm);
}

fn storm(method: String) -> Result<(), Failure> {
    let context = get_context(method.as_str())?.allow_threads();
    let mut random = Random::new();
    // One pipe a worker: all send into all, each receives from its own. What is in it outlives its reader.
    let pipes: Vec<(End, End)> = (0..WORKERS).map(|_| pipe()).collect::<Result<_, _>>()?;
    let start = |number: usize| -> Result<_, Failure> {
        let inboxes: Vec<End> = pipes.iter().map(|(_, inbox)| duplicate(inbox)).collect();
        let outboxes: Vec<End> = pipes.iter().map(|(outbox, _)| duplicate(outbox)).collect();
        let inbox = inboxes.into_iter().nth(number).ok_or_else(|| Failure::new("no inbox"))?;
        Ok(context.start(work, (inbox, outboxes))?)
    };
    let mut workers = (0..WORKERS).map(start).collect::<Result<Vec<_>, _>>()?;
    let mut ours: Parcel = Vec::new();
    for kill in 0..KILLS {
        // A parcel for each worker; the killed take theirs along.
        for (outbox, _) in &pipes {
            let _ = outbox.try_send(&parcel(&mut random, &mut ours));
        }
        for _ in 0..50 {
            random.dither();
        }
        let victim = kill % WORKERS;
        workers[victim].kill()?;
        assert_eq!(
            workers[victim].exitcode().or_else(|| {
                let _ = workers[victim].join();
                workers[victim].exitcode()
            }),
            Some(-9),
            "it has found nothing wrong until then"
        );
        workers[victim] = start(victim)?;
        ours.iter().for_each(|(block, word)| check(block, *word));
    }
    for worker in &workers {
        worker.kill()?;
        worker.join()?;
        assert_eq!(worker.exitcode(), Some(-9));
    }
    ours.iter().for_each(|(block, word)| check(block, *word));
    drop((ours, pipes));
    if !is_without_locks() {
        eventually(|| heap::usage().lent == 0 && heap::usage().held == 0);
    }
    Ok(())
}

fn duplicate(end: &End) -> End {
    use std::os::fd::AsFd;
    Connection::from(end.as_fd().try_clone_to_owned().unwrap())
}

fn parcel(random: &mut Random, held: &mut Parcel) -> Parcel {
    let mut parcel = Parcel::new();
    for _ in 0..random.below(6) {
        let len = match random.below(20) {
            0 => 8 * random.below(2000) as usize,
            _ => 8 * (1 + random.below(16) as usize),
        };
        let (made, word) = (block(len), random.below(u64::MAX));
        check(&made, 0);
        mark(&made, word);
        held.push((made, word));
    }
    while random.below(4) > 0 && !held.is_empty() {
        let at = random.below(held.len() as u64) as usize;
        let (block, word) = held[at].clone();
        check(&block, word);
        parcel.push((block, word));
        if random.below(2) == 0 {
            held.swap_remove(at);
        }
    }
    while held.len() > 200 {
        let (gone, word) = held.swap_remove(random.below(held.len() as u64) as usize);
        check(&gone, word);
    }
    parcel
}

fn work(inbox: End, outboxes: Vec<End>) {
    let mut random = Random::new();
    let mut held = Parcel::new();
    while let Ok(received) = inbox.recv() {
        received.iter().for_each(|(block, word)| check(block, *word));
        held.extend(received);
        // One out for one in, so that there are never more parcels than the pipes hold.
        let parcel = parcel(&mut random, &mut held);
        let to = random.below(outboxes.len() as u64) as usize;
        let _ = outboxes[to].try_send(&parcel);
        if random.below(60) == 0 {
            let child = Context::fork().allow_threads().start(look, (held.clone(),)).unwrap();
            child.result().unwrap().unwrap();
        }
        held.iter().for_each(|(block, word)| check(block, *word));
    }
}

fn look(held: Parcel) -> Result<(), Failure> {
    held.iter().for_each(|(block, word)| check(block, *word));
    let mut random = Random::new();
    let mut ours = Parcel::new();
    let parcel = parcel(&mut random, &mut ours);
    parcel.iter().for_each(|(block, word)| check(block, *word));
    held.iter().for_each(|(block, word)| check(block, *word));
    Ok(())
}
