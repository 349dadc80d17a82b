//! Putting and taking many values at a time: the lock is taken once for all of them.

use multiproc_image::logging;
use multiproc_sys::primitive::AtomicU64;

use crate::{
    GetError, PutError, TryGetError, buffer,
    calls::{self, as_it_is, never_empty, never_full},
    codec::Code,
    port::{Failed, Overflow, Port},
    ring::{Patience, Run},
};

/// So many values are put in one go.
const MOST: usize = 64;
/// Or so many bytes.
const MOST_BYTES: usize = 32 * 1024;
/// Whatever there is no room for in a bounded queue is waited for, and else goes to a thread.
const OVERFLOW: Overflow = Overflow::Usual(Patience::Endless);

/// Values that have been gathered, and their bytes.
struct Batch<T> {
    values: Vec<T>,
    run: Run,
    /// How many have been put in all.
    count: usize,
}

/// The value at which it stopped, where it is one of the batch.
type Stopped = (usize, Box<Failed>);

impl<T> Batch<T> {
    /// Puts what has been gathered.
    fn flush(&mut self, port: &Port) -> Result<(), Stopped> {
        let mut done = 0;
        while done < self.run.len() {
            done += port.put_run(&self.run, done);
            if let Some(bytes) = self.run.from(done).next() {
                // What takes more than writing it: growth, waiting, a thread.
                port.put(bytes, &[], OVERFLOW).map_err(|reason| (done, Box::new(reason)))?;
                done += 1;
            }
        }
        self.count += done;
        self.values.clear();
        self.run.clear();
        Ok(())
    }

    /// The error of a flush, with the value in it.
    fn error(mut self, (index, reason): Stopped) -> PutError<T> {
        never_full(calls::put_error(self.values.swap_remove(index), *reason))
    }
}

/// How a value was added to a batch.
enum Added {
    Gathered,
    /// It was put by itself, behind what had been gathered.
    Put,
}

/// Why a value was not added.
enum NotAdded {
    Before(Stopped),
    Itself(Box<Failed>),
}

/// Puts values, in their order; returns their number.
pub(crate) fn put_many<T, C: Code<T>>(
    port: &Port,
    values: impl IntoIterator<Item = T>,
) -> Result<usize, PutError<T>> {
    let mut batch = Batch { values: Vec::new(), run: Run::default(), count: 0 };
    for value in values {
        let mut buffer = buffer::take();
        let added = C::encode(&value, &mut buffer, |bytes, handles| {
            if handles.is_empty() && bytes.len() <= MOST_BYTES {
                batch.run.push(bytes);
                return Ok(Added::Gathered);
            }
            batch.flush(port).map_err(NotAdded::Before)?;
            let put = port.put(bytes, handles, OVERFLOW);
            put.map(|_| Added::Put).map_err(|reason| NotAdded::Itself(Box::new(reason)))
        });
        buffer::give(buffer);
        let added = added.unwrap_or_else(|err| {
            batch.flush(port).map_err(NotAdded::Before)?;
            Err(NotAdded::Itself(Box::new(Failed::Encode(err))))
        });
        match added {
            Ok(Added::Gathered) => batch.values.push(value),
            Ok(Added::Put) => batch.count += 1,
            Err(NotAdded::Before(stopped)) => return Err(batch.error(stopped)),
            Err(NotAdded::Itself(reason)) => {
                return Err(never_full(calls::put_error(value, *reason)));
            }
        }
        if (batch.run.len() == MOST || MOST_BYTES <= batch.run.bytes())
            && let Err(stopped) = batch.flush(port)
        {
            return Err(batch.error(stopped));
        }
    }
    match batch.flush(port) {
        Ok(()) => Ok(batch.count),
        Err(stopped) => Err(batch.error(stopped)),
    }
}

/// Waits for a value, and takes it with those behind it that are there, `max` at most.
pub(crate) fn get_many<T, C: Code<T>>(port: &Port, max: usize) -> Result<Vec<T>, GetError> {
    let (mut values, mut lost) = (Vec::new(), None);
    let mut run = Run::default();
    while values.len() < max {
        run.clear();
        if port.get_run(&mut run, max - values.len(), None) > 0 {
            decode::<T, C>(&run, &mut values, &mut lost);
        } else if values.is_empty() && lost.is_none() {
            values.push(calls::get::<T, C, _>(port, None, Patience::Endless, never_empty)?);
        } else {
            match calls::get::<T, C, _>(port, None, Patience::None, as_it_is) {
                Ok(value) => values.push(value),
                Err(TryGetError::Failed(err @ (GetError::Decode(_) | GetError::Lost))) => {
                    lost = Some(err);
                }
                Err(_) => break,
            }
        }
    }
    tell_of_loss(values, lost)
}

/// The same, of which a claim tells; and no more than one store can take.
pub(crate) fn get_many_claimed<T, C: Code<T>>(
    port: &Port,
    max: usize,
    claim: &AtomicU64,
) -> Result<Vec<T>, GetError> {
    let (mut values, mut lost) = (Vec::new(), None);
    let mut run = Run::default();
    let mut is_taken = port.get_run(&mut run, max, Some(claim)) > 0;
    if !is_taken && port.linger(Patience::Endless) {
        is_taken = port.get_run(&mut run, max, Some(claim)) > 0;
    }
    if is_taken {
        decode::<T, C>(&run, &mut values, &mut lost);
    } else if max > 0 {
        values.push(calls::get::<T, C, _>(port, Some(claim), Patience::Endless, never_empty)?);
    }
    tell_of_loss(values, lost)
}

fn decode<T, C: Code<T>>(run: &Run, values: &mut Vec<T>, lost: &mut Option<GetError>) {
    for bytes in run.from(0) {
        match C::decode(bytes, Vec::new()) {
            Ok(value) => values.push(value),
            Err(err) => *lost = Some(GetError::Decode(err)),
        }
    }
}

/// Those that came, of which some may be lost; the error where that is all there is.
fn tell_of_loss<T>(values: Vec<T>, lost: Option<GetError>) -> Result<Vec<T>, GetError> {
    match lost {
        Some(err) if values.is_empty() => return Err(err),
        Some(GetError::Decode(err)) => {
            logging::error(format_args!("an item of a queue is lost: {err}"));
        }
        Some(err) => logging::error(format_args!("an item of a queue is lost: {err}")),
        None => {}
    }
    Ok(values)
}
