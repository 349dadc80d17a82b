//! Waiting for ends that children feed, for their sockets, and for their end.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use multiproc::{
    Context, Failure,
    connection::{Receiver, Sender, simplex, wait},
    pipe,
};
use multiproc_tests::{
    TestResult, each_start_method, held, once, random::Random, sleeping::asleep, streams::KINDS,
};

each_start_method! {
    many_children_are_read_to_their_ends, many_slow_children_are_read_to_their_ends,
    many_sockets_are_read_to_their_ends, many_slow_sockets_are_read_to_their_ends,
    sentinel_of_a_child_is_ready_when_it_ends,
}

once! { receiver_sleeps_until_a_message_or_the_end, wait_sleeps_until_something_is_there }

const CHILDREN: u32 = 4;
const MESSAGES: u32 = 10;

// parity: connection.recv-blocks
fn receiver_sleeps_until_a_message_or_the_end() -> TestResult {
    for kind in KINDS {
        let (ours, theirs) = multiproc_tests::streams::ends::<String, String>(kind)?;
        let (receiving, _) = asleep(move || {
            let message = theirs.recv().map_err(|err| err.to_string());
            (message, theirs)
        });
        assert!(!receiving.is_finished(), "{kind}");
        ours.send(&"there".to_string())?;
        let (message, theirs) = receiving.join().unwrap();
        assert_eq!(message.as_deref(), Ok("there"), "{kind}");

        let (receiving, _) = asleep(move || theirs.recv().unwrap_err().is_closed());
        assert!(!receiving.is_finished(), "{kind}");
        drop(ours);
        assert!(receiving.join().unwrap(), "{kind}");
    }
    Ok(())
}

// parity: wait.infinite
fn wait_sleeps_until_something_is_there() -> TestResult {
    let (rx, tx) = simplex::<u8>()?;
    let (other, _idle) = simplex::<u8>()?;
    let (waiting, _) = asleep(move || {
        let ready = wait(&[&other, &rx], None).map_err(|err| err.to_string());
        (ready, rx.recv().map_err(|err| err.to_string()))
    });
    assert!(!waiting.is_finished());
    tx.send(&7)?;
    assert_eq!(waiting.join().unwrap(), (Ok(vec![1]), Ok(7)));
    Ok(())
}

// parity: wait.many-readers-to-eof
fn many_children_are_read_to_their_ends(ctx: &Context) -> TestResult {
    read_many(ctx, false)
}

// parity: wait.many-readers-slow
fn many_slow_children_are_read_to_their_ends(ctx: &Context) -> TestResult {
    read_many(ctx, true)
}

fn read_many(ctx: &Context, slow: bool) -> TestResult {
    let mut readers: Vec<Receiver<(u32, u32)>> = Vec::new();
    let mut children = Vec::new();
    for child in 0..CHILDREN {
        let (rx, tx) = simplex()?;
        readers.push(rx);
        children.push(ctx.start(feed, (tx, child, slow))?);
    }
    let mut got = Vec::new();
    while !readers.is_empty() {
        let objects: Vec<&dyn AsFd> = readers.iter().map(|rx| rx as _).collect();
        for index in wait(&objects, None)?.into_iter().rev() {
            match readers[index].recv() {
                Ok(message) => got.push(message),
                Err(err) if err.is_closed() => drop(readers.remove(index)),
                Err(err) => return Err(err.into()),
            }
        }
    }
    got.sort_unstable();
    let all: Vec<_> =
        (0..CHILDREN).flat_map(|child| (0..MESSAGES).map(move |n| (child, n))).collect();
    assert_eq!(got, all);
    children.into_iter().try_for_each(|child| Ok(child.result()??))
}

fn feed(tx: Sender<(u32, u32)>, child: u32, slow: bool) -> Result<(), Failure> {
    let mut random = slow.then(Random::new);
    for number in 0..MESSAGES {
        pause(random.as_mut());
        tx.send(&(child, number))?;
    }
    Ok(())
}

/// The slowness that the tests are about; nothing is waited for by it.
fn pause(random: Option<&mut Random>) {
    if let Some(random) = random {
        thread::sleep(Duration::from_millis(random.below(100)));
    }
}

// parity: wait.raw-sockets
fn many_sockets_are_read_to_their_ends(ctx: &Context) -> TestResult {
    read_sockets(ctx, false)
}

// parity: wait.raw-sockets-slow
fn many_slow_sockets_are_read_to_their_ends(ctx: &Context) -> TestResult {
    read_sockets(ctx, true)
}

fn read_sockets(ctx: &Context, slow: bool) -> TestResult {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let (mut children, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..CHILDREN {
        children.push(ctx.start(write_lines, (port, slow))?);
        sockets.push((listener.accept()?.0, Vec::new()));
    }
    let mut done = Vec::new();
    while !sockets.is_empty() {
        let objects: Vec<&dyn AsFd> = sockets.iter().map(|(socket, _)| socket as _).collect();
        for index in wait(&objects, None)?.into_iter().rev() {
            let (socket, text) = &mut sockets[index];
            let mut part = [0; 7];
            match socket.read(&mut part)? {
                0 => done.push(sockets.remove(index).1),
                got => text.extend_from_slice(&part[..got]),
            }
        }
    }
    let expected: String = (0..MESSAGES).map(|number| format!("{number}\n")).collect();
    assert!(done.iter().all(|text| text == expected.as_bytes()), "{done:?}");
    assert_eq!(done.len(), CHILDREN as usize);
    children.into_iter().try_for_each(|child| Ok(child.result()??))
}

fn write_lines(port: u16, slow: bool) -> Result<(), Failure> {
    let mut random = slow.then(Random::new);
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    for number in 0..MESSAGES {
        pause(random.as_mut());
        socket.write_all(format!("{number}\n").as_bytes())?;
    }
    Ok(())
}

// parity: wait.sentinel-wakes
fn sentinel_of_a_child_is_ready_when_it_ends(ctx: &Context) -> TestResult {
    let (child, line) = held(ctx)?;
    let (a, b) = pipe::<u8, u8>()?;
    let objects: [&dyn AsFd; 3] = [&a, &child, &b];
    assert!(wait(&objects, Duration::from_millis(50))?.is_empty(), "it lives");
    line.send(&())?;
    assert_eq!(wait(&objects, None)?, [1]);
    assert_eq!(child.exitcode(), Some(0));
    a.send(&1)?;
    assert_eq!(wait(&objects, None)?, [1, 2]);
    Ok(child.join()?)
}
