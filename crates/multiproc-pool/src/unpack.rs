//! How what came of calls is read: one by one, or straight to its place.

use std::os::fd::OwnedFd;

use bytemuck::{pod_read_unaligned, try_pod_read_unaligned};
use multiproc_wire::{decode, decode_items};
use serde::de::DeserializeOwned;

use crate::{
    PlainData, TaskError,
    job::{Done, Outcome},
    sequence::{Body, Items, read_file, short},
};

/// Calls its argument with the result of each call, and its place.
pub(crate) type Unpack<R> = fn(Done, &mut dyn FnMut(usize, Result<R, TaskError>));

/// Appends the results of calls; where one has failed, its error comes instead.
pub(crate) type Append<R> = fn(Done, &mut Vec<R>) -> Result<(), TaskError>;

pub(crate) fn unpack_wire<R: DeserializeOwned>(
    done: Done,
    each: &mut dyn FnMut(usize, Result<R, TaskError>),
) {
    let Done { start, count, outcome } = done;
    match outcome {
        Outcome::Wire { body, is_error: false, fds } if !fds.is_empty() => match body {
            Body::Memory(bytes) => unpack_with_handles(start, count, &bytes, fds, each),
            Body::File(file, len) => {
                let bytes = read_file(&file, len).map_err(|err| TaskError::decode(&err));
                each(
                    start,
                    bytes.and_then(|bytes| {
                        decode(&bytes, fds).map_err(|err| TaskError::decode(&err))
                    }),
                );
            }
        },
        outcome => unpack_items(Done { start, count, outcome }, value, each),
    }
}

pub(crate) fn unpack_plain<R: PlainData>(
    done: Done,
    each: &mut dyn FnMut(usize, Result<R, TaskError>),
) {
    unpack_items(done, plain_value, each);
}

pub(crate) fn append_wire<R: DeserializeOwned>(
    done: Done,
    into: &mut Vec<R>,
) -> Result<(), TaskError> {
    if let Outcome::Wire { body: Body::Memory(bytes), fds, .. } = &done.outcome
        && fds.is_empty()
    {
        return append_items(bytes, done.count, into, value);
    }
    append_each(done, into, unpack_wire)
}

pub(crate) fn append_plain<R: PlainData>(done: Done, into: &mut Vec<R>) -> Result<(), TaskError> {
    if let Outcome::Wire { body: Body::Memory(bytes), .. } = &done.outcome {
        if append_even(bytes, done.count, into) {
            return Ok(());
        }
        return append_items(bytes, done.count, into, plain_value);
    }
    append_each(done, into, unpack_plain)
}

/// Appends values if there are so many of them and nothing else, so that each is where it is to be expected.
fn append_even<R: PlainData>(bytes: &[u8], count: usize, into: &mut Vec<R>) -> bool {
    let (step, start) = (1 + size_of::<R>(), into.len());
    let Some(len) = short(size_of::<R>()).filter(|_| bytes.len() == count * step) else {
        return false;
    };
    let mut odd = 0;
    into.extend(bytes.chunks_exact(step).map(|item| {
        odd |= item[0] ^ len;
        pod_read_unaligned::<R>(&item[1..])
    }));
    if odd != 0 {
        into.truncate(start);
    }
    odd == 0
}

pub(crate) fn append_local<R: 'static>(done: Done, into: &mut Vec<R>) -> Result<(), TaskError> {
    append_each(done, into, unpack_local)
}

/// Appends the results in `bytes`, each read by `value`.
#[inline]
fn append_items<R>(
    bytes: &[u8],
    count: usize,
    into: &mut Vec<R>,
    value: impl Fn(&[u8]) -> Result<R, TaskError>,
) -> Result<(), TaskError> {
    let end = into.len() + count;
    for item in Items(bytes).take(count) {
        into.push(if item.is_error { return Err(error(item.bytes)) } else { value(item.bytes)? });
    }
    if into.len() < end { Err(too_few_answers()) } else { Ok(()) }
}

/// Appends what `unpack` says.
fn append_each<R>(done: Done, into: &mut Vec<R>, unpack: Unpack<R>) -> Result<(), TaskError> {
    let mut failed = None;
    unpack(done, &mut |_, result| match result {
        Ok(value) => into.push(value),
        Err(err) => drop(failed.get_or_insert(err)),
    });
    failed.map_or(Ok(()), Err)
}

