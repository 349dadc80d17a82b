//! `manager`, `queue_manager` and `queue_client`, with each other and with every Python that is found.

use std::{
    error::Error,
    process::{Command, Output},
};

use multiproc_tests::{TestResult, once, python::Python};

use crate::{programs::example, running::Running};

once! {
    manager_prints_what_python_s_does,
    client_and_manager_understand_each_other,
    python_client_uses_our_manager,
    client_uses_python_s_manager,
    wrong_key_and_no_server_are_one_error_line,
    old_python_is_refused_where_md5_is,
}

const PROGRAM: &str = include_str!("managers.py");

const LINES: &str =
    "get_queue: hello\nget_dict: {'x': 7}\nget_list: [1, 'two', None]\nMaths.add(4, 3): 7\n";

fn manager(more: &[&str]) -> Result<Running, Box<dyn Error>> {
    let args = ["--address", "127.0.0.1:0", "--authkey", "key"];
    Running::start(example("queue_manager").args(args).args(more))
}

fn client(address: &str, key: &str, more: &[&str]) -> std::io::Result<Output> {
    let args = ["--address", address, "--authkey", key];
    example("queue_client").args(args).args(more).output()
}

fn python(python: &Python, args: &[&str]) -> Command {
    let mut command = python.command(PROGRAM);
    command.args(args).arg("key");
    command
}

fn check(output: &Output) -> TestResult {
    if output.status.success() && output.stderr.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

fn failure(output: &Output) -> Result<String, Box<dyn Error>> {
    let stderr = String::from_utf8(output.stderr.clone())?;
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let line = stderr.strip_suffix('\n').ok_or("no line")?;
    assert!(line.starts_with("error: ") && !line.contains('\n'), "{stderr}");
    Ok(line.to_owned())
}

fn manager_prints_what_python_s_does() -> TestResult {
    let output = example("manager").output()?;
    check(&output)?;
    let line = "-".repeat(20);
    let expected = format!(
        "{line}\nyou called Foo.f()\nyou called Foo.g()\n{line}\nyou called Foo.g()\n\
         you called Foo._h()\n{line}\n<0> <1> <4> <9> <16> <25> <36> <49> <64> <81>\n{line}\n\
         op.add(23, 45) = 68\nop.pow(2, 60) = 1152921504606846976\n\
         op._exposed_ = [\"add\", \"mul\", \"pow\"]\n"
    );
    assert_eq!(String::from_utf8(output.stdout)?, expected);
    Ok(())
}

fn client_and_manager_understand_each_other() -> TestResult {
    let server = manager(&["--no-md5"])?;
    let output = client(&server.address, "key", &["--no-md5"])?;
    check(&output)?;
    assert_eq!(String::from_utf8(output.stdout)?, LINES);
    Ok(())
}

fn python_client_uses_our_manager() -> TestResult {
    for each in Python::all() {
        let fail = |err| format!("Python {}: {err}", each.version());
        let server = manager(&[])?;
        check(&python(each, &["client", &server.address]).output()?).map_err(fail)?;
        let sync = Running::start(example("queue_manager").args([
            "--address",
            "127.0.0.1:0",
            "--authkey",
            "key",
            "--sync",
        ]))?;
        check(&python(each, &["sync_client", &sync.address]).output()?).map_err(fail)?;
    }
    Ok(())
}

fn client_uses_python_s_manager() -> TestResult {
    for each in Python::all() {
        let server = Running::start(&mut python(each, &["server"]))?;
        let output = client(&server.address, "key", &[])?;
        check(&output).map_err(|err| format!("Python {}: {err}", each.version()))?;
        assert_eq!(String::from_utf8(output.stdout)?, LINES, "Python {}", each.version());
    }
    Ok(())
}

fn wrong_key_and_no_server_are_one_error_line() -> TestResult {
    let server = manager(&[])?;
    let line = failure(&client(&server.address, "another", &[])?)?;
    assert!(line.contains("authenticate"), "{line}");
    check(&client(&server.address, "key", &[])?)?;
    let line = failure(&client("127.0.0.1:1", "key", &[])?)?;
    assert!(line.contains("127.0.0.1:1"), "{line}");
    let output = example("queue_client").output()?;
    assert!(failure(&output)?.contains("usage"));
    Ok(())
}

fn old_python_is_refused_where_md5_is() -> TestResult {
    for each in Python::all() {
        let server = manager(&["--no-md5"])?;
        let output = python(each, &["client", &server.address]).output()?;
        let minor: u32 = each.version().split('.').nth(1).unwrap_or("0").parse()?;
        assert_eq!(output.status.success(), 12 <= minor, "Python {}", each.version());
        check(&client(&server.address, "key", &[])?)?;
    }
    Ok(())
}
