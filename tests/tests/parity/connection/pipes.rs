//! Pipes whose other end is in a child.

use std::{thread, time::Duration};

use multiproc::{
    Connection, Context,
    connection::{Receiver, Sender, simplex},
    pipe,
};
use multiproc_tests::{TestResult, each_start_method, held};
use serde::{Deserialize, Serialize};

each_start_method! {
    child_echoes_objects_and_bytes, end_closed_right_after_the_start_works_in_the_child,
    poller_in_a_child_takes_no_part_of_a_message, messages_of_a_slow_child_come_one_by_one,
    end_in_a_killed_child_is_closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Int(i64),
    Float(f64),
    None,
}

// parity: connection.object-roundtrip, connection.bytes-roundtrip, connection.large-message-16mib
fn child_echoes_objects_and_bytes(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<Vec<Item>, Vec<Item>>()?;
    let child = ctx.start(echo, (theirs,))?;
    let sent = vec![Item::Int(1), Item::Float(2.25), Item::None];
    ours.send(&sent)?;
    assert_eq!(ours.recv()?, sent);
    let large: Vec<u8> = (0..16 << 20).map(|index: u32| index as u8).collect();
    let messages: [_; MESSAGES] = [b"thank you".to_vec(), Vec::new(), large];
    for bytes in messages {
        ours.send_bytes(&bytes)?;
        assert!(ours.recv_bytes()? == bytes, "{} bytes", bytes.len());
    }
    Ok(child.result()?)
}

const MESSAGES: usize = 3;

fn echo(end: Connection<Vec<Item>, Vec<Item>>) {
    end.send(&end.recv().unwrap()).unwrap();
    // Not until the end: a forked child has a copy of the parent's end itself.
    for _ in 0..MESSAGES {
        end.send_bytes(&end.recv_bytes().unwrap()).unwrap();
    }
}

// parity: connection.close-right-after-start
fn end_closed_right_after_the_start_works_in_the_child(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<String, String>()?;
    let copy = held::duplicate(&theirs)?;
    let child =
        ctx.start(|end: Connection<String>| end.send(&end.recv().unwrap()).unwrap(), (theirs,))?;
    // The one that was given is closed by now, this one is the last of the parent's.
    copy.close();
    ours.send(&"hello".to_string())?;
    assert_eq!(ours.recv()?, "hello");
    assert!(ours.recv().unwrap_err().is_closed(), "no copy is left anywhere");
    child.join()?;
    assert_eq!(child.exitcode(), Some(0));
    Ok(())
}

// parity: connection.poll-takes-nothing
fn poller_in_a_child_takes_no_part_of_a_message(ctx: &Context) -> TestResult {
    let (rx, tx) = pipe::<String, String>()?;
    let shared = held::duplicate(&rx)?;
    let (line, theirs) = pipe::<(), ()>()?;
    let child = ctx.start(
        |end: Connection<String>, line: Connection<(), ()>| {
            line.send(&()).unwrap();
            end.poll(Duration::from_secs(3600)).unwrap()
        },
        (shared, theirs),
    )?;
    line.recv()?;
    tx.send(&"one".to_string())?;
    tx.send(&"two".to_string())?;
    assert!(child.result()?);
    assert_eq!(rx.recv()?, "one");
    assert_eq!(rx.recv()?, "two");
    Ok(())
}

const STRINGS: [&str; 8] = ["hello", "", "a", "b", "", "bye", "", "lop"];

// parity: connection.poll-string-sequence
fn messages_of_a_slow_child_come_one_by_one(ctx: &Context) -> TestResult {
    let (rx, tx) = simplex::<()>()?;
    let child = ctx.start(send_slowly, (tx,))?;
    let got = receive_all(&rx)?;
    assert_eq!(got, STRINGS);
    Ok(child.result()?)
}

fn send_slowly(tx: Sender<()>) {
    for string in STRINGS {
        tx.send_bytes(string.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(30));
    }
}

fn receive_all(rx: &Receiver<()>) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut got = Vec::new();
    loop {
        while !rx.poll(Duration::from_millis(10))? {}
        match rx.recv_bytes() {
            Ok(bytes) => got.push(String::from_utf8(bytes)?),
            Err(err) if err.is_closed() => return Ok(got),
            Err(err) => return Err(err.into()),
        }
    }
}

// parity: connection.dropped-closes
fn end_in_a_killed_child_is_closed(ctx: &Context) -> TestResult {
    let (child, line) = held(ctx)?;
    child.kill()?;
    assert!(line.recv().unwrap_err().is_closed());
    child.join()?;
    assert_eq!(child.exitcode(), Some(-9));
    Ok(())
}
