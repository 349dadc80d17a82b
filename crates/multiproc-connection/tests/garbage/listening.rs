//! Damaged handshakes of clients, while others are silent.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use multiproc_connection::{AcceptError, Address, Client, Connection, Listener, TryAcceptError};

use crate::{
    KEY,
    corpus::Corpus,
    counting::measure,
    damage::{Random, damaged, frame, messages, oversized},
    oracle, watchdog,
};

const CASES: usize = 20_000;
/// What one guest may cost: messages of at most 256 bytes, and what is kept about them.
const BOUND: isize = 64 << 10;
/// Guests that begin and then say nothing, all the while.
const SILENT: [&[u8]; 4] = [b"", &[0], &[0, 0, 0, 48], b"\0\0\0\x28{sha256}"];

pub(crate) fn run(corpus: &Corpus, random: &mut Random) -> usize {
    let listener = Listener::builder()
        .authkey(KEY)
        .allow_md5()
        .backlog(16)
        .handshake_timeout(Duration::from_secs(36_000))
        .bind()
        .unwrap();
    let Address::Path(path) = listener.address() else { panic!("{listener:?}") };
    let silent = SILENT.map(|start| {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(start).unwrap();
        stream
    });
    assert!(matches!(listener.try_accept::<(), ()>(), Err(TryAcceptError::Empty)));

    let seeds = corpus.seeds("handshake");
    for (case, seed) in seeds.iter().enumerate() {
        watchdog::feed("old handshakes", case, seed);
        say(&listener, path, seed);
    }
    let mut old = oracle::response(b"#CHALLENGE#{sha256}a challenge of another time");
    for case in 0..CASES {
        if case % 2 == 0 {
            let wire = damaged(&seeds, random);
            watchdog::feed("handshakes", case, &wire);
            say(&listener, path, &wire);
        } else {
            watchdog::feed("talks", case, &[]);
            old = talk(&listener, path, &old, random);
        }
    }
    // Nobody of them was held up, nor has gone.
    let address = listener.address().clone();
    let client = std::thread::spawn(move || {
        Client::builder().authkey(KEY).connect::<u8, u8, _>(address).unwrap()
    });
    let served: Connection<u8> = listener.accept().unwrap();
    served.send(&1).unwrap();
    assert_eq!(client.join().unwrap().recv().unwrap(), 1);
    for mut stream in silent {
        let mut challenge = [0; 4 + 59];
        stream.read_exact(&mut challenge).unwrap();
        stream.set_nonblocking(true).unwrap();
        let err = stream.read(&mut [0]).unwrap_err();
        assert_eq!(err.kind(), std::io::ErrorKind::WouldBlock, "it is still within its time");
    }
    CASES + seeds.len()
}

/// A client says this, whatever it is told, and goes.
fn say(listener: &Listener, path: &Path, wire: &[u8]) {
    let mut peer = UnixStream::connect(path).unwrap();
    peer.write_all(wire).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let outcome = accept(listener);
    assert!(matches!(outcome, Err(AcceptError::Authentication(_))), "{outcome:?} {wire:02x?}");
}

fn accept(listener: &Listener) -> Result<Connection<()>, AcceptError> {
    let mut outcome = None;
    let (peak, _) = measure(|| outcome = Some(listener.accept()));
    assert!(peak <= BOUND, "a guest took {peak} bytes");
    outcome.unwrap()
}

/// A client that knows the key, and does one thing wrong or nothing; returns its response.
fn talk(listener: &Listener, path: &Path, old: &[u8], random: &mut Random) -> Vec<u8> {
    let mut peer = UnixStream::connect(path).unwrap();
    let waiting = listener.try_accept::<(), ()>();
    assert!(matches!(waiting, Err(TryAcceptError::Empty)), "{waiting:?}");
    let mut opening = [0; 4 + 59];
    peer.read_exact(&mut opening).unwrap();
    let challenge = messages(&opening)[0];
    let good = oracle::response(challenge);
    let honest = [&good[..], b"#CHALLENGE#{sha256}twenty bytes and some", b"#WELCOME#"].map(frame);
    let honest: [&[u8]; 3] = [&honest[0], &honest[1], &honest[2]];
    let mut said: Vec<Vec<u8>> = honest.iter().map(|message| message.to_vec()).collect();
    let welcome = match random.below(6) {
        0 => Some(true),
        // A response of another time, and the listener's own challenge back.
        1 => {
            said[0] = frame(old);
            Some(false)
        }
        2 => {
            said[1] = opening.to_vec();
            Some(false)
        }
        // Too long, at any point.
        3 => {
            said[random.below(3)] = oversized(random);
            Some(false)
        }
        // Damaged, at any point.
        _ => {
            let at = random.below(3);
            said[at] = damaged(&honest, random);
            // What is the same after all is as good; a challenge may be any.
            (at == 0 && !said[0].starts_with(honest[0])).then_some(false)
        }
    };
    // The listener may have turned it away already.
    let _ = peer.write_all(&said.concat());
    let _ = peer.shutdown(Shutdown::Write);
    let outcome = accept(listener);
    if let Some(welcome) = welcome {
        assert_eq!(outcome.is_ok(), welcome, "{outcome:?} {said:02x?}");
    }
    good
}
