//! Orders and replies as messages: a head that says what follows, then the bytes as they are.
//!
//! | message | |
//! |---|---|
//! | 0..4 | length of the head |
//! | head | a value of this module, encoded |
//! | rest | for each order its program and its bytes; for a reply its bytes |
//!
//! Descriptors come in the same order: for each the file that holds its bytes if any, those of the program, its own.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use multiproc_wire::{Handle, Message};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Order;
use crate::{
    TaskError,
    job::Input,
    program::Program,
    sequence::{Block, Body},
};

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    Run(Vec<OrderHead>),
    Stop,
}

/// One order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OrderHead {
    pub(super) seq: u64,
    pub(super) key: u64,
    pub(super) count: usize,
    /// How many calls a chunk has, and how many of the first one came before these.
    pub(super) chunk: (usize, usize),
    /// How long the program is, and its descriptors; none if the worker has it.
    program: Option<(usize, usize)>,
    place: Place,
    fds: usize,
}

/// Where bytes are.
#[derive(Debug, Serialize, Deserialize)]
enum Place {
    /// So many in the message.
    Here(usize),
    /// In the file of this length.
    File(u64),
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    Ready,
    Unfit(TaskError),
    Results(ResultsHead),
    Replace,
    LastWords(TaskError),
}

/// Results of calls.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ResultsHead {
    pub(super) count: usize,
    /// For what stands in a file.
    pub(super) is_error: bool,
    place: Place,
}

/// A message in the making.
#[derive(Debug, Default)]
pub(super) struct Packet<'a> {
    pub(super) head: Vec<u8>,
    /// What is behind the head, where it lies.
    pub(super) rest: Vec<&'a [u8]>,
    pub(super) fds: Vec<BorrowedFd<'a>>,
}

impl Packet<'_> {
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.rest.iter().map(|piece| piece.len()).sum::<usize>()
    }

    /// All of its bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.head.as_slice(), &self.rest.concat()].concat()
    }
}

/// Writes a head at the beginning of `bytes`.
fn begin<T: Serialize>(head: &T, bytes: &mut Vec<u8>) -> Result<(), TaskError> {
    bytes.clear();
    bytes.extend_from_slice(&[0; 4]);
    multiproc_wire::encode_into(head, bytes, &mut Vec::new())
        .map_err(|err| TaskError::encode(&err))?;
    let len = u32::try_from(bytes.len() - 4).map_err(|err| TaskError::encode(&err))?;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    Ok(())
}

/// Reads the head of a packet, and returns what is behind it.
pub(super) fn head<T: DeserializeOwned>(packet: &[u8]) -> Option<(T, &[u8])> {
    let (len, rest) = packet.split_first_chunk()?;
    let (head, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    Some((multiproc_wire::decode(head, Vec::new()).ok()?, rest))
}

/// Writes a packet that is nothing but its head.
pub(super) fn bare<T: Serialize>(head: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What can fail is a text without end; then nothing is said, and the reader takes that for the end.
    let _ = begin(head, &mut bytes);
    bytes
}

fn place<'a>(body: &'a Body, len: usize, fds: &mut Vec<BorrowedFd<'a>>) -> Place {
    match body {
        Body::Memory(_) => Place::Here(len),
        Body::File(file, len) => {
            fds.push(file.as_fd());
            Place::File(*len)
        }
    }
}

/// Writes orders; `programs` holds those of `orders` that are to be sent.
pub(super) fn orders<'a>(
    orders: &'a [Order<'_>],
    programs: &'a [Option<Message>],
    mut packet: Packet<'a>,
) -> Result<Packet<'a>, TaskError> {
    let mut heads = Vec::with_capacity(orders.len());
    for (order, program) in orders.iter().zip(programs) {
        let (Input::Wire { block, run }, Program::Wire(known)) =
            (&order.task.input, &order.task.job.program)
        else {
            return Err(TaskError::Encode("it is for threads".into()));
        };
        let place = place(&block.body, run.len(), &mut packet.fds);
        packet.fds.extend(program.iter().flat_map(|program| &program.handles).map(AsFd::as_fd));
        packet.fds.extend(block.handles.iter().map(AsFd::as_fd));
        heads.push(OrderHead {
            seq: order.seq,
            key: known.key,
            count: order.task.count,
            chunk: (order.task.chunks.size, order.task.chunks.phase),
            program: program.as_ref().map(|program| (program.bytes.len(), program.handles.len())),
            place,
            fds: block.handles.len(),
        });
    }
    begin(&Told::Run(heads), &mut packet.head)?;
    for (order, program) in orders.iter().zip(programs) {
        let Input::Wire { block, run } = &order.task.input else { continue };
        if let Some(program) = program {
            packet.rest.push(&program.bytes);
        }
        if let Body::Memory(bytes) = &block.body {
            packet.rest.push(&bytes[run.clone()]);
        }
    }
    Ok(packet)
}

/// An order as it arrives.
pub(super) struct Arrived<'a> {
    pub(super) head: OrderHead,
    pub(super) program: Option<Message>,
    /// The bytes of the calls, or the file that has those of the only one.
    pub(super) bytes: Result<&'a [u8], (OwnedFd, u64)>,
    pub(super) fds: Vec<OwnedFd>,
}

/// Takes an order out of what is left of a message.
pub(super) fn arrive<'a>(
    head: OrderHead,
    rest: &mut &'a [u8],
    fds: &mut impl Iterator<Item = OwnedFd>,
) -> Option<Arrived<'a>> {
    let mut cut = |len: usize| {
        let (head, tail) = rest.split_at_checked(len)?;
        *rest = tail;
        Some(head)
    };
    let file = match head.place {
        Place::Here(_) => None,
        Place::File(len) => Some((fds.next()?, len)),
    };
    let program = match head.program {
        Some((len, count)) => {
            let handles = fds.take(count).map(Handle::from).collect();
            Some(Message { bytes: cut(len)?.to_vec(), handles })
        }
        None => None,
    };
    let bytes = match (&head.place, file) {
        (Place::Here(len), _) => Ok(cut(*len)?),
        (Place::File(_), file) => Err(file?),
    };
    let fds: Vec<_> = fds.take(head.fds).collect();
    Some(Arrived { head, program, bytes, fds })
}

/// Writes results; `is_error` if the only one is in a file and is none.
pub(super) fn results(
    count: usize,
    block: &Block,
    is_error: bool,
) -> Result<Packet<'_>, TaskError> {
    let mut packet = Packet::default();
    let len = if let Body::Memory(bytes) = &block.body { bytes.len() } else { 0 };
    let place = place(&block.body, len, &mut packet.fds);
    packet.fds.extend(block.handles.iter().map(AsFd::as_fd));
    begin(&Said::Results(ResultsHead { count, is_error, place }), &mut packet.head)?;
    if let Body::Memory(bytes) = &block.body {
        packet.rest.push(bytes);
    }
    Ok(packet)
}

/// Takes the results out of a packet: bytes, descriptors.
pub(super) fn received(
    head: &ResultsHead,
    rest: &[u8],
    fds: Vec<OwnedFd>,
) -> Option<(Body, Vec<OwnedFd>)> {
    let mut fds = fds.into_iter();
    let body = match head.place {
        Place::Here(len) if len == rest.len() => Body::Memory(rest.to_vec()),
        Place::Here(_) => return None,
        Place::File(len) => Body::received(fds.next()?, len, head.is_error),
    };
    Some((body, fds.collect()))
}
