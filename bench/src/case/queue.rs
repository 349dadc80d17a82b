//! Items through a queue, beside a bare ring in shared memory.

use std::{hint::black_box, time::Duration};

use multiproc::{Context, Event, Function, Plain, Process, Queue, queue::PlainVec};

use super::{Case, Figures};
use crate::{
    Result,
    machine::{now_us, pin_to_number},
    raw::{self, Flow},
};

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// Processes on one core put so many items in all, as many on another take them.
    Flow { item: Item, pairs: usize, count: u32 },
    /// A number through one queue and back through another.
    RoundTrip { cross: bool },
}

/// What is put.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item {
    /// Small numbers that serde writes.
    Serde,
    /// Numbers that are copied.
    Plain,
    /// 64 bytes.
    Short,
    /// 4 KiB.
    Page,
    /// 1 MiB.
    Long,
}

impl Item {
    fn bytes(self) -> usize {
        match self {
            Self::Serde | Self::Plain => 8,
            Self::Short => 64,
            Self::Page => 4 << 10,
            Self::Long => 1 << 20,
        }
    }
}

/// Measures one of them.
pub(super) struct Queues(pub(super) What);

const TRIPS: u32 = 50_000;
const GIB: f64 = (1u64 << 30) as f64;

impl Case for Queues {
    fn ours(&mut self) -> Result<Figures> {
        Ok(vec![match self.0 {
            What::RoundTrip { cross } => round_trip(cross)?,
            What::Flow { item, pairs, count } => {
                let share = count / pairs as u32;
                let us = match item {
                    Item::Serde => flow(Queue::new()?, pairs, share, put_small, take_small)?,
                    Item::Plain => flow(Queue::new()?, pairs, share, put_numbers, take_numbers)?,
                    Item::Short => flow(Queue::new()?, pairs, share, put_arrays, take_arrays)?,
                    Item::Page => flow(Queue::new()?, pairs, share, put_pages, take_vectors)?,
                    Item::Long => flow(Queue::new()?, pairs, share, put_megabytes, take_vectors)?,
                };
                rate(item, share * pairs as u32, us)
            }
        }])
    }

    fn limit(&mut self) -> Result<Figures> {
        Ok(vec![match self.0 {
            What::RoundTrip { cross } => raw::word_trip(TRIPS, cross)?,
            What::Flow { item, pairs, count } => {
                let share = count / pairs as u32;
                let us = raw::ring_flow(Flow { bytes: item.bytes(), pairs, share })?;
                rate(item, share * pairs as u32, us)
            }
        }])
    }
}

/// Up to a page, what counts is how many; above, how much.
fn rate(item: Item, count: u32, us: f64) -> f64 {
    let items = f64::from(count) / us;
    if item.bytes() < 4096 { items } else { items * 1e6 * item.bytes() as f64 / GIB }
}

/// Microseconds from the word to go until the last item has been taken.
fn flow<T, C, P, G>(q: Queue<T, C>, pairs: usize, share: u32, put: P, take: G) -> Result<f64>
where
    T: 'static,
    C: 'static,
    P: Function<(Queue<T, C>, Event, u32), Output = ()> + Copy,
    G: Function<(Queue<T, C>, u32), Output = f64> + Copy,
{
    let go = Event::new()?;
    let ctx = Context::fork();
    let mut consumers: Vec<Process<f64>> = Vec::new();
    let mut producers: Vec<Process<()>> = Vec::new();
    for _ in 0..pairs {
        consumers.push(ctx.start(take, (q.clone(), share))?);
        producers.push(ctx.start(put, (q.clone(), go.clone(), share))?);
    }
    // Until all have taken their seats.
    std::thread::sleep(Duration::from_millis(20));
    let begin = now_us();
    go.set();
    let mut end = begin;
    for consumer in consumers {
        end = consumer.result()?.max(end);
    }
    producers.iter().try_for_each(Process::join)?;
    Ok(end - begin)
}

/// Takes a producer's seat and puts so many items.
fn produce(go: &Event, count: u32, put: impl FnMut(u32)) {
    pin_to_number(0).expect("the bench runs on two cores");
    let _ = go.wait();
    (0..count).for_each(put);
}

const OPEN: &str = "nobody ends the queue";

fn put_small(q: Queue<u64>, go: Event, count: u32) {
    produce(&go, count, |number| q.put(u64::from(number % 100)).expect(OPEN));
}

fn put_numbers(q: Queue<u64, Plain>, go: Event, count: u32) {
    produce(&go, count, |number| q.put(u64::from(number)).expect(OPEN));
}

fn put_arrays(q: Queue<[u64; 8], Plain>, go: Event, count: u32) {
    produce(&go, count, |number| q.put([u64::from(number); 8]).expect(OPEN));
}

fn put_pages(q: Queue<Vec<u8>, PlainVec>, go: Event, count: u32) {
    let item = vec![7; Item::Page.bytes()];
    produce(&go, count, |_| q.put_ref(black_box(&item)).expect(OPEN));
}

fn put_megabytes(q: Queue<Vec<u8>, PlainVec>, go: Event, count: u32) {
    let item = vec![7; Item::Long.bytes()];
    produce(&go, count, |_| q.put_ref(black_box(&item)).expect(OPEN));
}

/// Takes a consumer's seat and so many items, and returns the moment at which it has them.
fn consume<T>(count: u32, mut take: impl FnMut() -> T) -> f64 {
    pin_to_number(1).expect("the bench runs on two cores");
    for _ in 0..count {
        black_box(take());
    }
    now_us()
}

fn take_small(q: Queue<u64>, count: u32) -> f64 {
    consume(count, || q.get().expect(OPEN))
}

fn take_numbers(q: Queue<u64, Plain>, count: u32) -> f64 {
    consume(count, || q.get().expect(OPEN))
}

fn take_arrays(q: Queue<[u64; 8], Plain>, count: u32) -> f64 {
    consume(count, || q.get().expect(OPEN))
}

fn take_vectors(q: Queue<Vec<u8>, PlainVec>, count: u32) -> f64 {
    consume(count, || q.get().expect(OPEN))
}

/// Microseconds there and back.
fn round_trip(cross: bool) -> Result<f64> {
    let (there, back) = (Queue::<u64, Plain>::new()?, Queue::<u64, Plain>::new()?);
    pin_to_number(0)?;
    let other = Context::fork().start(answer, (there.clone(), back.clone(), cross))?;
    let begin = now_us();
    for number in 0..u64::from(TRIPS) {
        there.put(number)?;
        if back.get()? != number {
            return Err("another number came back".into());
        }
    }
    let figure = (now_us() - begin) / f64::from(TRIPS);
    other.join()?;
    Ok(figure)
}

fn answer(there: Queue<u64, Plain>, back: Queue<u64, Plain>, cross: bool) {
    pin_to_number(usize::from(cross)).expect("the bench runs on two cores");
    for _ in 0..TRIPS {
        back.put(there.get().expect(OPEN)).expect(OPEN);
    }
}
