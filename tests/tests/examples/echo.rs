//! `echo_listener` and `echo_client`, with each other and with every Python that is found.

use std::{error::Error, io::Read, process::Output};

use multiproc_tests::{Scratch, TestResult, once, python::Python};

use crate::{programs::example, running::Running};

once! {
    every_echo_matches_in_every_family,
    size_and_count_are_as_asked_for,
    wrong_key_is_one_error_line,
    client_without_an_address_says_how_to_use_it,
    ends_that_disagree_on_objects_do_not_wait_for_each_other,
    python_client_gets_its_objects_back,
    python_object_that_is_no_plain_data_is_named_and_costs_one_client,
    python_listener_is_echoed,
    python_with_another_key_is_refused,
}

const PROGRAM: &str = include_str!("echo.py");

fn listener(address: &str, more: &[&str]) -> Result<Running, Box<dyn Error>> {
    Running::start(example("echo_listener").args(["--address", address]).args(more))
}

fn client(address: &str, more: &[&str]) -> std::io::Result<Output> {
    example("echo_client").args(["--address", address]).args(more).output()
}

/// Checks that a client was content, and returns how many messages a second it claims.
fn rate(output: &Output) -> Result<f64, Box<dyn Error>> {
    let stdout = str::from_utf8(&output.stdout)?;
    if !output.status.success() || !output.stderr.is_empty() {
        return Err(format!("{output:?}").into());
    }
    Ok(stdout.strip_suffix(" messages per second\n").ok_or("no rate")?.parse()?)
}

/// Returns the one line with which a client failed.
fn failure(output: &Output) -> Result<String, Box<dyn Error>> {
    let stderr = String::from_utf8(output.stderr.clone())?;
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty());
    let line = stderr.strip_suffix('\n').ok_or("no line")?;
    assert!(line.starts_with("error: ") && !line.contains('\n'), "{line}");
    Ok(line.to_owned())
}

fn every_echo_matches_in_every_family() -> TestResult {
    let folder = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "echo")?;
    let path = folder.join("socket");
    let name = format!("@multiproc-echo-{}", std::process::id());
    let addresses = ["127.0.0.1:0", "[::1]:0", &name, path.to_str().ok_or("path")?];
    for address in addresses {
        for more in [&["--authkey", "key"][..], &["--authkey", "key", "--objects"], &[]] {
            let listener = match listener(address, more) {
                // Some machines have no IPv6.
                Err(err) if address.starts_with('[') && err.to_string().contains("assign") => {
                    continue;
                }
                listener => listener?,
            };
            match address.strip_suffix(":0") {
                Some(host) => assert!(listener.address.starts_with(&format!("{host}:"))),
                None => assert_eq!(listener.address, address),
            }
            // Several clients, one after the other.
            for count in ["1", "20"] {
                rate(&client(&listener.address, &[more, &["--count", count]].concat())?)?;
            }
            drop(listener);
            // A killed listener leaves its path.
            let _ = std::fs::remove_file(&path);
        }
    }
    Ok(())
}

fn size_and_count_are_as_asked_for() -> TestResult {
    for objects in [&[][..], &["--objects"]] {
        let listener = listener("127.0.0.1:0", objects)?;
        for size in ["0", "1", "7", "70000", "33554433"] {
            let more = [objects, &["--size", size, "--count", "2"]].concat();
            assert!(0.0 < rate(&client(&listener.address, &more)?)?);
        }
    }
    Ok(())
}

fn wrong_key_is_one_error_line() -> TestResult {
    let mut listener = listener("127.0.0.1:0", &["--authkey", "right", "--objects"])?;
    let output = client(&listener.address, &["--authkey", "wrong", "--objects"])?;
    assert!(failure(&output)?.contains("authenticate"));
    rate(&client(&listener.address, &["--authkey", "right", "--objects"])?)?;
    assert!(listener.kill().starts_with("warning: "));
    Ok(())
}

