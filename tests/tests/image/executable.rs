//! Which file a fresh copy is made from.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use multiproc::{Context, Failure, ProcessError, StartError, set_executable};
use multiproc_tests::{Scratch, TestResult, procfs};

multiproc_tests::once! {
    program_goes_on_when_its_file_is_deleted,
    program_goes_on_when_its_file_is_replaced,
}
multiproc_tests::once_alone! {
    executable_can_be_chosen,
    another_build_refuses,
    program_that_knows_nothing_of_us_just_runs,
    program_that_is_not_there_is_an_error,
    closed_descriptor_of_the_executable_is_noticed,
}

fn program_goes_on_when_its_file_is_deleted() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "deleted")?;
    change_while_it_runs(&scratch, |program| fs::remove_file(program))
}

fn program_goes_on_when_its_file_is_replaced() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "replaced")?;
    let other = scratch.join("other");
    copy(env!("CARGO_BIN_EXE_stranger"), &other)?;
    change_while_it_runs(&scratch, |program| fs::rename(other, program))
}

/// Runs a copy of a program, changes its file once its `main` runs, and has it start processes only then.
fn change_while_it_runs(
    scratch: &Path,
    change: impl FnOnce(&Path) -> std::io::Result<()>,
) -> TestResult {
    let path = scratch.join("program");
    copy(env!("CARGO_BIN_EXE_steady"), &path)?;
    let mut program = Command::new(&path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(program.stdout.take().ok_or("a pipe")?);
    let mut text = String::new();
    output.read_line(&mut text)?;
    assert_eq!(text, "main runs\n");

    change(&path)?;
    drop(program.stdin.take());

    output.read_to_string(&mut text)?;
    assert_eq!(text, "main runs\nforkserver: 42\nfork: 42\nspawn: 42\n");
    assert!(program.wait()?.success());
    Ok(())
}

/// Copies a program in another process: while this one writes to the copy, a fork of another test would hold the
/// descriptor, and a file that is open for writing cannot be executed.
fn copy(from: &str, to: &Path) -> TestResult {
    let status = Command::new("cp").arg(from).arg(to).status()?;
    if status.success() { Ok(()) } else { Err(format!("cp: {status}").into()) }
}

// parity: start_methods.set-executable
fn executable_can_be_chosen() -> Result<(), Failure> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "chosen")?;
    let link = scratch.join("the same program");
    fs::hard_link(env::current_exe()?, &link)?;
    let text = link.to_str().ok_or("a path of text")?;

    let ways =
        [PathBuf::from(text), PathBuf::from(OsStr::from_bytes(text.as_bytes())), link.clone()];
    for path in ways {
        set_executable(path);
        let child = Context::spawn().start(path_of_this_program, ())?;
        assert_eq!(child.result()??, link);
        assert_eq!(child.exitcode(), Some(0));
    }
    set_executable(None);
    assert_eq!(Context::spawn().start(path_of_this_program, ())?.result()??, env::current_exe()?);
    Ok(())
}

fn another_build_refuses() -> Result<(), Failure> {
    set_executable(PathBuf::from(env!("CARGO_BIN_EXE_stranger")));

    let child = Context::spawn().start(|| 7, ())?;
    match child.result() {
        Err(ProcessError::Refused { message }) => {
            assert!(message.contains("another build"), "{message}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(child.exitcode(), Some(1));
    match Context::forkserver().start(|| 7, ()) {
        Err(StartError::Refused { message }) => {
            assert!(message.contains("another build"), "{message}")
        }
        other => panic!("{other:?}"),
    }
    set_executable(None);
    assert_eq!(Context::forkserver().start(|| 7, ())?.result()?, 7, "no harm was done");
    Ok(())
}

fn program_that_knows_nothing_of_us_just_runs() -> Result<(), Failure> {
    for (program, code) in [("/bin/true", 0), ("/bin/false", 1)] {
        set_executable(PathBuf::from(program));
        let child = Context::spawn().start(|| 7, ())?;
        assert!(
            matches!(child.result(), Err(ProcessError::Exited { code: ended }) if ended == code),
            "{child:?}"
        );
        assert_eq!(child.exitcode(), Some(code));
        assert!(
            matches!(Context::forkserver().start(|| 7, ()), Err(StartError::Refused { .. })),
            "{program}"
        );
    }
    assert!(
        procfs::children_of(std::process::id()).is_empty(),
        "an error of a start leaves no process"
    );
    Ok(())
}

fn program_that_is_not_there_is_an_error() -> Result<(), Failure> {
    set_executable(PathBuf::from("/nonexistent/program"));
    for ctx in [Context::spawn(), Context::forkserver()] {
        match ctx.start(|| 7, ()) {
            Err(StartError::Os { source, .. }) => {
                assert_eq!(source.kind(), std::io::ErrorKind::NotFound)
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        procfs::children_of(std::process::id()).is_empty(),
        "an error of a start leaves no process"
    );
    set_executable(PathBuf::from("a\0b"));
    assert!(matches!(Context::spawn().start(|| 7, ()), Err(StartError::Os { .. })));
    Ok(())
}

fn closed_descriptor_of_the_executable_is_noticed() -> Result<(), Failure> {
    // The descriptor is there at the latest when a process was started.
    Context::spawn().start(|| (), ())?.join()?;
    let program = env::current_exe()?;
    let is_program =
        |number: &i32| procfs::link(*number).is_some_and(|link| Path::new(&link) == program);
    let number = procfs::open_descriptors()
        .into_iter()
        .find(is_program)
        .ok_or("a descriptor of the program")?;

    let other = fs::File::open("/bin/true")?;
    // As a careless loop over all numbers does. Nobody drops the one that the library holds.
    unsafe { libc::close(number) };
    assert_eq!(Context::spawn().start(|| 7, ())?.result()?, 7, "closed");

    assert_eq!(
        unsafe { libc::dup3(std::os::fd::AsRawFd::as_raw_fd(&other), number, libc::O_CLOEXEC) },
        number
    );
    assert_eq!(Context::spawn().start(|| 7, ())?.result()?, 7, "another file in its place");
    assert_eq!(Context::forkserver().start(|| 7, ())?.result()?, 7);
    Ok(())
}

fn path_of_this_program() -> Result<PathBuf, Failure> {
    Ok(fs::read_link("/proc/self/exe")?)
}
