//! Uses what a `queue_manager` serves, be it ours or Python's, and prints a line for each thing.
//!
//! ```console
//! $ cargo run --example queue_client -- --address 127.0.0.1:39741 --authkey secret
//! get_queue: hello
//! get_dict: {'x': 7}
//! get_list: [1, 'two', None]
//! Maths.add(4, 3): 7
//! ```
//!
//! Ends with 0; or with one line that begins `error:`, and 1. A server of CPython 3.11 and before is
//! trusted unless `--no-md5` is given.

use std::{env, error::Error, process::ExitCode};

use multiproc::managers::{BaseManager, DictProxy, ListProxy, QueueProxy, pickle::Object};

fn main() -> ExitCode {
    multiproc::init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {}", chain(&*err));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut builder = BaseManager::builder();
    let (mut has_address, mut has_key, mut md5) = (false, false, true);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match &*arg {
            "--address" => (builder, has_address) = (builder.address(value()?), true),
            "--authkey" => (builder, has_key) = (builder.authkey(value()?), true),
            "--no-md5" => md5 = false,
            _ => return Err(format!("unknown argument `{arg}`").into()),
        }
    }
    if !has_address || !has_key {
        return Err("usage: queue_client --address A --authkey K [--no-md5]".into());
    }
    let manager = if md5 { builder.allow_md5() } else { builder }.connect()?;

    let queue: QueueProxy<String> = manager.create("get_queue", ())?.into();
    queue.put("hello")?;
    println!("get_queue: {}", queue.get()?);

    let dict: DictProxy<String, i64> = manager.create("get_dict", ())?.into();
    // Of a dict or list that a Python serves without a proxy type only the public methods are there.
    dict.update([("x", 7)])?;
    println!("get_dict: {dict}");

    let list: ListProxy<Object> = manager.create("get_list", ())?.into();
    list.extend([Object::from(1), "two".into(), Object::None])?;
    println!("get_list: {list}");

    let maths = manager.create("Maths", ())?;
    println!("Maths.add(4, 3): {}", maths.call::<_, i64>("add", (4, 3))?);
    Ok(())
}

/// The error and its causes in one line.
fn chain(err: &dyn Error) -> String {
    let (mut text, mut cause) = (err.to_string(), err.source());
    while let Some(err) = cause {
        text.push_str(&format!(": {err}"));
        cause = err.source();
    }
    text.replace('\n', " ")
}