/// Reads results that came without descriptors, each by `value`.
#[inline]
fn unpack_items<R>(
    Done { start, count, outcome }: Done,
    value: impl Fn(&[u8]) -> Result<R, TaskError>,
    each: &mut dyn FnMut(usize, Result<R, TaskError>),
) {
    let bytes = match outcome {
        Outcome::Wire { body: Body::Memory(bytes), .. } => bytes,
        Outcome::Wire { body: Body::File(file, len), is_error, .. } => {
            let result = match read_file(&file, len) {
                Ok(bytes) if is_error => Err(error(&bytes)),
                Ok(bytes) => value(&bytes),
                Err(err) => Err(TaskError::decode(&err)),
            };
            return each(start, result);
        }
        Outcome::Failed(err) => return fail(start, count, &err, each),
        Outcome::Local(_) => {
            let err = TaskError::Decode("a thread has answered for a process".into());
            return fail(start, count, &err, each);
        }
    };
    let mut place = start;
    for item in Items(&bytes).take(count) {
        each(place, if item.is_error { Err(error(item.bytes)) } else { value(item.bytes) });
        place += 1;
    }
    too_few(place, start + count, each);
}

fn unpack_with_handles<R: DeserializeOwned>(
    start: usize,
    count: usize,
    bytes: &[u8],
    fds: Vec<OwnedFd>,
    each: &mut dyn FnMut(usize, Result<R, TaskError>),
) {
    let items = Items(bytes).take(count);
    let values = items.clone().filter(|item| !item.is_error);
    let mut read = Vec::with_capacity(count);
    decode_items(values.map(|item| item.bytes), fds, |value| {
        read.push(value.map_err(|err| TaskError::decode(&err)));
    });
    let mut read = read.into_iter();
    let mut place = start;
    for item in items {
        let result = if item.is_error { Some(Err(error(item.bytes))) } else { read.next() };
        let Some(result) = result else { break };
        each(place, result);
        place += 1;
    }
    too_few(place, start + count, each);
}

/// Fails the calls from `place` on, for which nothing has come.
fn too_few<R>(place: usize, end: usize, each: &mut dyn FnMut(usize, Result<R, TaskError>)) {
    if place < end {
        fail(place, end - place, &too_few_answers(), each);
    }
}

fn too_few_answers() -> TaskError {
    TaskError::Decode("the worker has answered for fewer calls".into())
}

fn value<R: DeserializeOwned>(item: &[u8]) -> Result<R, TaskError> {
    multiproc_wire::decode_plain(item).map_err(|err| TaskError::decode(&err))
}

/// Reads a value that is its own bytes.
#[inline]
pub(crate) fn plain_value<T: PlainData>(item: &[u8]) -> Result<T, TaskError> {
    try_pod_read_unaligned(item).map_err(|_| {
        let (name, size) = (std::any::type_name::<T>(), size_of::<T>());
        TaskError::Decode(format!("{} bytes came, and a `{name}` has {size}", item.len()))
    })
}

fn error(item: &[u8]) -> TaskError {
    multiproc_wire::decode_plain(item).unwrap_or_else(|err| TaskError::decode(&err))
}

pub(crate) fn unpack_local<R: 'static>(
    done: Done,
    each: &mut dyn FnMut(usize, Result<R, TaskError>),
) {
    let Done { start, count, outcome } = done;
    let results = match outcome {
        Outcome::Local(results) => results.downcast::<Vec<Result<R, TaskError>>>().ok(),
        Outcome::Failed(err) => return fail(start, count, &err, each),
        Outcome::Wire { .. } => None,
    };
    let Some(results) = results else {
        return fail(start, count, &TaskError::Decode("it is of another type".into()), each);
    };
    for (place, result) in (start..).zip(*results) {
        each(place, result);
    }
}

fn fail<R>(
    start: usize,
    count: usize,
    err: &TaskError,
    each: &mut dyn FnMut(usize, Result<R, TaskError>),
) {
    (start..start + count).for_each(|place| each(place, Err(err.clone())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::Sequence;

    #[test]
    fn results_are_appended_in_either_form() {
        let mut results = Sequence::default();
        (0..5u32).for_each(|x| drop(results.push_plain(&x.to_ne_bytes())));
        let done = |bytes: &[u8], count| {
            let body = Body::Memory(bytes.to_vec());
            let outcome = Outcome::Wire { body, is_error: false, fds: vec![] };
            Done { start: 0, count, outcome }
        };
        let mut all = vec![9];
        append_plain(done(&results.bytes, 5), &mut all).unwrap();
        assert_eq!(all, [9, 0, 1, 2, 3, 4]);
        assert!(append_plain(done(&results.bytes, 6), &mut all).is_err(), "one is missing");
        assert!(append_plain::<u16>(done(&results.bytes, 5), &mut vec![]).is_err());
        results.push_failure(&TaskError::Cancelled);
        let failed = append_plain(done(&results.bytes, 6), &mut all);
        assert_eq!(failed, Err(TaskError::Cancelled));
        let mut words = Sequence::default();
        ["a", "bc"].iter().for_each(|word| drop(words.push(word)));
        let mut all: Vec<String> = vec![];
        append_wire(done(&words.bytes, 2), &mut all).unwrap();
        assert_eq!(all, ["a", "bc"]);
    }
}
