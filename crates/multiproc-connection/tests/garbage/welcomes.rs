//! Damaged handshakes on an end that proves its key by hand.

use std::{
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use multiproc_connection::{Auth, Connection, answer_challenge, deliver_challenge};

use crate::{
    KEY,
    corpus::Corpus,
    damage::{Random, damaged},
    watchdog,
};

const CASES: usize = 5_000;

pub(crate) fn run(corpus: &Corpus, random: &mut Random) -> usize {
    let seeds = corpus.seeds("handshake");
    for (case, seed) in seeds.iter().enumerate() {
        watchdog::feed("old welcomes", case, seed);
        check(seed);
    }
    for case in 0..CASES {
        let wire = damaged(&seeds, random);
        watchdog::feed("welcomes", case, &wire);
        check(&wire);
    }
    CASES + seeds.len()
}

fn check(wire: &[u8]) {
    let (mut peer, ours) = UnixStream::pair().unwrap();
    let ours = Connection::<(), ()>::from(OwnedFd::from(ours));
    peer.write_all(wire).unwrap();
    drop(peer);
    let auth = Auth::new(KEY).allow_md5();
    // One without a key can welcome, but not be welcome.
    let _ = answer_challenge(&ours, &auth);
    assert!(deliver_challenge(&ours, &auth).is_err(), "{wire:02x?}");
}
