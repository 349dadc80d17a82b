//! Calls in two workers: our pools, rayon, procspawn, and the two pools of Python.
//!
//! Not the same service: rayon's workers are threads, which share all they have with the caller and end with it; procspawn
//! has no `map`, so its chunks are made by hand.

use std::{hint::black_box, process::Command, time::Instant};

use multiproc::{Pool, ThreadPool};
use rayon::prelude::*;

use crate::{Result, middle};

const ROUNDS: usize = 5;
const WORKERS: usize = 2;
/// How many numbers are squared in chunks, and in how many chunks, as Python's pool would cut them.
const MANY: i64 = 1_000_000;
const CHUNKS: i64 = 8;
/// How many calls there are of one number each, and how many one after the other.
const SINGLE: i64 = 20_000;
const CALLS: i64 = 500;
/// How many calls of procspawn's are under way at once.
const WINDOW: usize = 100;

/// What one of them takes for: numbers in chunks, calls of one number, one call after the other, its whole life.
type Figures = [f64; 4];

/// Prints a table of times.
pub(crate) fn compare() -> Result<()> {
    let head = ["1M in chunks, ms", "20k calls, ms", "one call, us", "made to ended, ms"];
    println!("{:24} {:>17} {:>17} {:>17} {:>17}", "", head[0], head[1], head[2], head[3]);
    row("multiproc", ours)?;
    row("multiproc, plain data", plain)?;
    row("multiproc, threads", threads)?;
    row("rayon", rayon)?;
    row("procspawn", procspawn)?;
    for name in ["Pool", "ProcessPoolExecutor"] {
        match python(name) {
            Ok(figures) => show(&format!("Python, {name}"), figures),
            Err(err) => println!("Python, {name}: {err}"),
        }
    }
    Ok(())
}

/// Measures one of them, and prints the middle figures.
fn row(name: &str, measure: fn() -> Result<Figures>) -> Result<()> {
    let mut figures: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for (all, figure) in figures.iter_mut().zip(measure()?) {
            all.push(figure);
        }
    }
    show(name, figures.map(middle));
    Ok(())
}

fn show(name: &str, [many, single, call, life]: Figures) {
    let figures = [many, single, call, life];
    let [many, single, call, life] =
        figures.map(|figure| if figure.is_nan() { "-".into() } else { format!("{figure:.1}") });
    println!("{name:24} {many:>17} {single:>17} {call:>17} {life:>17}");
}

/// How many milliseconds something takes.
fn time<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let begin = Instant::now();
    black_box(work()?);
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

fn square(x: i64) -> i64 {
    x.wrapping_mul(x)
}

fn ours() -> Result<Figures> {
    let pool = Pool::new(WORKERS)?;
    pool.map(square, 0..1000)?;
    Ok([
        time(|| Ok(pool.map(square, 0..MANY)?))?,
        time(|| Ok(pool.chunksize(1).map(square, 0..SINGLE)?))?,
        time(|| Ok((0..CALLS).try_for_each(|x| pool.apply(square, (x,)).map(drop))?))? * 1e3
            / CALLS as f64,
        time(|| {
            let pool = Pool::new(WORKERS)?;
            pool.apply(square, (3,))?;
            pool.close();
            Ok(pool.join()?)
        })?,
    ])
}

fn plain() -> Result<Figures> {
    let pool = Pool::new(WORKERS)?;
    let plain = pool.plain();
    plain.map(square, 0..1000)?;
    Ok([
        time(|| Ok(plain.map(square, 0..MANY)?))?,
        time(|| Ok(plain.chunksize(1).map(square, 0..SINGLE)?))?,
        f64::NAN,
        f64::NAN,
    ])
}

fn threads() -> Result<Figures> {
    let pool = ThreadPool::new(WORKERS)?;
    pool.map(square, 0..1000)?;
    Ok([
        time(|| Ok(pool.map(square, 0..MANY)?))?,
        time(|| Ok(pool.chunksize(1).map(square, 0..SINGLE)?))?,
        time(|| Ok((0..CALLS).try_for_each(|x| pool.apply(square, (x,)).map(drop))?))? * 1e3
            / CALLS as f64,
        time(|| {
            let pool = ThreadPool::new(WORKERS)?;
            pool.apply(square, (3,))?;
            pool.close();
            Ok(pool.join()?)
        })?,
    ])
}

fn rayon() -> Result<Figures> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build()?;
    let collect = |pool: &rayon::ThreadPool, count, most| {
        pool.install(|| {
            (0..count as usize)
                .into_par_iter()
                .with_max_len(most)
                .map(|x| square(x as i64))
                .collect()
        })
    };
    let _: Vec<i64> = collect(&pool, 1000, usize::MAX);
    Ok([
        time(|| Ok::<Vec<i64>, _>(collect(&pool, MANY, usize::MAX)))?,
        time(|| Ok::<Vec<i64>, _>(collect(&pool, SINGLE, 1)))?,
        time(|| Ok((0..CALLS).for_each(|x| _ = black_box(pool.install(|| square(x))))))? * 1e3
            / CALLS as f64,
        time(|| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build()?;
            Ok(pool.install(|| square(3)))
        })?,
    ])
}

fn procspawn() -> Result<Figures> {
    let pool = procspawn::Pool::new(WORKERS)?;
    pool.spawn(3, square).join()?;
    Ok([
        time(|| {
            let size = MANY / CHUNKS;
            let chunks: Vec<_> = (0..CHUNKS)
                .map(|chunk| (chunk * size..(chunk + 1) * size).collect::<Vec<i64>>())
                .map(|chunk| pool.spawn(chunk, |chunk| chunk.into_iter().map(square).collect()))
                .collect();
            let mut all: Vec<i64> = Vec::new();
            for chunk in chunks {
                all.extend::<Vec<i64>>(chunk.join()?);
            }
            Ok(all)
        })?,
        time(|| {
            // Each call that is under way costs a descriptor.
            let mut all = Vec::new();
            for first in (0..SINGLE).step_by(WINDOW) {
                let window = first..SINGLE.min(first + WINDOW as i64);
                let calls: Vec<_> = window.map(|x| pool.spawn(x, square)).collect();
                for call in calls {
                    all.push(call.join()?);
                }
            }
            Ok(all)
        })?,
        time(|| Ok((0..CALLS).try_for_each(|x| pool.spawn(x, square).join().map(drop))?))? * 1e3
            / CALLS as f64,
        time(|| {
            let pool = procspawn::Pool::new(WORKERS)?;
            pool.spawn(3, square).join()?;
            pool.shutdown();
            Ok(())
        })?,
    ])
}

/// Runs the script beside this file.
fn python(name: &str) -> Result<Figures> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pools.py");
    let sizes = [WORKERS as i64, MANY, CHUNKS, SINGLE, CALLS].map(|size| size.to_string());
    let output = Command::new("python3").arg(script).arg(name).args(sizes).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let figures =
        text.split_whitespace().map(str::parse).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(figures.try_into().map_err(|_| "the script printed something else")?)
}
