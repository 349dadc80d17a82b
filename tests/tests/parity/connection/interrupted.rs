//! Handled signals that interrupt sends, receives, accepts and waits.
//!
//! Each scene is a process with one thread. Another process sends it a signal whenever it sleeps, and then lets go on
//! what it waits for.

use std::{
    io::{PipeReader, Read, Write},
    process,
    time::{Duration, Instant},
};

use multiproc::{
    Connection, Context, Failure, Process,
    connection::{Address, Client, Family, Listener, wait},
    pipe,
    wire::Fd,
};
use multiproc_tests::{
    TestResult,
    held::Line,
    in_child,
    interrupts::{self, interrupt, interrupt_until},
    once,
    streams::{self, KINDS},
};

once! {
    receive_goes_on_after_a_signal, send_goes_on_after_a_signal, accept_goes_on_after_a_signal,
    waits_keep_to_their_time,
}

/// What the interrupting process gets: whom to interrupt, what its handler says, and the word to begin.
type Pest = (u32, Fd<PipeReader>, Line);

/// How often each call is interrupted.
const TIMES: usize = 10;
/// A message that no socket takes at once.
const LARGE: usize = 16 << 20;
/// Nearly the largest that goes into a packet itself, and how many of them are more than a socket takes.
const PACKET: usize = 60_000;
const PACKETS: usize = 100;

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

fn pest() -> Result<(Pest, Line), Failure> {
    let (ours, theirs) = pipe()?;
    Ok(((process::id(), Fd(interrupts::handle()?), theirs), ours))
}

fn finish(pest: Process<Result<(), Failure>>) -> Result<(), Failure> {
    pest.result()?
}

// parity: connection.eintr-ignored
fn receive_goes_on_after_a_signal() -> TestResult {
    KINDS
        .into_iter()
        .try_for_each(|kind| in_child(&Context::spawn(), receive_amid_signals, (kind.to_string(),)))
}

fn receive_amid_signals(kind: String) -> Result<(), Failure> {
    let (pest, line) = pest()?;
    let (ours, theirs) = streams::ends::<(), ()>(&kind)?;
    let child = Context::spawn().start(let_receive, (pest, kind.clone(), theirs))?;
    line.recv()?;
    for timed in [false, true] {
        line.send(&())?;
        let message = match timed {
            false => ours.recv_bytes()?,
            true => ours.recv_bytes_timeout(Duration::MAX)?,
        };
        assert!(message == pattern(PACKET));
    }
    assert!(2 * TIMES <= interrupts::handled(), "{kind}: {}", interrupts::handled());
    finish(child)
}

fn let_receive(pest: Pest, kind: String, theirs: Connection<(), ()>) -> Result<(), Failure> {
    let (pid, Fd(handled), line) = pest;
    line.send(&())?;
    let message = pattern(PACKET);
    for _ in 0..2 {
        line.recv()?;
        interrupt(pid, &handled, TIMES)?;
        if kind == "pipe" {
            theirs.send_bytes(&message)?;
            continue;
        }
        // Within the header, and within the message, too.
        let mut raw = streams::raw(&theirs)?;
        let header = (message.len() as u32).to_be_bytes();
        for part in [&header[..2], &header[2..], &message[..100], &message[100..7000]] {
            raw.write_all(part)?;
            interrupt(pid, &handled, TIMES)?;
        }
        raw.write_all(&message[7000..])?;
    }
    Ok(())
}

// parity: connection.eintr-ignored
fn send_goes_on_after_a_signal() -> TestResult {
    KINDS
        .into_iter()
        .try_for_each(|kind| in_child(&Context::spawn(), send_amid_signals, (kind.to_string(),)))
}

fn send_amid_signals(kind: String) -> Result<(), Failure> {
    let (pest, line) = pest()?;
    let (ours, theirs) = streams::ends::<(), ()>(&kind)?;
    let child = Context::spawn().start(let_send, (pest, kind.clone(), theirs))?;
    line.recv()?;
    let (message, times) =
        if kind == "pipe" { (pattern(PACKET), PACKETS) } else { (pattern(LARGE), 1) };
    line.send(&())?;
    for _ in 0..times {
        ours.send_bytes(&message)?;
    }
    assert!(2 * TIMES <= interrupts::handled(), "{kind}: {}", interrupts::handled());
    finish(child)
}

