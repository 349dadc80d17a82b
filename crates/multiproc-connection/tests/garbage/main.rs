//! A hundred thousand conversations that were cut, flipped, oversized, repeated, reflected or spliced.
//!
//! Whatever a peer writes before it goes, the receiving side ends with a message or an error: it does
//! not panic, does not wait for more, and never has more memory than its limit allows. The corpus
//! beside this holds what real Pythons say; it is played as it is, and then damaged.
//!
//! Every case follows from the seed that is printed; `GARBAGE_SEED` sets another one.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

#[path = "../../../multiproc-wire/tests/support/counting.rs"]
mod counting;
#[path = "../support/watchdog.rs"]
mod watchdog;
mod corpus;
mod damage;
mod frames;
mod packets;
mod listening;
mod connecting;
mod welcomes;
mod oracle;

use std::{
    fmt,
    io::{self, Write},
};

/// The key of the corpus.
const KEY: &str = "corpus key";

/// Tells whoever runs the test, past the harness.
fn say(what: fmt::Arguments<'_>) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "garbage: {what}");
}

/// One test, so that what one part allocates is not another's and the watchdog knows where it is.
#[test]
fn damaged_conversations_end_in_messages_or_errors() {
    let seed = std::env::var("GARBAGE_SEED").map_or(0x6a72_0b5e, |seed| seed.parse().unwrap());
    say(format_args!("seed {seed}"));
    watchdog::watch();
    let mut random = damage::Random::new(seed);
    let corpus = corpus::load();
    let cases = [
        frames::run(&corpus, &mut random),
        packets::run(&mut random),
        listening::run(&corpus, &mut random),
        connecting::run(&corpus, &mut random),
        welcomes::run(&corpus, &mut random),
    ];
    say(format_args!("cases of frames, packets, listener, client, welcomes: {cases:?}"));
    assert!(100_000 <= cases.iter().sum::<usize>());
}
