//! Echoes every message of every client, Rust's or Python's, until the client closes.
//!
//! ```console
//! $ cargo run --example echo_listener -- --address 127.0.0.1:0 --authkey secret
//! 127.0.0.1:39741
//! ```
//!
//! An address with a leading `@` is an abstract name, one with a `/` a path, all else `host:port` or
//! `[v6]:port`. Clients from CPython 3.11 and before are let in unless `--no-md5` is given.
//!
//! With `--objects` each message is a Python object, which is read and written anew. One that is no
//! plain data has no echo: there is a warning that names it, and its client is let go, so that it
//! does not wait for ever.
//!
//! Python: `with Listener(address, authkey=key) as listener: conn = listener.accept()`.

use std::{env, error::Error, io::Write, process::ExitCode, thread, time::Duration};

use multiproc::{
    connection::{AcceptError, Connection, Listener, RecvError, SendError},
    pickle::Object,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    multiproc::init();
    match listen() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {}", chain(&*err));
            ExitCode::FAILURE
        }
    }
}

fn listen() -> Result<()> {
    let mut builder = Listener::builder().backlog(128);
    let (mut has_address, mut md5) = (false, true);
    let mut echo: fn(&Connection<()>) -> Result<()> = echo_bytes;
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match &*arg {
            "--address" => (builder, has_address) = (builder.address(value()?), true),
            "--authkey" => builder = builder.authkey(value()?),
            "--objects" => echo = echo_objects,
            "--no-md5" => md5 = false,
            _ => return Err(format!("unknown argument `{arg}`").into()),
        }
    }
    if !has_address {
        return Err("usage: echo_listener --address A [--authkey K] [--objects] [--no-md5]".into());
    }
    let listener = if md5 { builder.allow_md5() } else { builder }.bind()?;
    println!("{}", listener.address());
    std::io::stdout().flush()?;
    loop {
        match listener.accept() {
            Ok(client) => {
                // One that cannot be served is let go.
                let _ = thread::Builder::new().spawn(move || {
                    if let Err(err) = echo(&client) {
                        eprintln!("warning: {}", chain(&*err));
                    }
                });
            }
            Err(err @ AcceptError::Authentication(_)) => eprintln!("warning: {}", chain(&err)),
            Err(err) => {
                eprintln!("warning: {}", chain(&err));
                // Out of descriptors, perhaps: until a client leaves, to try again at once is
                // to turn in circles.
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn echo_bytes(client: &Connection<()>) -> Result<()> {
    loop {
        match client.recv_bytes() {
            Ok(message) => match client.send_bytes(&message) {
                Err(SendError::Closed) => return Ok(()),
                sent => sent?,
            },
            Err(RecvError::Closed) => return Ok(()),
            Err(err) => return Err(err.into()),
        }
    }
}

fn echo_objects(client: &Connection<()>) -> Result<()> {
    loop {
        match client.recv_object::<Object>() {
            Ok(object) => match client.send_object(&object) {
                Err(SendError::Closed) => return Ok(()),
                sent => sent?,
            },
            Err(RecvError::Closed) => return Ok(()),
            Err(err) => return Err(err.into()),
        }
    }
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