fn let_send(pest: Pest, kind: String, theirs: Connection<(), ()>) -> Result<(), Failure> {
    let (pid, Fd(handled), line) = pest;
    line.send(&())?;
    line.recv()?;
    interrupt(pid, &handled, TIMES)?;
    if kind == "pipe" {
        for number in 0..PACKETS {
            assert!(theirs.recv_bytes()? == pattern(PACKET));
            if number < 5 {
                // The sender has filled the place meanwhile, and sleeps again.
                interrupt(pid, &handled, TIMES)?;
            }
        }
        return Ok(());
    }
    let mut raw = streams::raw(&theirs)?;
    let mut wire = vec![0; 4 + LARGE];
    let (first, rest) = wire.split_at_mut(1 << 20);
    raw.read_exact(first)?;
    interrupt(pid, &handled, TIMES)?;
    raw.read_exact(rest)?;
    assert_eq!(wire[..4], (LARGE as u32).to_be_bytes());
    assert!(wire[4..] == pattern(LARGE));
    Ok(())
}

// parity: listener.accept-eintr
fn accept_goes_on_after_a_signal() -> TestResult {
    for family in ["inet", "unix"] {
        for key in [false, true] {
            in_child(&Context::spawn(), accept_amid_signals, (family.to_string(), key))?;
        }
    }
    Ok(())
}

fn accept_amid_signals(family: String, key: bool) -> Result<(), Failure> {
    let (pest, line) = pest()?;
    let family = if family == "inet" { Family::Inet } else { Family::Unix };
    let builder = Listener::builder().family(family);
    let listener = if key { builder.authkey("key") } else { builder }.bind()?;
    let address = listener.address().to_string();
    let child = Context::spawn().start(let_accept, (pest, address, key))?;
    line.recv()?;
    line.send(&())?;
    let client: Connection<String, ()> = listener.accept()?;
    assert!(TIMES <= interrupts::handled(), "{}", interrupts::handled());
    client.send(&"welcome".to_string())?;
    finish(child)
}

fn let_accept(pest: Pest, address: String, key: bool) -> Result<(), Failure> {
    let (pid, Fd(handled), line) = pest;
    line.send(&())?;
    line.recv()?;
    interrupt(pid, &handled, TIMES)?;
    let builder = Client::builder();
    let builder = if key { builder.authkey("key") } else { builder };
    let address: Address = address.parse()?;
    let connection: Connection<(), String> = builder.connect(address)?;
    assert_eq!(connection.recv()?, "welcome");
    Ok(())
}

// parity: wait.eintr
fn waits_keep_to_their_time() -> TestResult {
    in_child(&Context::spawn(), wait_amid_signals, ())
}

fn wait_amid_signals() -> Result<(), Failure> {
    const TIME: Duration = Duration::from_millis(150);
    let (pest, line) = pest()?;
    let (idle, _other) = pipe::<(), ()>()?;
    let (stream, _peer) = streams::ends::<(), ()>("unix")?;
    let listener = Listener::builder().authkey("key").bind()?;
    let (ours, theirs) = pipe::<(), ()>()?;
    let child = Context::spawn().start(let_wait, (pest, theirs))?;
    line.recv()?;
    line.send(&())?;
    let calls: [&dyn Fn() -> Result<bool, Failure>; 5] = [
        &|| Ok(!wait(&[&idle, &stream, &listener], TIME)?.is_empty()),
        &|| Ok(idle.poll(TIME)?),
        &|| Ok(stream.poll(TIME)?),
        &|| Ok(stream.recv_bytes_timeout(TIME).is_ok()),
        &|| Ok(listener.accept_timeout::<(), ()>(TIME).is_ok()),
    ];
    for call in calls {
        // The signals do not cease before all is over: a wait that began anew with each would never end.
        loop {
            let (before, start) = (interrupts::handled(), Instant::now());
            assert!(!call()?, "nothing is ready");
            assert!(TIME <= start.elapsed(), "it was cut short");
            if before + 3 <= interrupts::handled() {
                break;
            }
        }
    }
    line.send(&())?;
    assert_eq!(wait(&[&idle, &ours], None)?, [1]);
    finish(child)
}

fn let_wait(pest: Pest, theirs: Connection<(), ()>) -> Result<(), Failure> {
    let (pid, Fd(handled), line) = pest;
    line.send(&())?;
    line.recv()?;
    interrupt_until(pid, &handled, || line.poll(Duration::ZERO).unwrap_or(true))?;
    interrupt(pid, &handled, TIMES)?;
    theirs.send(&())?;
    Ok(())
}
