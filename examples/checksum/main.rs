//! Hashes every file below a folder in a pool of processes, and prints what `sha256sum` would.
//!
//! ```console
//! $ cargo run --release --example checksum -- /usr/share > sums
//! 43047 files, 559237421 bytes, 0.61 s, 2 workers, 0 lost
//! $ sha256sum --check --quiet sums
//! ```
//!
//! Kill its workers while it runs: the output stays the same.
//!
//! - *Which files.* The regular files below `DIR`, hidden ones too. Links are neither followed nor listed (`DIR` itself
//!   may be one). FIFOs, sockets and devices are neither listed nor opened; a file that becomes one of them after it was
//!   found is not listed and holds nobody up.
//! - *Names.* They are bytes, which need not be UTF-8, and are printed as `find DIR -type f` would: `DIR/…`, with `.`
//!   for `DIR` `./…`. Newline, carriage return and backslash are escaped as `sha256sum` does. The lines are sorted by
//!   the names' bytes, before escaping.
//! - *Files that change.* One that grows is hashed up to the end it had when it was opened, one that shrinks up to the
//!   end that is found. So is one that said it was empty: those of `/proc` always do.
//! - *Errors.* A file or folder that cannot be read, or a file that kills its worker more often than `--retries` says,
//!   is one line on stderr; all others are done, and the exit status is 1. That of wrong arguments is 2.
//! - *Memory.* It is bounded by the largest folder and by a window of files, not by the number of files.

mod options;
mod walk;
mod hash;
mod report;

use std::{cell::RefCell, collections::VecDeque, ffi::CString, io, iter, process::ExitCode};

use multiproc::{Pool, TaskError};

use crate::{
    hash::hash_file,
    options::{Options, Parsed},
    report::Report,
    walk::{Found, Walk},
};

/// How many files are sent to a worker at a time. One that is done early gets half of what another has not begun, so
/// that a few huge files among them hold nobody up.
const CHUNK: usize = 64;

/// How many files are under way at most. Results are printed in order, so this is how far the other workers can go
/// ahead while one is busy with a huge file.
const WINDOW: usize = 65_536;

#[multiproc::main]
fn main() -> ExitCode {
    match options::parse(std::env::args_os().skip(1)) {
        Ok(Parsed::Run(options)) => run(&options),
        Ok(Parsed::Help) => options::help(),
        Err(wrong) => options::usage(&wrong),
    }
}

fn run(options: &Options) -> ExitCode {
    let mut report = Report::new();
    let pool = Pool::builder()
        .processes(options.processes)
        .context(options.context.clone())
        .retries(options.retries)
        .build();
    let pool = match pool {
        Ok(pool) => pool,
        Err(err) => return report.abort(&err),
    };
    match checksum(&pool, options, &mut report) {
        Ok(()) => report.finish(pool.processes(), pool.workers_lost()),
        Err(End::Output(err)) if err.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(End::Output(err)) => report.abort(&err),
        Err(End::Pool(err)) => report.abort(&err),
    }
}

/// Why it ends before all files are done.
enum End {
    Output(io::Error),
    Pool(TaskError),
}

/// A file that the pool has, and what could not be read on the way to it.
struct Sent {
    file: CString,
    errors: Vec<(CString, io::Error)>,
}

fn checksum(pool: &Pool, options: &Options, report: &mut Report) -> Result<(), End> {
    let mut walk = Walk::new(&options.folder, &options.skip);
    let sent: RefCell<VecDeque<Sent>> = RefCell::default();
    let errors: RefCell<Vec<(CString, io::Error)>> = RefCell::default();
    let files = iter::from_fn(|| {
        loop {
            match walk.next()? {
                Found::File(file) => {
                    let errors = errors.take();
                    sent.borrow_mut().push_back(Sent { file: file.clone(), errors });
                    return Some(file);
                }
                Found::Error { path, err } => errors.borrow_mut().push((path, err)),
            }
        }
    });
    // Without retries each file is sent by itself, or a worker that dies of one would take along what it had of others.
    let chunksize = if options.retries == 0 { 1 } else { CHUNK };
    for result in pool.imap(hash_file, files).chunksize(chunksize).buffersize(WINDOW) {
        if let Err(err) = &result
            && is_the_end(err)
        {
            return Err(End::Pool(err.clone()));
        }
        let sent = sent.borrow_mut().pop_front();
        let Sent { file, errors } = sent.expect("each result is that of a file which was sent");
        for (folder, err) in &errors {
            report.error(folder, err);
        }
        match result {
            Ok(outcome) => report.line(&file, &outcome).map_err(End::Output)?,
            Err(err) => report.error(&file, &err),
        }
    }
    for (folder, err) in &errors.take() {
        report.error(folder, err);
    }
    report.flush().map_err(End::Output)
}

fn is_the_end(err: &TaskError) -> bool {
    matches!(err, TaskError::PoolBroken(_) | TaskError::NotRunning)
}
