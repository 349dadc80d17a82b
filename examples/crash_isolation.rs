//! Four tasks that would each take a program down, among many that are fine: four errors, and every other result.
//!
//! ```console
//! $ cargo run --example crash_isolation
//! task 3: worker was lost (signal 11)
//! task 7: worker was lost (signal 6)
//! task 11: worker was lost (signal 6), out of memory
//! task 15: task took longer than 3s
//! all other 16 results are right
//! ```
//!
//! Python: its pool waits for ever for the first of them.

use std::{error::Error, time::Duration};

use multiproc::Pool;

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::builder()
        .processes(2)
        .task_timeout(Duration::from_secs(3))
        .memory_limit(256 << 20)
        .build()?;
    let mut right = 0;
    for (number, result) in (0..).zip(pool.imap(task, 0..20u64)) {
        match result {
            Ok(square) => right += u32::from(square == number * number),
            Err(err) => println!("task {number}: {err}"),
        }
    }
    println!("all other {right} results are right");
    Ok(())
}

fn task(number: u64) -> u64 {
    match number {
        3 => dereference_null(),
        7 => std::process::abort(),
        11 => leak(),
        15 => loop {
            std::hint::spin_loop();
        },
        number => number * number,
    }
}

/// What a fault in a C library does.
#[expect(unsafe_code, reason = "no safe code reads what is not there")]
fn dereference_null() -> u64 {
    let pointer: *const u64 = std::hint::black_box(std::ptr::null());
    // SAFETY: The pointer is not valid, on purpose. A volatile read of it is one load from a page that the kernel lets
    // nobody map, so what comes next is SIGSEGV, and no code runs in this process after it.
    unsafe { pointer.read_volatile() }
}

fn leak() -> u64 {
    let mut leaked = Vec::new();
    loop {
        leaked.push(std::hint::black_box(Vec::<u8>::with_capacity(8 << 20)));
    }
}
