//! A `/dev/shm` that is small.

use std::process::Command;

use multiproc_tests::{TestResult, once};

use crate::programs::stderr;

once! { full_folder_is_an_error_and_memory_without_a_name_needs_none }

// complaint: 25
fn full_folder_is_an_error_and_memory_without_a_name_needs_none() -> TestResult {
    let script = "mount -t tmpfs -o size=64k none /dev/shm || exit 77; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]);
    let output = command.args([env!("CARGO_BIN_EXE_shares"), "no-room", "sparse"]).output();
    let output = match output {
        Ok(output) if output.stdout.is_empty() && !output.status.success() => {
            println!("skipped: no mount namespace of one's own here: {}", stderr(&output));
            return Ok(());
        }
        Err(err) => {
            println!("skipped: no unshare here: {err}");
            return Ok(());
        }
        Ok(output) => output,
    };
    let said = String::from_utf8(output.stdout.clone())?;
    let lines: Vec<&str> = said.lines().collect();
    assert!(output.status.success() && lines.len() == 3, "{output:?}");
    for line in &lines[..2] {
        assert!(line.starts_with("no room for 1048576 bytes in /dev/shm: "), "{line}");
        assert!(line.contains("65536 bytes are free") && line.contains("--shm-size"), "{line}");
    }
    assert_eq!((lines[2], &*stderr(&output)), ("all written", ""));
    Ok(())
}
