//! `queues`.

use multiproc_tests::{TestResult, once};

use crate::programs::example;

once! { queues_prints_what_its_head_says }

fn queues_prints_what_its_head_says() -> TestResult {
    let output = example("queues").output()?;
    assert!(output.status.success(), "{output:?}");
    let head = include_str!("../../../examples/queues.rs");
    let lines = head.lines().filter_map(|line| line.strip_prefix("//! "));
    let shown: Vec<&str> = lines.filter(|line| line.contains(") = ")).collect();
    assert_eq!(String::from_utf8(output.stdout)?.lines().collect::<Vec<_>>(), shown);
    assert_eq!(String::from_utf8(output.stderr)?, "");
    Ok(())
}
