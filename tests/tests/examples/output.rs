//! `checksum` prints what sha256sum prints.

use std::{ffi::OsStr, fs};

use multiproc::Context;
use multiproc_tests::{Scratch, TestResult, each_start_method, name_of, once};

use crate::{
    programs::{example, last_line},
    tree,
};

each_start_method! { output_is_that_of_sha256sum }

once! { folder_may_be_named_in_many_ways, without_a_folder_git_and_target_are_skipped, empty_folder_has_no_lines }

fn output_is_that_of_sha256sum(ctx: &Context) -> TestResult {
    let method = name_of(ctx);
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("output-{method}"))?;
    let top = scratch.join("top");
    fs::create_dir(&top)?;
    tree::make_odd(&top)?;

    let output = example("checksum").arg(&top).args(["--start-method", &method]).output()?;

    let (last, errors) = last_line(&output)?;
    assert_eq!(errors, [""; 0]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(last.lost, 0);
    assert_eq!(last.files, 22 + 3 + 300);
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count() as u64, last.files + 1);
    let Some(expected) = tree::reference(&scratch, top.as_os_str())? else { return Ok(()) };
    assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&expected));
    assert_eq!(output.stdout, expected);
    assert!(tree::check(&scratch, &output.stdout)?);
    Ok(())
}

fn folder_may_be_named_in_many_ways() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "names")?;
    fs::create_dir_all(scratch.join("top/sub"))?;
    fs::create_dir(scratch.join("-top"))?;
    for file in ["top/sub/a", "top/b", "-top/c"] {
        fs::write(scratch.join(file), file)?;
    }
    for top in [".", "./", "top", "top/", "./top//", "top/sub/..", "top/b"] {
        let output = example("checksum").arg(top).current_dir(&*scratch).output()?;
        assert!(output.status.success(), "{output:?}");
        let Some(expected) = tree::reference(&scratch, OsStr::new(top))? else { return Ok(()) };
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&expected),
            "{top}"
        );
    }
    let output = example("checksum").args(["--", "-top"]).current_dir(&*scratch).output()?;
    assert!(String::from_utf8(output.stdout)?.ends_with("  -top/c\n"));

    std::os::unix::fs::symlink("top", scratch.join("link"))?;
    let output = example("checksum").arg("link").current_dir(&*scratch).output()?;
    let text = String::from_utf8(output.stdout)?;
    assert!(text.contains("  link/b\n") && text.ends_with("  link/sub/a\n"), "{text}");
    Ok(())
}

fn without_a_folder_git_and_target_are_skipped() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "skipped")?;
    for folder in ["target", ".git", "sub/target", "sub/.git", "sub/targets"] {
        fs::create_dir_all(scratch.join(folder))?;
        fs::write(scratch.join(folder).join("file"), folder)?;
    }
    let paths = |arguments: &[&str]| -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let output = example("checksum").args(arguments).current_dir(&*scratch).output()?;
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout)?;
        Ok(text.lines().map(|line| line[66..].to_string()).collect())
    };
    let all = [
        "./.git/file",
        "./sub/.git/file",
        "./sub/target/file",
        "./sub/targets/file",
        "./target/file",
    ];

    assert_eq!(paths(&[])?, ["./sub/targets/file"]);
    assert_eq!(paths(&["."])?, all, "with a folder nothing is skipped");
    assert_eq!(paths(&["--skip", ""])?, all);
    assert_eq!(paths(&["--skip", "sub"])?, ["./.git/file", "./target/file"]);
    assert_eq!(paths(&[".", "--skip=.git,sub,"])?, ["./target/file"]);
    assert_eq!(paths(&["--skip", "file"])?, [""; 0], "files, too");
    Ok(())
}

fn empty_folder_has_no_lines() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "empty")?;
    let output = example("checksum").arg(&*scratch).args(["--processes", "3"]).output()?;
    assert!(output.status.success());
    assert_eq!(output.stdout, b"");
    let (last, _) = last_line(&output)?;
    assert_eq!((last.files, last.bytes, last.workers, last.lost), (0, 0, 3, 0));
    Ok(())
}
