//! `cargo xtask help`: the verbs.

const HELP: &str = "\
usage: cargo xtask <verb>

  test-all                 everything that has to pass: fmt, clippy, tidy, parity, tests, examples, docs
  tidy                     layers, dependencies, file sizes, docs on every file, unsafe, licences, changelog
  parity                   Python's behaviours that tests show, area by area
  parity --list AREA       every behaviour of one area with its status
  parity --update          sets the status of rows that a test is tagged with to `test`
  bench [AREA|ROW...]      ours beside the raw limit and CPython; writes target/bench/report.json
  bench --check [...]      the same, and fails when a goal is missed
  bench --rounds N [...]   the same, with medians of N rounds in place of 9
  help                     this text
";

/// Prints the verbs.
pub(crate) fn run() -> anyhow::Result<()> {
    print!("{HELP}");
    Ok(())
}
