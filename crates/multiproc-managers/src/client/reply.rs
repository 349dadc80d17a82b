//! Requests and replies on a connection.

use std::{
    cell::RefCell,
    io, thread,
    time::{Duration, Instant},
};

use multiproc_connection::{RecvError, RecvTimeoutError, TryRecvError};
use multiproc_wire::pickle::{
    Exception, Globals, Limits, Object, Protocol, decode_with, encode_into,
};

use crate::{
    CallError,
    eager::{Eager, LOOK},
    values::KIND,
};

use super::Line;

/// What the server replied, errors aside.
#[derive(Debug)]
pub(crate) enum Reply {
    Value(Object),
    /// The methods of a new proxy, and its token.
    Proxy(Object),
}

impl Reply {
    pub(super) fn value(self) -> Result<Object, CallError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Proxy(_) => Err(CallError::Malformed),
        }
    }

    /// Reads a reply: `(kind, result)`.
    pub(crate) fn of(object: Object) -> Result<Self, CallError> {
        Self::read(object, |_| Err(CallError::Malformed))
    }

    /// As [`of`](Self::of), where `file` reads the file that may follow.
    fn read(
        object: Object,
        file: impl FnOnce(&Object) -> Result<Object, CallError>,
    ) -> Result<Self, CallError> {
        let Object::Tuple(parts) = object else { return Err(CallError::Malformed) };
        let [Object::Str(kind), result] =
            <[Object; 2]>::try_from(parts).map_err(|_| CallError::Malformed)?
        else {
            return Err(CallError::Malformed);
        };
        match (&*kind, result) {
            ("#RETURN", value) => Ok(Self::Value(value)),
            ("#PROXY", parts) => Ok(Self::Proxy(parts)),
            (KIND, told) => file(&told).map(Self::Value),
            ("#ERROR", Object::Exception(exception)) => Err(CallError::Raised(exception)),
            ("#ERROR", Object::Instance(instance)) => {
                // Of a class that is not Python's own.
                let exception = Exception::new(instance.class, instance.args);
                Err(CallError::Raised(Box::new(exception)))
            }
            ("#TRACEBACK", Object::Str(text)) => Err(CallError::Remote(text)),
            ("#UNSERIALIZABLE", Object::Str(text)) => {
                Err(CallError::Remote(format!("Unserializable message: {text}\n")))
            }
            _ => Err(CallError::Malformed),
        }
    }
}

/// Sends a request and waits for the reply.
pub(super) fn exchange(
    connection: &Line,
    ident: Option<&str>,
    method: &str,
    args: Vec<Object>,
    kwargs: Vec<(Object, Object)>,
) -> Result<Reply, CallError> {
    send(connection, ident, method, args, kwargs)?;
    read(connection, &receive(connection)?)
}

/// Asks the server itself, and does not wait longer than that for the reply.
pub(super) fn exchange_within(
    connection: &Line,
    limit: Duration,
    method: &str,
    args: Vec<Object>,
) -> Result<Reply, CallError> {
    send(connection, None, method, args, vec![])?;
    let bytes = connection.recv_bytes_timeout(limit).map_err(|err| match err {
        RecvTimeoutError::Recv(err) => err,
        RecvTimeoutError::Timeout => RecvError::Io(io::ErrorKind::TimedOut.into()),
    })?;
    read(connection, &bytes)
}

fn read(connection: &Line, bytes: &[u8]) -> Result<Reply, CallError> {
    // Of classes that are only names here a server may send what it likes.
    let limits = Limits { globals: Globals::Any, ..Limits::DEFAULT };
    Reply::read(decode_with(bytes, limits)?, |told| connection.recv()?.read(told))
}

thread_local! {
    static EAGER: RefCell<Eager> = const { RefCell::new(Eager::new()) };
}

/// Waits for the reply.
fn receive(connection: &Line) -> Result<Vec<u8>, RecvError> {
    let looked = EAGER.try_with(|eager| {
        let mut eager = eager.borrow_mut();
        if !eager.is_due() {
            return None;
        }
        let start = Instant::now();
        loop {
            // The server has to be let run first.
            thread::yield_now();
            let in_time = start.elapsed() < LOOK;
            match connection.try_recv_bytes() {
                Err(TryRecvError::Empty) if in_time => {}
                result => {
                    eager.looked(in_time);
                    return Some(result);
                }
            }
        }
    });
    match looked.ok().flatten() {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(TryRecvError::Recv(err))) => Err(err),
        Some(Err(TryRecvError::Empty)) | None => connection.recv_bytes(),
    }
}

/// Sends a request that has no reply.
pub(super) fn post(connection: &Line, method: &str, args: Vec<Object>) -> Result<(), CallError> {
    send(connection, None, method, args, vec![])
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a buffer may keep for the next request.
const KEPT: usize = 64 << 10;

fn send(
    connection: &Line,
    ident: Option<&str>,
    method: &str,
    args: Vec<Object>,
    kwargs: Vec<(Object, Object)>,
) -> Result<(), CallError> {
    let request =
        Object::Tuple(vec![ident.into(), method.into(), Object::Tuple(args), Object::Dict(kwargs)]);
    // A thread that is ending has no buffer any more.
    let mut bytes = BUFFER.try_with(|buffer| buffer.take()).unwrap_or_default();
    bytes.clear();
    encode_into(&request, Protocol::default(), &mut bytes).map_err(CallError::Encode)?;
    drop(request);
    connection.send_bytes(&bytes)?;
    if bytes.capacity() <= KEPT {
        let _ = BUFFER.try_with(|buffer| buffer.replace(bytes));
    }
    Ok(())
}
