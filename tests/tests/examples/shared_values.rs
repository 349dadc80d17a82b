//! `shared_values`.

use multiproc_tests::{TestResult, once};

use crate::programs::example;

once! { shared_values_prints_what_its_head_says }

// parity: docs_example.sharedctypes-modify
fn shared_values_prints_what_its_head_says() -> TestResult {
    let output = example("shared_values").output()?;
    assert!(output.status.success(), "{output:?}");
    let head = include_str!("../../../examples/shared_values.rs");
    let lines = head.lines().skip_while(|line| !line.contains("$ cargo")).skip(1);
    let shown: Vec<_> = lines.map_while(|line| line.strip_prefix("//! ")).take(4).collect();
    assert_eq!(String::from_utf8(output.stdout)?.lines().collect::<Vec<_>>(), shown);
    assert_eq!(String::from_utf8(output.stderr)?, "");
    Ok(())
}
