//! Producers and consumers killed at random: every item of a producer that lived arrives once, or was in the hands of a
//! killed consumer; order holds, nothing is torn, nobody hangs, nothing is left.

use std::{collections::HashMap, env, fs::File, os::fd::AsFd};

use multiproc::{Context, Failure, Process, Queue, queue::GetError, wire::Fd};
use multiproc_tests::{TestResult, alone, ledger::Ledger, once, random::Random};
use serde::{Deserialize, Serialize};

once! { killed_users_lose_at_most_what_they_hold }

/// How many kills there are in all, unless the environment says otherwise.
const KILLS: u32 = 2010;

/// So many kills there are of those who put and take in other ways than one item after the other.
const KILLS_OTHERWISE: u32 = 100;

/// The most items that a consumer takes at a time.
const BATCH: usize = 32;

/// What is put, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    /// Bytes, one after the other.
    Bytes,
    /// The same, many at a time.
    Batches,
    /// With a descriptor.
    Descriptors,
    /// Too long for shared memory: by way of a file.
    Long,
}

/// What is put: text of a length and content that its number determines, and a device as well.
#[derive(Serialize, Deserialize)]
struct Item {
    producer: u32,
    number: u32,
    filling: Vec<u8>,
    device: Option<Fd<File>>,
}

impl Item {
    fn new(kind: Kind, producer: u32, number: u32) -> Self {
        let device = (kind == Kind::Descriptors).then(|| Fd(device(number)));
        Self { producer, number, filling: filling(kind, producer, number), device }
    }

    fn check(&self, kind: Kind) {
        assert!(self.filling == filling(kind, self.producer, self.number), "torn");
        let identity = |file: &File| rustix::fs::fstat(file.as_fd()).map(|stat| stat.st_rdev);
        match &self.device {
            Some(Fd(found)) => assert_eq!(identity(found), identity(&device(self.number))),
            None => assert!(kind != Kind::Descriptors),
        }
    }
}

fn device(number: u32) -> File {
    let path = if number.is_multiple_of(3) { "/dev/zero" } else { "/dev/null" };
    File::open(path).expect("every system has it")
}

/// What a consumer has taken.
#[derive(Serialize, Deserialize)]
struct Seen {
    consumer: u32,
    producer: u32,
    number: u32,
}

/// What a producer has put that was told to stop.
#[derive(Serialize, Deserialize)]
struct Put {
    producer: u32,
    count: u32,
}

fn filling(kind: Kind, producer: u32, number: u32) -> Vec<u8> {
    let least = if kind == Kind::Long { 9 << 20 } else { 0 };
    vec![(producer ^ number) as u8; least + ((producer * 31 + number * 17) % 500) as usize]
}

fn killed_users_lose_at_most_what_they_hold() -> TestResult {
    alone(storms)
}

fn storms() -> Result<(), Failure> {
    let total = env::var("MULTIPROC_TEST_KILLS").ok().and_then(|kills| kills.parse().ok());
    let shapes = [(1, 1), (2, 2), (1, 4), (4, 1), (4, 4)];
    let bounds = [0, 3, 50];
    let kills = total.unwrap_or(KILLS) / (shapes.len() * bounds.len()) as u32;
    // What is made once and for all, such as the library's own threads and memory.
    storm(Kind::Descriptors, (1, 1), 1, 2)?;
    let before = Ledger::take();
    for shape in shapes {
        for bound in bounds {
            storm(Kind::Bytes, shape, bound, kills)?;
        }
    }
    let kills = total.unwrap_or(KILLS_OTHERWISE).min(KILLS_OTHERWISE);
    for bound in [0, 50] {
        storm(Kind::Batches, (2, 2), bound, kills)?;
        storm(Kind::Descriptors, (2, 2), bound, kills)?;
    }
    storm(Kind::Long, (2, 2), 3, kills / 10)?;
    before.check("storms")
}

/// The processes of one storm.
struct Field {
    kind: Kind,
    ctx: Context,
    items: Queue<Item>,
    seen: Queue<Seen>,
    put: Queue<Put>,
    stop: Queue<()>,
    next: u32,
}

impl Field {
    fn producer(&mut self) -> Result<Process<Result<(), Failure>>, Failure> {
        self.next += 1;
        let queues = (self.items.clone(), self.stop.clone(), self.put.clone());
        let arguments = (self.kind, self.next, queues);
        Ok(self.ctx.process().daemon(true).start(produce, arguments)?)
    }

    fn consumer(&mut self) -> Result<Process<Result<(), Failure>>, Failure> {
        self.next += 1;
        let arguments = (self.kind, self.next, self.items.clone(), self.seen.clone());
        Ok(self.ctx.process().daemon(true).start(consume, arguments)?)
    }
}

