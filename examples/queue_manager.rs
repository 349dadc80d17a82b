//! Serves one queue, one dict, one list, and `Maths`, to clients in Rust and Python.
//!
//! ```console
//! $ cargo run --example queue_manager -- --address 127.0.0.1:0 --authkey secret
//! 127.0.0.1:39741
//! ```
//!
//! The address comes first, on a line of its own; the server runs until a client says `shutdown`.
//! With `--sync` clients may also make what a `SyncManager` has: dicts, lists, queues, locks.
//! Clients from CPython 3.11 and before are let in unless `--no-md5` is given.
//!
//! Python: a `BaseManager` on which `get_queue`, `get_dict`, `get_list` and `Maths` are registered,
//! `connect()`.

use std::{env, error::Error, io::Write, process::ExitCode};

use multiproc::managers::{
    BaseManager, ManagerError,
    pickle::{Exception, Global},
    types::{Dict, List, Queue},
};

/// What clients ask the server to make.
struct Maths;

#[multiproc::shared]
impl Maths {
    pub fn new() -> Self {
        Self
    }

    pub fn add(&self, x: i64, y: i64) -> i64 {
        x.wrapping_add(y)
    }

    pub fn mul(&self, x: i64, y: i64) -> i64 {
        x.wrapping_mul(y)
    }

    pub fn div(&self, x: i64, y: i64) -> Result<i64, DivisionError> {
        x.checked_div(y).ok_or(DivisionError)
    }
}

/// A division that has no result.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct DivisionError;

impl std::fmt::Display for DivisionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("division by zero")
    }
}

impl multiproc::managers::SharedError for DivisionError {
    fn python_class(&self) -> &str {
        "ZeroDivisionError"
    }

    fn into_exception(self) -> Exception {
        let class = Global::new("builtins", self.python_class());
        Exception::new(class, [self.to_string().into()])
    }
}

fn main() -> ExitCode {
    multiproc::init();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {}", chain(&*err));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let mut builder = BaseManager::builder()
        .share("get_queue", Queue::new())
        .share("get_dict", Dict::new())
        .share("get_list", List::default())
        .register::<Maths>();
    let (mut has_address, mut has_key, mut md5) = (false, false, true);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match &*arg {
            "--address" => (builder, has_address) = (builder.address(value()?), true),
            "--authkey" => (builder, has_key) = (builder.authkey(value()?), true),
            "--no-md5" => md5 = false,
            "--sync" => builder = builder.sync_types(),
            _ => return Err(format!("unknown argument `{arg}`").into()),
        }
    }
    if !has_address || !has_key {
        return Err("usage: queue_manager --address A --authkey K [--sync] [--no-md5]".into());
    }
    let builder = if md5 { builder.allow_md5() } else { builder };
    let server = builder.get_server()?;
    println!("{}", server.address());
    std::io::stdout().flush()?;
    server.serve_forever().map_err(ManagerError::from)?;
    Ok(())
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