fn client_without_an_address_says_how_to_use_it() -> TestResult {
    for program in ["echo_client", "echo_listener"] {
        let line = failure(&example(program).arg("--objects").output()?)?;
        assert!(line.contains("usage: ") && line.contains("[--objects]"), "{line}");
    }
    Ok(())
}

fn ends_that_disagree_on_objects_do_not_wait_for_each_other() -> TestResult {
    let mut of_objects = listener("127.0.0.1:0", &["--objects"])?;
    let line = failure(&client(&of_objects.address, &[])?)?;
    assert_eq!(line, "error: connection closed by the other end");
    let warning = of_objects.kill();
    assert!(warning.starts_with("warning: failed to unpickle message: "), "{warning}");
    // The other way round nobody can tell.
    let of_bytes = listener("127.0.0.1:0", &[])?;
    rate(&client(&of_bytes.address, &["--objects"])?)?;
    Ok(())
}

/// The address as Python writes it.
fn literal(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) => format!("('{host}', {port})"),
        None => format!("'{}'", address.replacen('@', r"\0", 1)),
    }
}

fn python_client_gets_its_objects_back() -> TestResult {
    let name = format!("@multiproc-objects-{}", std::process::id());
    for address in ["127.0.0.1:0", &name] {
        let listener = listener(address, &["--authkey", "key", "--objects"])?;
        for python in Python::all() {
            let mut command = python.command(PROGRAM);
            let output = command.args(["send", "key", &literal(&listener.address)]).output()?;
            assert!(output.status.success(), "{}: {output:?}", python.version());
        }
    }
    Ok(())
}

fn python_object_that_is_no_plain_data_is_named_and_costs_one_client() -> TestResult {
    for python in Python::all() {
        let mut listener = listener("127.0.0.1:0", &["--authkey", "key", "--objects"])?;
        let address = literal(&listener.address);
        for what in ["bad", "send"] {
            let output = python.command(PROGRAM).args([what, "key", &address]).output()?;
            assert!(output.status.success(), "{}: {output:?}", python.version());
        }
        let warnings = listener.kill();
        for reason in [
            "value contains itself",
            "value is nested more than 512 levels deep",
            "global `posix.system` is not one that may be read",
            "global `builtins.eval` is not one that may be read",
        ] {
            assert!(warnings.contains(reason), "{}: {warnings}", python.version());
        }
        assert_eq!(warnings.lines().count(), 4, "{warnings}");
    }
    Ok(())
}

fn python_listener_is_echoed() -> TestResult {
    for python in Python::all() {
        for family in ["AF_INET", "AF_UNIX"] {
            let mut command = python.command(PROGRAM);
            let listener = Running::start(command.args(["serve", "key", family]))?;
            let more = ["--authkey", "key", "--objects", "--count", "50", "--size", "20000"];
            rate(&client(&listener.address, &more)?)?;
            listener.finish()?;
        }
    }
    Ok(())
}

fn python_with_another_key_is_refused() -> TestResult {
    let listener = listener("127.0.0.1:0", &["--authkey", "key", "--objects"])?;
    for python in Python::all() {
        let address = literal(&listener.address);
        let output = python.command(PROGRAM).args(["send", "other", &address]).output()?;
        assert_eq!(output.status.code(), Some(1), "{}", python.version());
        assert_eq!(String::from_utf8(output.stderr)?, "AuthenticationError\n");

        let mut command = python.command(PROGRAM);
        let mut serving = Running::start(command.args(["serve", "other", "AF_UNIX"]))?;
        let output = client(&serving.address, &["--authkey", "key", "--objects"])?;
        assert!(failure(&output)?.contains("authenticate"));
        // It ends by itself, but with an error; all that it says is on standard error.
        let mut rest = String::new();
        serving.stdout.read_to_string(&mut rest)?;
        serving.child.wait()?;
        assert_eq!(serving.kill(), "AuthenticationError\n");
    }
    Ok(())
}
