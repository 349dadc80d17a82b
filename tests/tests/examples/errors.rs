//! `checksum` and what cannot be read or written.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, process::CommandExt},
    },
    path::Path,
    process::Stdio,
};

use multiproc_tests::{Scratch, TestResult, once};
use rustix::fs::{CWD, Mode, OFlags};

use crate::{
    programs::{example, last_line},
    tree,
};

once! {
    unreadable_files_and_folders_cost_a_line_each, missing_folder_is_an_error, paths_beyond_what_the_system_takes_are_errors,
    reader_that_goes_away_ends_it_quietly, full_device_is_an_error, closed_streams_are_no_disaster,
}

/// Somebody who may not read everything.
const NOBODY: u32 = 65534;

fn unreadable_files_and_folders_cost_a_line_each() -> TestResult {
    let scratch = Scratch::new("/tmp", "multiproc-unreadable")?;
    fs::create_dir(scratch.join("closed"))?;
    for file in ["a", "new\nline", "closed/b", "c"] {
        fs::write(scratch.join(file), file)?;
    }
    fs::set_permissions(&*scratch, fs::Permissions::from_mode(0o755))?;
    for unreadable in ["a", "new\nline", "closed"] {
        fs::set_permissions(scratch.join(unreadable), fs::Permissions::from_mode(0o000))?;
    }
    let mut checksum = example("checksum");
    checksum.arg(&*scratch).current_dir("/");
    if rustix::process::geteuid().is_root() {
        // Who may read everything has to become somebody else.
        checksum.uid(NOBODY).gid(NOBODY);
    }

    let output = match checksum.output() {
        Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
            println!("skipped: only root may run the examples where they are");
            return Ok(());
        }
        output => output?,
    };

    // Or the folder could not be removed.
    fs::set_permissions(scratch.join("closed"), fs::Permissions::from_mode(0o755))?;
    let (last, mut errors) = last_line(&output)?;
    errors.sort();
    assert_eq!(output.status.code(), Some(1));
    let denied =
        |name| format!("checksum: {}/{name}: Permission denied (os error 13)", scratch.display());
    assert_eq!(errors, ["a", "closed", "new\\nline"].map(denied));
    assert_eq!((last.files, last.bytes, last.lost), (1, 1, 0));
    assert!(output.stdout.ends_with(b"/c\n"));
    Ok(())
}

fn missing_folder_is_an_error() -> TestResult {
    let output = example("checksum").arg("/does/not/exist").output()?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let (last, errors) = last_line(&output)?;
    assert_eq!(errors, ["checksum: /does/not/exist: No such file or directory (os error 2)"]);
    assert_eq!(last.files, 0);
    Ok(())
}

fn paths_beyond_what_the_system_takes_are_errors() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "deep")?;
    fs::write(scratch.join("top"), "top")?;
    let name = "d".repeat(200);
    let mut folder: OwnedFd = rustix::fs::openat(CWD, &*scratch, OFlags::DIRECTORY, Mode::empty())?;
    for _ in 0..30 {
        rustix::fs::mkdirat(&folder, &*name, Mode::RWXU)?;
        folder = rustix::fs::openat(&folder, &*name, OFlags::DIRECTORY, Mode::empty())?;
    }

    let output = example("checksum").arg(".").current_dir(&*scratch).output()?;

    let (last, errors) = last_line(&output)?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(last.files, 1);
    assert!(output.stdout.ends_with(b"./top\n"));
    assert!(matches!(&errors[..], [error] if error.ends_with("(os error 36)")), "{errors:?}");
    Ok(())
}

fn reader_that_goes_away_ends_it_quietly() -> TestResult {
    let scratch = many_files("reader")?;
    let (reader, writer) = rustix::pipe::pipe()?;
    drop(reader);
    let output = example("checksum").arg(&*scratch).stdout(writer).output_of_stderr()?;
    assert_eq!(output, (Some(0), String::new()));
    Ok(())
}

fn full_device_is_an_error() -> TestResult {
    let scratch = many_files("full")?;
    let full = fs::File::create("/dev/full")?;
    let output = example("checksum").arg(&*scratch).stdout(full).output_of_stderr()?;
    assert_eq!(output, (Some(1), "checksum: No space left on device (os error 28)\n".into()));
    Ok(())
}

fn closed_streams_are_no_disaster() -> TestResult {
    let scratch = many_files("closed")?;
    let mut checksum = example("checksum");
    checksum.arg(&*scratch);
    let close = || {
        for stream in 0..3 {
            // SAFETY: The child is about to execute another program and uses none of them before.
            unsafe { libc::close(stream) };
        }
        Ok(())
    };
    // SAFETY: `close` is async-signal-safe.
    unsafe { checksum.pre_exec(close) };
    assert_eq!(checksum.status()?.code(), Some(0));
    Ok(())
}

/// So many that their lines do not all fit into a buffer.
fn many_files(name: &str) -> io::Result<Scratch> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), name)?;
    for at in 0..1500 {
        fs::write(Path::join(&scratch, format!("file{at}")), tree::noise(at))?;
    }
    Ok(scratch)
}

trait OutputOfStderr {
    /// Runs it to its end; the exit code and what it says on stderr.
    fn output_of_stderr(&mut self) -> io::Result<(Option<i32>, String)>;
}

impl OutputOfStderr for std::process::Command {
    fn output_of_stderr(&mut self) -> io::Result<(Option<i32>, String)> {
        let output = self.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}
