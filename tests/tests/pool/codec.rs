//! Arguments and results that cannot be written or read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use multiproc::{Context, TaskError};
use multiproc_tests::{TestResult, each_start_method};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser, ser::SerializeTuple};

use crate::{pool, square};

each_start_method! {
    argument_that_cannot_be_written_fails_alone, argument_that_cannot_be_read_is_an_error, result_that_cannot_be_written_fails_alone,
    result_that_cannot_be_read_is_an_error, result_whose_writing_panics_costs_only_itself,
    argument_whose_writing_panics_costs_only_itself,
}

/// A number that refuses to be written if it is 13, and to be read if it is 31.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shy(u32);

impl Serialize for Shy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            13 => Err(ser::Error::custom("thirteen is shy")),
            number => serializer.serialize_u32(number),
        }
    }
}

impl<'de> Deserialize<'de> for Shy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            31 => Err(de::Error::custom("thirty-one is shy")),
            number => Ok(Self(number)),
        }
    }
}

fn argument_that_cannot_be_written_fails_alone(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    for chunksize in [1, 5] {
        let results: Vec<_> =
            pool.imap(|shy: Shy| shy.0, (10..20).map(Shy)).chunksize(chunksize).collect();
        assert_eq!(results.len(), 10);
        for (x, result) in (10..).zip(results) {
            match result {
                Err(TaskError::Encode(why)) => {
                    assert!(x == 13 && why.contains("thirteen is shy"), "{why}")
                }
                result => assert_eq!(result, Ok(x)),
            }
        }
    }
    assert!(matches!(pool.map(|shy: Shy| shy.0, [Shy(13)]), Err(TaskError::Encode(_))));
    assert!(matches!(pool.apply(|shy: Shy| shy.0, (Shy(13),)), Err(TaskError::Encode(_))));
    assert_eq!(pool.map(square, [2])?, [4]);
    Ok(())
}

// complaint: 11
fn argument_that_cannot_be_read_is_an_error(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    for chunksize in [1, 2, 3] {
        let results: Vec<_> =
            pool.imap(|shy: Shy| shy.0, (30..33).map(Shy)).chunksize(chunksize).collect();
        assert_eq!((&results[0], &results[2]), (&Ok(30), &Ok(32)), "it costs only itself");
        assert!(
            matches!(&results[1], Err(TaskError::Decode(why)) if why.contains("thirty-one is shy")),
            "{results:?}"
        );
    }
    assert_eq!(pool.map(square, [2])?, [4]);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn result_that_cannot_be_written_fails_alone(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    for chunksize in [1, 5] {
        let results: Vec<_> = pool.imap(Shy, 10..20).chunksize(chunksize).collect();
        for (x, result) in (10..).zip(&results) {
            match result {
                Err(TaskError::Result(why)) => {
                    assert!(x == 13 && why.contains("thirteen is shy"), "{why}")
                }
                result => assert_eq!(*result, Ok(Shy(x))),
            }
        }
    }
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

// complaint: 11
fn result_that_cannot_be_read_is_an_error(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    for chunksize in [1, 2, 3] {
        let results: Vec<_> = pool.imap(Shy, 30..33).chunksize(chunksize).collect();
        assert_eq!((&results[0], &results[2]), (&Ok(Shy(30)), &Ok(Shy(32))));
        assert!(
            matches!(&results[1], Err(TaskError::Decode(why)) if why.contains("thirty-one is shy")),
            "{results:?}"
        );
    }
    assert!(matches!(pool.apply(Shy, (31,)), Err(TaskError::Decode(_))));
    assert_eq!(pool.map(square, [2])?, [4]);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

/// A number that panics half way when it is to be written and is 13.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Nervous(u32, u32);

impl Serialize for Nervous {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&self.0)?;
        assert!(self.0 != 13, "thirteen is nervous");
        pair.serialize_element(&self.1)?;
        pair.end()
    }
}

fn result_whose_writing_panics_costs_only_itself(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 1)?;
    let make = |x: u32| Nervous(x, x + 1);
    let results: Vec<_> = pool.imap(make, 11..16).chunksize(5).collect();
    assert_eq!(results.len(), 5);
    for (x, result) in (11..).zip(results) {
        match result {
            Err(TaskError::Panicked(report)) => {
                assert!(x == 13 && report.to_string().contains("thirteen is nervous"), "{report}")
            }
            result => assert_eq!(result, Ok(make(x))),
        }
    }
    assert_eq!(pool.imap(make, 14..34).collect::<Result<Vec<_>, _>>()?.len(), 20);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn argument_whose_writing_panics_costs_only_itself(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 1)?;
    let items = (11..16).map(|x| Nervous(x, x + 1));
    let mut results = pool.imap(|it: Nervous| (it.0, it.1), items).chunksize(5);
    assert!(catch_unwind(AssertUnwindSafe(|| results.next())).is_err());
    let rest: Vec<_> = results.collect();
    assert_eq!(rest, [11, 12, 14, 15].map(|x| Ok((x, x + 1))));
    assert_eq!(pool.map(square, [2])?, [4]);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}
