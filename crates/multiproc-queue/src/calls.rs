//! Putting and taking values: what the queues have in common.

use std::os::fd::{AsFd, OwnedFd};

use multiproc_sys::{memfd, primitive::AtomicU64};

#[cfg(feature = "tokio")]
use crate::feeder::Parcel;
use crate::{
    Broken, CodecError, GetError, PutError, TryGetError, TryPutError, buffer,
    codec::Code,
    port::{Failed, Overflow, Port},
    ring::{Patience, Refused, Taken},
};

/// For a call that tells what it found.
#[cold]
pub(crate) fn as_it_is<E>(error: E) -> E {
    error
}

/// Puts a value; returns its record's number if it is in the ring already. `failed` says what an error is to the caller.
#[inline]
pub(crate) fn put<T, C: Code<T>, E>(
    port: &Port,
    value: T,
    overflow: Overflow,
    failed: fn(TryPutError<T>) -> E,
) -> Result<Option<u32>, E> {
    match put_ref::<T, C>(port, &value, overflow) {
        Ok(number) => Ok(number),
        Err(reason) => Err(failed(put_error(value, *reason))),
    }
}

/// Puts a copy of a value.
#[inline]
pub(crate) fn put_ref<T, C: Code<T>>(
    port: &Port,
    value: &T,
    overflow: Overflow,
) -> Result<Option<u32>, Box<Failed>> {
    let mut buffer = if C::USES_BUFFER { buffer::take() } else { Vec::new() };
    let result =
        C::encode(value, &mut buffer, |bytes, handles| match port.put_at_once(bytes, handles) {
            Some(number) => Ok(Some(number)),
            None => port.put(bytes, handles, overflow).map_err(Box::new),
        });
    if C::USES_BUFFER {
        buffer::give(buffer);
    }
    result.unwrap_or_else(|err| Err(Box::new(Failed::Encode(err))))
}

/// Makes a value ready to be put, any number of times until there is room.
#[cfg(feature = "tokio")]
pub(crate) fn pack<T, C: Code<T>>(port: &Port, value: &T) -> Result<Parcel, Failed> {
    let mut buffer = buffer::take();
    let result = C::encode(value, &mut buffer, |bytes, handles| port.pack(bytes, handles));
    buffer::give(buffer);
    result.unwrap_or_else(|err| Err(Failed::Encode(err)))
}

#[cold]
pub(crate) fn put_error<T>(value: T, reason: Failed) -> TryPutError<T> {
    TryPutError::Failed(match reason {
        Failed::Closed => PutError::Closed(value),
        Failed::Abandoned => PutError::Abandoned(value),
        Failed::Unfinished => PutError::Unfinished(value),
        Failed::Encode(source) => PutError::Encode(value, source),
        Failed::TimedOut | Failed::Refused(Refused::TimedOut | Refused::Slice) => {
            return TryPutError::Full(value);
        }
        Failed::Refused(Refused::ShutDown) => PutError::ShutDown(value),
        Failed::Refused(Refused::NoSpace(source)) => PutError::NoSpace(value, source),
        Failed::Refused(Refused::Os(source)) => PutError::Os(value, source),
        Failed::Refused(Refused::Reentered) => PutError::Broken(value, Broken::Reentered),
        Failed::Refused(Refused::Damaged | Refused::OutOfMemory) => {
            PutError::Broken(value, Broken::Damaged)
        }
    })
}

/// For a call that waits as long as it takes.
#[cold]
pub(crate) fn never_full<T>(error: TryPutError<T>) -> PutError<T> {
    match error {
        TryPutError::Failed(error) => error,
        // Nothing makes an endless patience end.
        TryPutError::Full(value) => PutError::Abandoned(value),
    }
}

/// Takes a value. `failed` says what an error is to the caller.
#[inline]
pub(crate) fn get<T, C: Code<T>, E>(
    port: &Port,
    claim: Option<&AtomicU64>,
    patience: Patience,
    failed: fn(TryGetError) -> E,
) -> Result<T, E> {
    let mut landing = C::landing(if C::USES_BUFFER { buffer::take() } else { Vec::new() });
    let mut may_linger = true;
    while !port.get_at_once(&mut landing, claim) {
        if !may_linger || !port.linger(patience) {
            return get_patiently::<T, C>(port, landing, claim, patience).map_err(failed);
        }
        // Once: what has come may be more than an item of bytes.
        may_linger = false;
    }
    match finish::<T, C>(landing, Vec::new()) {
        Ok(item) => Ok(item),
        Err(err) => Err(failed(TryGetError::Failed(GetError::Decode(err)))),
    }
}

#[cold]
#[inline(never)]
fn get_patiently<T, C: Code<T>>(
    port: &Port,
    mut landing: C::Landing,
    claim: Option<&AtomicU64>,
    patience: Patience,
) -> Result<T, TryGetError> {
    let taken = port.get(&mut landing, claim, patience).map_err(get_error)?;
    if taken.in_file || !taken.is_complete {
        return finish_file::<T, C>(taken).map_err(TryGetError::Failed);
    }
    finish::<T, C>(landing, taken.fds).map_err(|err| TryGetError::Failed(GetError::Decode(err)))
}

/// Makes the item of what has landed.
#[inline]
fn finish<T, C: Code<T>>(landing: C::Landing, fds: Vec<OwnedFd>) -> Result<T, CodecError> {
    let mut buffer = Vec::new();
    let item = C::finish(landing, fds, &mut buffer);
    if C::USES_BUFFER {
        buffer::give(buffer);
    }
    item
}

/// Reads an item that came as a file, whose length is what the file itself says.
#[cold]
fn finish_file<T, C: Code<T>>(mut taken: Taken) -> Result<T, GetError> {
    if !taken.is_complete || taken.fds.is_empty() {
        return Err(GetError::Lost);
    }
    let file = taken.fds.remove(0);
    let length = rustix::fs::fstat(&file).map_or(0, |stat| stat.st_size);
    let mut bytes = Vec::new();
    memfd::read(file.as_fd(), u64::try_from(length).unwrap_or(0), &mut bytes)
        .map_err(|err| GetError::Decode(CodecError::new(err)))?;
    C::decode(&bytes, taken.fds).map_err(GetError::Decode)
}

#[cold]
fn get_error(reason: Failed) -> TryGetError {
    TryGetError::Failed(match reason {
        Failed::Closed => GetError::Closed,
        // Nothing that takes an item says that there are too many.
        Failed::Abandoned | Failed::Unfinished => GetError::Abandoned,
        Failed::Encode(source) => GetError::Decode(source),
        Failed::TimedOut | Failed::Refused(Refused::TimedOut | Refused::Slice) => {
            return TryGetError::Empty;
        }
        Failed::Refused(Refused::ShutDown) => GetError::ShutDown,
        Failed::Refused(Refused::OutOfMemory) => GetError::OutOfMemory,
        Failed::Refused(Refused::Reentered) => GetError::Broken(Broken::Reentered),
        Failed::Refused(Refused::Damaged | Refused::NoSpace(_) | Refused::Os(_)) => {
            GetError::Broken(Broken::Damaged)
        }
    })
}

/// For a call that waits as long as it takes.
#[cold]
pub(crate) fn never_empty(error: TryGetError) -> GetError {
    match error {
        TryGetError::Failed(error) => error,
        // Nothing makes an endless patience end.
        TryGetError::Empty => GetError::Abandoned,
    }
}
