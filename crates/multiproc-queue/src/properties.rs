//! Whatever is put, by whichever calls, and however it is taken: each item once, and in its producer's order.

use std::{thread, time::Duration};

use proptest::prelude::*;

use crate::{PlainVec, Queue, TryGetError, TryPutError};

/// How an item is put.
#[derive(Clone, Copy, Debug)]
enum Put {
    Waiting,
    Trying,
    InTime,
    /// With those behind it that are put in the same way.
    Many,
}

/// How items are taken.
#[derive(Clone, Copy, Debug)]
enum Get {
    Waiting,
    Trying,
    InTime,
    Many(usize),
}

fn puts() -> impl Strategy<Value = Put> {
    prop_oneof![Just(Put::Waiting), Just(Put::Trying), Just(Put::InTime), Just(Put::Many)]
}

fn gets() -> impl Strategy<Value = Get> {
    let many = (1usize..100).prop_map(Get::Many);
    prop_oneof![Just(Get::Waiting), Just(Get::Trying), Just(Get::InTime), many]
}

/// Mostly short; now and then beyond what a record holds, which is what travels as a file.
fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![
        40 => 0usize..600,
        10 => 600usize..100_000,
        2 => 100_000usize..5_000_000,
    ]
}

type Item = Vec<u8>;

/// What the item of this producer and number is.
fn item(producer: usize, number: usize, length: usize) -> Item {
    let mut item = vec![(producer * 31 + number) as u8; length + 12];
    item[..4].copy_from_slice(&(producer as u32).to_ne_bytes());
    item[4..12].copy_from_slice(&(number as u64).to_ne_bytes());
    item
}

fn number_of(item: &Item) -> (usize, usize) {
    let producer = u32::from_ne_bytes(item[..4].try_into().unwrap()) as usize;
    let number = u64::from_ne_bytes(item[4..12].try_into().unwrap()) as usize;
    let filling = (producer * 31 + number) as u8;
    assert!(item[12..].iter().all(|byte| *byte == filling), "torn");
    (producer, number)
}

const MOMENT: Duration = Duration::from_millis(1);

/// Puts all items, each in its way.
fn produce(q: &Queue<Item, PlainVec>, producer: usize, plan: &[(Put, usize)]) {
    let mut rest: Vec<_> = plan
        .iter()
        .enumerate()
        .map(|(number, (how, length))| (*how, item(producer, number, *length)))
        .collect();
    rest.reverse();
    while let Some((how, mut item)) = rest.pop() {
        match how {
            Put::Waiting => q.put(item).unwrap(),
            Put::Trying | Put::InTime => loop {
                let result = match how {
                    Put::Trying => q.try_put(item),
                    _ => q.put_timeout(item, MOMENT),
                };
                match result {
                    Ok(()) => break,
                    Err(TryPutError::Full(back)) => item = back,
                    Err(err) => panic!("{err}"),
                }
                thread::yield_now();
            },
            Put::Many => {
                let mut items = vec![item];
                while let Some((Put::Many, _)) = rest.last() {
                    items.extend(rest.pop().map(|(_, item)| item));
                }
                let count = items.len();
                assert_eq!(q.put_many(items).unwrap(), count);
            }
        }
    }
}

