//! `hello`.

use multiproc_tests::{TestResult, once};

use crate::programs::example;

once! { hello_says_hello }

// parity: docs_example.hello-bob, docs_example.freeze-support
fn hello_says_hello() -> TestResult {
    let output = example("hello").output()?;
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout)?, "hello Bob, from Process-1\nit took 9 letters\n");
    Ok(())
}
