//! `shared_memory`.

use multiproc_tests::{TestResult, once};

use crate::programs::example;

once! { shared_memory_prints_what_its_head_says_and_leaves_nothing }

fn shared_memory_prints_what_its_head_says_and_leaves_nothing() -> TestResult {
    let output = example("shared_memory").output()?;
    assert!(output.status.success(), "{output:?}");
    let head = include_str!("../../../examples/shared_memory.rs");
    let lines = head.lines().filter_map(|line| line.strip_prefix("//! "));
    let shown: Vec<&str> = lines.filter(|line| line.contains("sum up to")).collect();
    assert_eq!(String::from_utf8(output.stdout)?.lines().collect::<Vec<_>>(), shown);
    // The tracker would have said what was left.
    assert_eq!(String::from_utf8(output.stderr)?, "");
    Ok(())
}
