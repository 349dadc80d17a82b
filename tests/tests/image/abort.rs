//! Panics in a program that is built with `panic = "abort"`: nothing unwinds, and the report arrives all the same.

use std::{path::Path, process::Command};

use multiproc_tests::{TestResult, watched};

multiproc_tests::once! { report_of_a_panic_that_unwinds_has_message_and_place }

fn report_of_a_panic_that_unwinds_has_message_and_place() -> TestResult {
    check(Path::new(env!("CARGO_BIN_EXE_aborts")), 1)
}

#[test]
fn report_of_a_panic_that_aborts_has_message_and_place() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("abort");
    // The compiler's time is not under the watchdog.
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--bin", "aborts"])
        .args(["--config", "profile.dev.panic=\"abort\"", "--config", "profile.dev.debug=0"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .arg("--target-dir")
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    watched("abort", || check(&target.join("debug/aborts"), -libc::SIGABRT));
}

fn check(program: &Path, code: i32) -> TestResult {
    let output = Command::new(program).env("RUST_BACKTRACE", "0").output()?;
    let stdout = String::from_utf8(output.stdout)?;
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{stdout}");
    for (line, method) in lines.iter().zip(["forkserver", "fork", "spawn"]) {
        let expected = format!("{method}: {code}, no way to go on from 7, at ");
        let place =
            line.strip_prefix(&expected).ok_or_else(|| format!("{line}: not {expected}"))?;
        assert!(place.contains("aborts.rs:"), "{line}");
    }
    let stderr = String::from_utf8(output.stderr)?;
    assert_eq!(
        stderr.matches("no way to go on from 7").count(),
        3,
        "each was printed once: {stderr}"
    );
    Ok(())
}
