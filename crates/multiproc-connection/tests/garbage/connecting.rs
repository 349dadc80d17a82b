//! Damaged handshakes of listeners, as a client meets them.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    sync::mpsc,
    thread,
};

use multiproc_connection::{Address, Client, ConnectError, Connection};

use crate::{
    KEY,
    corpus::Corpus,
    counting::measure,
    damage::{Random, damaged, frame, oversized},
    oracle, watchdog,
};

const CASES: usize = 15_000;
const BOUND: isize = 64 << 10;

/// What the listener does to the next client.
enum Plan {
    /// Says this, whatever it is told.
    Say(Vec<u8>),
    /// Talks as one who knows the key, and damages the message of this number with these numbers.
    Talk { damage: usize, random: Random },
}

pub(crate) fn run(corpus: &Corpus, random: &mut Random) -> usize {
    let name = format!("mpcn-garbage-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let (plans, told) = mpsc::channel::<Plan>();
    let (results, proven) = mpsc::channel::<bool>();
    let server = thread::spawn(move || {
        for plan in told {
            let (stream, _) = listener.accept().unwrap();
            results.send(carry_out(plan, stream).unwrap_or(false)).unwrap();
        }
    });

    let address = Address::Abstract(name.into_bytes());
    let seeds = corpus.seeds("handshake");
    let olds = seeds.iter().map(|seed| seed.to_vec());
    let mut welcome = 0;
    for (case, old) in olds.map(Some).chain((0..CASES).map(|_| None)).enumerate() {
        let plan = match old {
            Some(old) => Plan::Say(old),
            None if case % 2 == 0 => Plan::Say(damaged(&seeds, random)),
            // Every fourth is left as it is.
            None => Plan::Talk { damage: random.below(4), random: Random::new(random.next()) },
        };
        let is_said = if let Plan::Say(wire) = &plan { wire.as_slice() } else { &[] };
        watchdog::feed("clients", case, is_said);
        plans.send(plan).unwrap();
        let outcome = connect(&address);
        let is_proven = outcome.is_ok();
        if let Err(err) = &outcome {
            assert!(matches!(err, ConnectError::Authentication(_)), "{err:?}");
        }
        drop(outcome);
        let was_proven = proven.recv().unwrap();
        assert!(was_proven || !is_proven, "case {case}: only who knows the key is let in");
        welcome += usize::from(is_proven);
    }
    assert!(CASES / 20 < welcome, "those that were not damaged: {welcome}");
    drop(plans);
    server.join().unwrap();
    CASES + seeds.len()
}

fn connect(address: &Address) -> Result<Connection<()>, ConnectError> {
    let mut outcome = None;
    let (peak, _) = measure(|| {
        let builder = Client::builder().authkey(KEY).allow_md5();
        outcome = Some(builder.connect(address));
    });
    assert!(peak <= BOUND, "a listener made a client take {peak} bytes");
    outcome.unwrap()
}

/// Returns true if the listener has proven that it knows the key; an error is that the client has gone.
fn carry_out(plan: Plan, mut stream: UnixStream) -> std::io::Result<bool> {
    match plan {
        Plan::Say(wire) => {
            stream.write_all(&wire)?;
            leave(stream)?;
            Ok(false)
        }
        Plan::Talk { damage, mut random } => {
            let challenge = [b"#CHALLENGE#{sha256}", &random.next().to_be_bytes()[..], &[7; 32]];
            say(&mut stream, &challenge.concat(), damage == 0, &mut random)?;
            hear(&mut stream)?;
            say(&mut stream, b"#WELCOME#", damage == 1, &mut random)?;
            let challenge = hear(&mut stream)?;
            let response = oracle::response(&challenge);
            let is_right = say(&mut stream, &response, damage == 2, &mut random)?;
            // It may go with something unread, which resets the connection.
            let _ = leave(stream);
            Ok(is_right)
        }
    }
}

/// Says a message, or something else and nothing after it; returns true if it was the message.
fn say(
    stream: &mut UnixStream,
    message: &[u8],
    is_damaged: bool,
    random: &mut Random,
) -> std::io::Result<bool> {
    let honest = frame(message);
    let said = match random.below(3) {
        _ if !is_damaged => honest.clone(),
        0 => oversized(random),
        _ => damaged(&[&honest, b"\0\0\0\x09#WELCOME#", b"\0\0\0\x09#FAILURE#"], random),
    };
    stream.write_all(&said)?;
    if is_damaged {
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(said.starts_with(&honest))
}

fn hear(stream: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Says no more, and listens until the client has gone.
fn leave(mut stream: UnixStream) -> std::io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}
