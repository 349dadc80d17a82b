//! Sums a row of numbers that lies in memory which four processes share.
//!
//! ```console
//! $ cargo run --example shared_memory
//! 250000 numbers of Process-1 sum up to 31250125000
//! 250000 numbers of Process-2 sum up to 93750125000
//! 250000 numbers of Process-3 sum up to 156250125000
//! 250000 numbers of Process-4 sum up to 218750125000
//! all 1000000 sum up to 500000500000
//! ```
//!
//! Python: `shm = SharedMemory(create=True, size=8_000_000)`, and `ShareableList([None] * 4)` for the sums.

use std::error::Error;

use multiproc::{
    Failure,
    shared_memory::{Item, ShareableList, SharedMemory},
};

const NUMBERS: usize = 1_000_000;
const PROCESSES: usize = 4;
const SIZE: usize = size_of::<u64>();

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    let memory = SharedMemory::create(NUMBERS * SIZE)?;
    let numbers: Vec<u64> = (1..=NUMBERS as u64).collect();
    memory.buf().set_all(0, &numbers)?;
    let sums = ShareableList::new(vec![Item::None; PROCESSES])?;

    let mut processes = Vec::new();
    for part in 0..PROCESSES {
        // The memory goes along as a descriptor, the list by its name: either would do for both.
        let name = sums.memory().name().to_owned();
        processes.push(multiproc::spawn(sum, (memory.clone(), name, part))?);
    }
    for process in &processes {
        println!("{}", process.result()??);
    }
    let mut total = 0;
    for item in sums.iter() {
        if let Item::Int(sum) = item? {
            total += sum;
        }
    }
    println!("all {NUMBERS} sum up to {total}");
    sums.memory().unlink()?;
    memory.unlink()?;
    Ok(())
}

fn sum(memory: SharedMemory, sums: String, part: usize) -> Result<String, Failure> {
    let mut numbers = vec![0u64; NUMBERS / PROCESSES];
    memory.buf().get_all(part * numbers.len() * SIZE, &mut numbers)?;
    let sum: u64 = numbers.iter().sum();
    ShareableList::open(&sums)?.set(part as isize, sum as i64)?;
    let name = multiproc::current_process().name().to_owned();
    Ok(format!("{} numbers of {name} sum up to {sum}", numbers.len()))
}
