//! Scratch.
use std::time::Instant;
use multiproc_pool::Pool;
fn square(x: i64) -> i64 { x.wrapping_mul(x) }
fn main() {
    multiproc_image::entry::init();
    let what = std::env::args().nth(1).unwrap_or_default();
    let rounds: u32 = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(9);
    let pool = Pool::new(2).unwrap();
    pool.map(square, 0..1000).unwrap();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        match &*what {
            "map" => assert_eq!(pool.map(square, 0..1_000_000).unwrap().len(), 1_000_000),
            "single" => assert_eq!(pool.chunksize(1).map(square, 0..50_000).unwrap().len(), 50_000),
            "unordered" => assert_eq!(pool.imap_unordered(square, 0..50_000).filter(|r| r.is_ok()).count(), 50_000),
            "hot" => for x in 0..2000 { pool.apply(square, (x,)).unwrap(); },
            "parked" => {
                let mut all = Vec::new();
                for x in 0..40 {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    let started = Instant::now();
                    pool.apply(square, (x,)).unwrap();
                    all.push(started.elapsed());
                }
                all.sort();
                println!("parked {:?} {:?} {:?}", all[4], all[20], all[36]);
            }
            "bytes" => { 
                let s = "x".repeat(100_000_000);
                let t = Instant::now();
                pool.apply(|s: String| s, (s,)).unwrap();
                println!("bytes {:?}", t.elapsed());
            }
            _ => panic!("what?"),
        }
        times.push(started.elapsed());
    }
    times.sort();
    println!("{what}: median {:?} least {:?}", times[times.len() / 2], times[0]);
}
