//! Damaged frames, received as bytes and as values.

use std::{
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use multiproc_connection::{Connection, RecvError};

use crate::{
    corpus::Corpus,
    counting::measure,
    damage::{Random, damaged},
    watchdog,
};

const CASES: usize = 60_000;
/// A limit that some ends have, and what all of a case may take then.
const LIMIT: u64 = 4096;
const LIMITED: isize = 24 << 10;
/// What it may take with the limit of 1 GiB: memory is got a MiB ahead of what comes.
const UNLIMITED: isize = 3 << 20;

type Value = Vec<Option<(String, f64)>>;

pub(crate) fn run(corpus: &Corpus, random: &mut Random) -> usize {
    undamaged_frames_arrive();
    for (name, bytes) in corpus.all() {
        let end = receive(bytes, false, drop);
        let is_whole = !name.contains("handles");
        assert_eq!(end.is_ok(), is_whole, "{name} as it is");
    }
    let all: Vec<&[u8]> = corpus.all().map(|(_, bytes)| bytes).collect();
    let frames = corpus.seeds("frames");
    for case in 0..CASES {
        let seeds = if case % 2 == 0 { &frames } else { &all };
        let wire = damaged(seeds, random);
        watchdog::feed("frames", case, &wire);
        let (limited, typed) = (case % 3 != 0, case % 5 == 0);
        let (peak, _) = measure(|| {
            if typed { receive_values(&wire, limited) } else { drop(receive(&wire, limited, drop)) }
        });
        let bound = if limited { LIMITED } else { UNLIMITED };
        assert!(peak <= bound, "case {case} took {peak} bytes: {wire:02x?}");
    }
    CASES
}

/// What the damaged ones are held against: the short form, the long form, no bytes at all.
fn undamaged_frames_arrive() {
    let wire = [&[0, 0, 0, 1, 7][..], &[255; 4], &[0, 0, 0, 0, 0, 0, 0, 2, 8, 9], &[0; 4]].concat();
    for limited in [false, true] {
        let mut got = Vec::new();
        receive(&wire, limited, |message| got.push(message)).unwrap();
        assert_eq!(got, [vec![7], vec![8, 9], vec![]]);
    }
}

fn end(wire: &[u8], limited: bool) -> Connection<Value> {
    let (mut peer, ours) = UnixStream::pair().unwrap();
    peer.write_all(wire).unwrap();
    let ours = Connection::from(OwnedFd::from(ours));
    if limited { ours.max_message(LIMIT) } else { ours }
}

/// Receives to the end; an error is one after which there is nothing more to receive.
fn receive(wire: &[u8], limited: bool, mut take: impl FnMut(Vec<u8>)) -> Result<(), RecvError> {
    let end = end(wire, limited);
    loop {
        match end.recv_bytes() {
            Ok(message) => {
                assert!(!limited || message.len() as u64 <= LIMIT);
                take(message);
            }
            Err(RecvError::Closed) => return Ok(()),
            Err(
                err @ (RecvError::Truncated | RecvError::TooLong { .. } | RecvError::Malformed),
            ) => {
                assert!(matches!(end.recv_bytes(), Err(RecvError::Lost)));
                return Err(err);
            }
            Err(err) => panic!("{err:?} from {wire:02x?}"),
        }
    }
}

fn receive_values(wire: &[u8], limited: bool) {
    let end = end(wire, limited);
    loop {
        match end.recv() {
            Ok(_) | Err(RecvError::Decode(_)) => {}
            Err(RecvError::Closed | RecvError::Lost) => return,
            Err(RecvError::Truncated | RecvError::TooLong { .. } | RecvError::Malformed) => {}
            Err(err) => panic!("{err:?} from {wire:02x?}"),
        }
    }
}