fn storm(
    kind: Kind,
    (producers, consumers): (usize, usize),
    bound: usize,
    kills: u32,
) -> Result<(), Failure> {
    let mut field = Field {
        kind,
        ctx: Context::fork().allow_threads(),
        items: Queue::bounded(bound)?,
        seen: Queue::new()?,
        put: Queue::new()?,
        stop: Queue::new()?,
        next: 0,
    };
    let mut random = Random::new();
    let mut living = Vec::new();
    for _ in 0..producers {
        living.push(field.producer()?);
    }
    for _ in 0..consumers {
        living.push(field.consumer()?);
    }
    let (mut report, mut killed_consumers) = (Report::default(), 0);
    for _ in 0..kills {
        random.dither();
        let victim = random.below(living.len() as u64) as usize;
        living[victim].kill()?;
        living[victim].join()?;
        if victim < producers {
            living[victim] = field.producer()?;
        } else {
            killed_consumers += 1;
            living[victim] = field.consumer()?;
        }
        // An item more, so that the survivors are known to go on.
        report.add(field.seen.get()?);
        for seen in field.seen.drain() {
            report.add(seen?);
        }
    }
    field.stop.shutdown(false);
    for producer in &living[..producers] {
        producer.result()??;
    }
    field.items.shutdown(false);
    for consumer in &living[producers..] {
        consumer.result()??;
    }
    field.seen.shutdown(false);
    for seen in field.seen.iter() {
        report.add(seen?);
    }
    let lived: Vec<Put> = field.put.drain().collect::<Result<_, _>>()?;
    assert_eq!(lived.len(), producers, "those that were not killed have put all they meant to");
    let lost = report.lost(&lived);
    println!(
        "{kind:?}, {producers}:{consumers}, bound {bound}: {} seen, {lost} lost",
        report.total()
    );
    let in_hands = if kind == Kind::Batches { BATCH as u32 } else { 1 };
    let most = killed_consumers * in_hands;
    assert!(lost <= most, "{lost} lost by {killed_consumers} killed consumers");
    assert_eq!(field.items.qsize(), 0);
    Ok(())
}

/// What has arrived, by producer.
#[derive(Default)]
struct Report {
    numbers: HashMap<u32, Vec<u32>>,
    /// The last number of each producer that each consumer has seen.
    last: HashMap<(u32, u32), u32>,
}

impl Report {
    fn add(&mut self, seen: Seen) {
        let last = self.last.insert((seen.consumer, seen.producer), seen.number);
        assert!(last < Some(seen.number), "out of order");
        self.numbers.entry(seen.producer).or_default().push(seen.number);
    }

    fn total(&self) -> usize {
        self.numbers.values().map(Vec::len).sum()
    }

    /// How many items are missing: between those that arrived, and at the end where the producer told how many there are.
    fn lost(&mut self, lived: &[Put]) -> u32 {
        let mut lost = 0;
        for (producer, numbers) in &mut self.numbers {
            numbers.sort_unstable();
            assert!(numbers.is_sorted_by(|a, b| a < b), "one item came twice");
            let put = lived.iter().find(|put| put.producer == *producer);
            let end = put.map_or(numbers[numbers.len() - 1] + 1, |put| put.count);
            lost += end - numbers.len() as u32;
        }
        let silent = lived.iter().filter(|put| !self.numbers.contains_key(&put.producer));
        lost + silent.map(|put| put.count).sum::<u32>()
    }
}

fn produce(
    kind: Kind,
    producer: u32,
    (items, stop, put): (Queue<Item>, Queue<()>, Queue<Put>),
) -> Result<(), Failure> {
    let mut count = 0;
    while stop.try_get().is_err_and(|err| err.is_empty()) {
        let before = count;
        if kind == Kind::Batches {
            count += 1 + count % 20;
            items.put_many((before..count).map(|number| Item::new(kind, producer, number)))?;
        } else {
            count += 1;
            items.put(Item::new(kind, producer, before))?;
        }
        if before / 64 != count / 64 {
            // Without a bound the consumers have to keep up, or this would be a test of memory.
            while items.qsize() > 1000 {
                std::thread::yield_now();
            }
        }
    }
    Ok(put.put(Put { producer, count })?)
}

fn consume(
    kind: Kind,
    consumer: u32,
    items: Queue<Item>,
    seen: Queue<Seen>,
) -> Result<(), Failure> {
    let tell = |item: Item| {
        item.check(kind);
        let Item { producer, number, .. } = item;
        seen.put(Seen { consumer, producer, number })
    };
    if kind != Kind::Batches {
        for item in items.iter() {
            tell(item?)?;
        }
        return Ok(());
    }
    loop {
        match items.get_many(BATCH) {
            Err(GetError::ShutDown | GetError::Abandoned) => return Ok(()),
            taken => taken?.into_iter().try_for_each(tell)?,
        }
    }
}
