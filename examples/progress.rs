//! Shows how far a long computation has come: items a second, time left, failures.
//!
//! ```console
//! $ cargo run --example progress
//! numbers, 42 failed [#####>        ] 2134/5000 4310/s, 1s left
//! 635 primes below 5000, 100 numbers were too unlucky
//! ```
//!
//! The bar is on stderr, if that is a terminal. Python: `tqdm(pool.imap_unordered(f, items), total=n)`.

use std::error::Error;

use multiproc::Pool;

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    const COUNT: u32 = 5000;
    let pool = Pool::builder().build()?;
    let (mut primes, mut failed) = (0, 0);
    for result in pool.imap_unordered(is_prime, 0..COUNT).chunksize(10).progress("numbers") {
        match result {
            Ok(is_prime) => primes += u32::from(is_prime),
            Err(_) => failed += 1,
        }
    }
    println!("{primes} primes below {COUNT}, {failed} numbers were too unlucky");
    Ok(())
}

/// Refuses one number in fifty: a function that panics costs its item only.
fn is_prime(number: u32) -> bool {
    if number % 50 == 13 {
        // As a panic that nobody prints.
        std::panic::resume_unwind(Box::new("thirteen"));
    }
    number > 1 && (2..).take_while(|x| x * x <= number).all(|x| !number.is_multiple_of(x))
}
