//! Damaged packets on a pipe: each costs itself, and the next good one arrives.

use std::os::fd::OwnedFd;

use multiproc_connection::{Connection, RecvError, TryRecvError};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

use crate::{
    counting::measure,
    damage::{Random, damaged},
    watchdog,
};

const CASES: usize = 20_000;
/// Room for a whole packet is got before it comes; what is more is for the message.
const BOUND: isize = 256 << 10;

fn raw_pair() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
}

/// What one end of a pipe writes.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for message in [&b""[..], b"x", &[7; 300]] {
        let (raw, ours) = raw_pair();
        Connection::<()>::from(ours).send_bytes(message).unwrap();
        let mut packet = vec![0; 1 << 10];
        let (_, got) = recv(&raw, &mut packet[..], RecvFlags::empty()).unwrap();
        packet.truncate(got);
        seeds.push(packet);
    }
    seeds
}

pub(crate) fn run(random: &mut Random) -> usize {
    let seeds = seeds();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let (raw, ours) = raw_pair();
    let end = Connection::<()>::from(ours).max_message(200);
    for case in 0..CASES {
        let mut wire = damaged(&seeds, random);
        // The flags and the length are in the header's second half.
        if case % 4 == 0 && 16 <= wire.len() {
            wire[8..16].copy_from_slice(&(random.next() & random.next()).to_le_bytes());
        }
        if wire.is_empty() {
            // An empty packet is the end, as the system sees it.
            wire.push(0);
        }
        watchdog::feed("packets", case, &wire);
        send(&raw, &wire, SendFlags::empty()).unwrap();
        send(&raw, seeds[1], SendFlags::empty()).unwrap();
        let (peak, _) = measure(|| {
            match end.recv_bytes() {
                Ok(message) => assert!(message.len() <= 200),
                Err(RecvError::Io(_) | RecvError::TooLong { .. }) => {}
                Err(err) => panic!("{err:?} from {wire:02x?}"),
            }
            assert_eq!(end.recv_bytes().unwrap(), b"x", "after {wire:02x?}");
        });
        assert!(peak <= BOUND, "case {case} took {peak} bytes: {wire:02x?}");
    }
    assert!(matches!(end.try_recv_bytes(), Err(TryRecvError::Empty)));
    CASES
}
