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
//!   end that is found.
//! - *Errors.* A file or folder that cannot be read, or a file that kills its worker more often than `--retries` says,
//!   is one line on stderr; all others are done, and the exit status is 1. That of wrong arguments is 2.
//! - *Memory.* It is bounded by the largest folder and by a window of batches, not by the number of files.

mod options;
mod walk;
mod batch;
mod hash;
mod report;

use std::{cell::RefCell, collections::VecDeque, ffi::CString, io, process::ExitCode};

use multiproc::{Pool, TaskError};

use crate::{
    batch::{Batch, batches},
    hash::hash_files,
    options::{Options, Parsed},
    report::Report,
};

/// How many batches are under way at most. Results are printed in order, so this is how far the other workers can go
/// ahead while one is busy with a huge file.
const WINDOW: usize = 1024;

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

fn checksum(pool: &Pool, options: &Options, report: &mut Report) -> Result<(), End> {
    // The batches that the pool has and whose results are not back yet.
    let sent: RefCell<VecDeque<Batch>> = RefCell::default();
    let files = batches(options).map(|batch| {
        let files = batch.files.clone();
        sent.borrow_mut().push_back(batch);
        files
    });
    for result in pool.imap(hash_files, files).buffersize(WINDOW) {
        let batch = sent.borrow_mut().pop_front().unwrap_or_default();
        for (folder, err) in &batch.errors {
            report.error(folder, err);
        }
        match result {
            Ok(outcomes) => report.lines(&batch.files, outcomes).map_err(End::Output)?,
            Err(err) if is_the_end(&err) => return Err(End::Pool(err)),
            Err(err) => match &batch.files[..] {
                [file] => report.error(file, &err),
                files => one_by_one(pool, files, report)?,
            },
        }
    }
    report.flush().map_err(End::Output)
}

/// Hashes each file of a batch by itself, when the batch has killed its workers: only the file that does it is lost.
fn one_by_one(pool: &Pool, files: &[CString], report: &mut Report) -> Result<(), End> {
    let batches = files.iter().map(|file| vec![file.clone()]);
    for (file, result) in files.iter().zip(pool.imap(hash_files, batches)) {
        match result {
            Ok(outcomes) => {
                report.lines(std::slice::from_ref(file), outcomes).map_err(End::Output)?;
            }
            Err(err) if is_the_end(&err) => return Err(End::Pool(err)),
            Err(err) => report.error(file, &err),
        }
    }
    Ok(())
}

fn is_the_end(err: &TaskError) -> bool {
    matches!(err, TaskError::PoolBroken(_) | TaskError::NotRunning)
}
