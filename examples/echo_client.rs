//! Sends messages to an echoing listener, Rust's or Python's, and checks that they come back.
//!
//! ```console
//! $ cargo run --example echo_client -- --address 127.0.0.1:39741 --authkey secret --count 1000
//! 41250 messages per second
//! ```
//!
//! `--count` is 1 and `--size`, in bytes, 8 unless given. With `--objects` each message is a Python
//! `str` of so many characters. Listeners from CPython 3.11 and before are talked to unless `--no-md5`
//! is given.
//!
//! Python: `with Client(address, authkey=key) as conn: conn.send_bytes(b'...')`, or `conn.send('...')`.

use std::{env, error::Error, process::ExitCode, time::Instant};

use multiproc::{
    connection::{Client, Connection},
    pickle::Object,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    multiproc::init();
    match run() {
        Ok(rate) => {
            println!("{rate:.0} messages per second");
            ExitCode::SUCCESS
        }
        Err(err) => {
            eprintln!("error: {}", chain(&*err));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<f64> {
    let mut builder = Client::builder();
    let (mut address, mut count, mut size, mut md5) = (None, 1u64, 8usize, true);
    let mut echo: fn(&Connection<()>, u64, usize) -> Result<()> = echo_bytes;
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match &*arg {
            "--address" => address = Some(value()?),
            "--authkey" => builder = builder.authkey(value()?),
            "--count" => count = value()?.parse()?,
            "--size" => size = value()?.parse()?,
            "--objects" => echo = echo_objects,
            "--no-md5" => md5 = false,
            _ => return Err(format!("unknown argument `{arg}`").into()),
        }
    }
    let usage = "usage: echo_client --address A [--authkey K] [--objects] [--count N] \
                 [--size BYTES] [--no-md5]";
    let address = address.ok_or(usage)?;
    let builder = if md5 { builder.allow_md5() } else { builder };
    let connection = builder.max_message(u64::MAX).connect(address)?;

    let start = Instant::now();
    echo(&connection, count, size)?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

fn echo_bytes(connection: &Connection<()>, count: u64, size: usize) -> Result<()> {
    let mut message: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
    let head = size.min(8);
    for number in 0..count {
        // Each is different, so that an echo too many or too few shows.
        message[..head].copy_from_slice(&number.to_le_bytes()[..head]);
        connection.send_bytes(&message)?;
        if connection.recv_bytes()? != message {
            return Err(mismatch(number));
        }
    }
    Ok(())
}

fn echo_objects(connection: &Connection<()>, count: u64, size: usize) -> Result<()> {
    let mut message = "x".repeat(size);
    let head = size.min(8);
    for number in 0..count {
        message.replace_range(..head, &format!("{:08x}", number as u32)[8 - head..]);
        connection.send_object(&message)?;
        let echo: Object = connection.recv_object()?;
        if echo.as_str() != Some(&message) {
            return Err(mismatch(number));
        }
    }
    Ok(())
}

fn mismatch(number: u64) -> Box<dyn Error> {
    format!("echo of message {number} does not match").into()
}

/// The error and its causes in one line.
fn chain(err: &dyn Error) -> String {
    let (mut text, mut cause) = (err.to_string(), err.source());
    while let Some(err) = cause {
        text.push_str(&format!(": {err}"));
        cause = err.source();
    }
    text
}
