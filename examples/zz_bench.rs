use std::time::Instant;
use multiproc::{Pool, Context};
fn sq(x: i64) -> i64 { x.wrapping_mul(x) }
fn main() {
    multiproc::init();
    let pool = Pool::builder().processes(2).context(Context::forkserver()).build().unwrap();
    pool.map(sq, 0..1000).unwrap();
    for _ in 0..3 {
        let t = Instant::now(); let v = pool.map(sq, 0..1_000_000i64).unwrap(); assert_eq!(v.len(), 1_000_000); println!("map1m {:?}", t.elapsed());
        let t = Instant::now(); let v = pool.chunksize(1).map(sq, 0..50_000i64).unwrap(); assert_eq!(v.len(), 50_000); println!("single50k {:?}", t.elapsed());
        let t = Instant::now(); let n = pool.imap_unordered(sq, 0..50_000i64).count(); assert_eq!(n, 50_000); println!("imap_unordered50k {:?}", t.elapsed());
        let t = Instant::now(); for i in 0..5000i64 { pool.apply(sq, (i,)).unwrap(); } println!("apply {:?}", t.elapsed()/5000);
        let mut best = vec![]; for i in 0..50i64 { std::thread::sleep(std::time::Duration::from_millis(5)); let t = Instant::now(); pool.apply(sq, (i,)).unwrap(); best.push(t.elapsed()); } best.sort(); println!("apply parked {:?}", best[25]);
        let t = Instant::now(); let s = "x".repeat(100 << 20); let b = t.elapsed(); let t = Instant::now(); let r = pool.apply(|s: String| s, (s,)).unwrap(); println!("100m {:?} (make {b:?}) {}", t.elapsed(), r.len());
    }
    for ctx in [Context::fork(), Context::spawn(), Context::forkserver()] {
        let mut all = vec![]; for _ in 0..15 { let t = Instant::now(); let p = Pool::builder().processes(4).context(ctx.clone()).build().unwrap(); p.apply(sq, (1,)).unwrap(); p.close(); p.join().unwrap(); all.push(t.elapsed()); } all.sort(); println!("life {:?} {:?}", ctx.get_start_method(), all[7]);
    }
}
