//! Programs whose file is gone, or that are told to start another one.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use multiproc::{Context, Failure, StartError};
use multiproc_tests::{
    TestResult, context_named, each_start_method, in_child, ledger::Ledger, name_of,
};

each_start_method! { program_whose_file_and_descriptor_are_gone, executable_that_is_none }

fn program_whose_file_and_descriptor_are_gone(ctx: &Context) -> TestResult {
    // A copy, because the program removes it.
    let copy = std::env::temp_dir().join(format!(
        "multiproc-gone-{}-{}",
        name_of(ctx),
        std::process::id()
    ));
    fs::copy(env!("CARGO_BIN_EXE_scenes"), &copy)?;
    let output = loop {
        match Command::new(&copy).args(["gone", &name_of(ctx)]).output() {
            // A child that another test has forked still holds it open for writing.
            Err(err) if err.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::yield_now()
            }
            output => break output?,
        }
    };
    let remains = copy.exists();
    let _ = fs::remove_file(&copy);
    assert!(!remains, "the scene removes its file");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout)?, "started all the same: 7\n");
    Ok(())
}

fn executable_that_is_none(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_other_executables, (name_of(ctx),))
}

fn start_other_executables(method: String) -> Result<(), Failure> {
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();
    let text = std::env::temp_dir().join(format!("multiproc-text-{}", std::process::id()));
    fs::write(&text, "not a program")?;
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755))?;

    for (path, errno) in [
        ("/nonexistent/program".into(), libc::ENOENT),
        ("/".into(), libc::EACCES),
        (text.clone(), libc::ENOEXEC),
    ] {
        multiproc::set_executable(path);
        let started = ctx.start(|| 7, ());
        if method == "fork" {
            // Nothing is executed.
            assert_eq!(started?.result()?, 7);
        } else {
            let Err(StartError::Os { source, .. }) = started else { panic!("{started:?}") };
            assert_eq!(source.raw_os_error(), Some(errno));
        }
        before.check("a start of what cannot be executed")?;
    }
    fs::remove_file(text)?;
    multiproc::set_executable(None);
    assert_eq!(ctx.start(|| 7, ())?.result()?, 7);
    Ok(())
}