/// Takes items until the queue is shut down.
fn consume(q: &Queue<Item, PlainVec>, plan: &[Get]) -> Vec<Item> {
    let mut items = Vec::new();
    for how in plan.iter().cycle() {
        let result = match how {
            Get::Waiting => q.get().map(|item| items.push(item)),
            Get::Many(max) => q.get_many(*max).map(|many| {
                assert!((1..=*max).contains(&many.len()));
                items.extend(many);
            }),
            Get::Trying | Get::InTime => {
                let result = match how {
                    Get::Trying => q.try_get(),
                    _ => q.get_timeout(MOMENT),
                };
                match result {
                    Ok(item) => {
                        items.push(item);
                        Ok(())
                    }
                    Err(TryGetError::Empty) => {
                        thread::yield_now();
                        Ok(())
                    }
                    Err(TryGetError::Failed(err)) => Err(err),
                }
            }
        };
        if result.is_err() {
            assert!(q.is_empty().unwrap());
            break;
        }
    }
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_item_arrives_once_and_in_order(
        bound in 0usize..20,
        producers in proptest::collection::vec(
            proptest::collection::vec((puts(), lengths()), 0..60), 1..4),
        consumers in proptest::collection::vec(proptest::collection::vec(gets(), 1..8), 1..4),
    ) {
        let q = Queue::<Item, PlainVec>::bounded(bound).unwrap();
        let taken = thread::scope(|scope| {
            let consumers: Vec<_> =
                consumers.iter().map(|plan| scope.spawn(|| consume(&q, plan))).collect();
            let putting: Vec<_> = producers
                .iter()
                .enumerate()
                .map(|(producer, plan)| { let q = &q; scope.spawn(move || produce(q, producer, plan)) })
                .collect();
            putting.into_iter().for_each(|thread| thread.join().unwrap());
            while q.qsize() > 0 {
                thread::yield_now();
            }
            q.shutdown(false);
            consumers.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let mut counts = vec![0; producers.len()];
        for items in &taken {
            let mut last = vec![None; producers.len()];
            for item in items {
                let (producer, number) = number_of(item);
                prop_assert_eq!(item.len(), producers[producer][number].1 + 12);
                prop_assert!(last[producer] < Some(number), "out of order");
                last[producer] = Some(number);
                counts[producer] += 1;
            }
        }
        // As many as were put, and none twice, since each consumer has them in order and all numbers are different.
        let all: Vec<_> = producers.iter().map(Vec::len).collect();
        prop_assert_eq!(counts, all);
        let mut seen: Vec<_> = taken.iter().flatten().map(number_of).collect();
        seen.sort_unstable();
        prop_assert!(seen.is_sorted_by(|a, b| a < b), "one came twice");
    }

    #[test]
    fn many_at_a_time_are_those_that_were_put(
        sizes in proptest::collection::vec(0usize..200, 0..20), max in 1usize..150
    ) {
        let q = Queue::<u32>::new().unwrap();
        let mut next = 0;
        for size in &sizes {
            prop_assert_eq!(q.put_many((next..).take(*size)).unwrap(), *size);
            next += *size as u32;
        }
        let mut taken = Vec::new();
        while taken.len() < next as usize {
            let many = q.get_many(max).unwrap();
            prop_assert_eq!(many.len(), max.min(next as usize - taken.len()));
            taken.extend(many);
        }
        prop_assert!(taken.into_iter().eq(0..next));
        prop_assert_eq!(q.qsize(), 0);
    }
}

#[test]
fn items_up_to_64_mib_keep_their_place() {
    let q = Queue::<Item, PlainVec>::new().unwrap();
    let lengths = [0, 64 << 20, 1, (8 << 20) - 20, 8 << 20, 20 << 20, 3];
    for (number, length) in lengths.into_iter().enumerate() {
        q.put(item(0, number, length)).unwrap();
    }
    for (number, length) in lengths.into_iter().enumerate() {
        let item = q.get().unwrap();
        assert_eq!((number_of(&item), item.len()), ((0, number), length + 12));
    }
}

#[test]
fn many_of_a_full_queue_wait_and_an_error_names_its_item() {
    let q = Queue::<u32>::bounded(3).unwrap();
    thread::scope(|scope| {
        let putting = scope.spawn(|| q.put_many(0..10));
        for number in 0..10 {
            assert_eq!(q.get().unwrap(), number);
        }
        assert_eq!(putting.join().unwrap().unwrap(), 10);
    });
    q.put_many([1, 2]).unwrap();
    q.shutdown(false);
    assert!(matches!(q.put_many([3, 4]), Err(crate::PutError::ShutDown(3))));
    assert_eq!(q.get_many(5).unwrap(), [1, 2]);
    assert!(q.get_many(5).is_err());
}
