//! What every source file has to look like.

use std::path::Path;

use super::layers;
use crate::repo::Source;

/// A file longer than this wants to be two.
const MOST_LINES: usize = 400;

/// Checks every file.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<String> {
    let path = source.path.display();
    let mut breaches = Vec::new();

    if !source.text.trim_start().starts_with("//!") {
        breaches.push(format!("{path} does not begin with a `//!` line"));
    }
    let lines = lines_of_code(&source.text);
    if MOST_LINES < lines {
        breaches.push(format!("{path} has {lines} lines of code, more than {MOST_LINES}"));
    }
    for (index, line) in source.text.lines().enumerate() {
        if is_unfinished(line) {
            breaches.push(format!("{path}:{}: unfinished", index + 1));
        }
    }
    breaches.extend(check_unsafe(source));
    breaches
}

/// Unsafe code stands in few crates, and the others cannot even ask for it.
fn check_unsafe(source: &Source) -> Option<String> {
    let path = source.path.display();
    let lifts = has_inner_attribute(&source.text, &["expect(unsafe_code", "allow(unsafe_code"]);
    let forbids = has_inner_attribute(&source.text, &["forbid(unsafe_code"]);
    match Place::of(&source.path) {
        Place::Library { name, is_root } => {
            let may = layers::floor(name).is_some_and(|floor| floor.may_be_unsafe);
            if lifts && !may {
                return Some(format!("{path} lifts the ban on unsafe code; {name} may not"));
            }
            if is_root && !may && !forbids {
                return Some(format!("{path} lacks `#![forbid(unsafe_code)]`"));
            }
            None
        }
        Place::Program if lifts => Some(format!("{path} lifts the ban on unsafe code")),
        Place::Program | Place::Test => None,
    }
}

/// What a file is part of.
enum Place<'a> {
    /// The source of the library `name`; its `lib.rs` if `is_root`.
    Library { name: &'a str, is_root: bool },
    /// What users read first, or chores: no reason to be unsafe.
    Program,
    /// A test or a bench, which may have to do what the library must survive.
    Test,
}

impl<'a> Place<'a> {
    fn of(path: &'a Path) -> Self {
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        match parts[..] {
            ["crates", name, "src", ref rest @ ..] => {
                Self::Library { name, is_root: rest == ["lib.rs"] }
            }
            ["crates", _, "examples", ..] | ["examples" | "xtask", ..] => Self::Program,
            _ => Self::Test,
        }
    }
}

fn has_inner_attribute(text: &str, contents: &[&str]) -> bool {
    text.lines().any(|line| {
        line.strip_prefix("#![").is_some_and(|rest| contents.iter().any(|c| rest.starts_with(c)))
    })
}

/// Returns true for a line that puts work off.
pub(super) fn is_unfinished(line: &str) -> bool {
    // Spelled apart, for this file is checked too.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| marks.contains(&word))
}

/// Counts lines that are not blank, not comments or docs, and not in `mod tests`.
///
/// Relies on rustfmt: the end of a block stands at the indentation of its beginning.
fn lines_of_code(text: &str) -> usize {
    let mut count = 0;
    let mut tests_end = None;
    let mut in_comment = false;
    for line in text.lines() {
        let code = line.trim();
        if let Some(end) = &tests_end {
            if line == end {
                tests_end = None;
            }
        } else if in_comment || code.starts_with("/*") {
            in_comment = !code.contains("*/");
        } else if code == "mod tests {" {
            let indentation = &line[..line.len() - line.trim_start().len()];
            tests_end = Some(format!("{indentation}}}"));
        } else if !code.is_empty() && !code.starts_with("//") {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str) -> Vec<String> {
        check_file(&Source { path: path.into(), text: text.to_owned() })
    }

    #[test]
    fn only_code_counts() {
        let text = "//! Docs.\n\nfn a() {\n    // Why.\n}\n/* long\n   story */\n\
                    #[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        assert_eq!(lines_of_code(text), 4);
    }

    #[test]
    fn a_long_file_and_a_file_without_docs_are_breaches() {
        let long = format!("//! Docs.\n{}", "fn a() {}\n".repeat(401));
        assert_eq!(check_text("tests/it/a.rs", &long).len(), 1);
        assert_eq!(check_text("tests/it/a.rs", "fn a() {}\n").len(), 1);
    }

    #[test]
    fn work_put_off_is_a_breach() {
        let text = format!("//! Docs.\n// {}: later.\n", concat!("TO", "DO"));
        assert_eq!(check_text("tests/it/a.rs", &text), ["tests/it/a.rs:2: unfinished"]);
    }

    #[test]
    fn unsafe_code_keeps_to_its_crates() {
        let lifting = "//! Docs.\n#![expect(unsafe_code, reason = \"x\")]\n";
        assert_eq!(check_text("crates/multiproc-sys/src/a.rs", lifting), [""; 0]);
        assert_eq!(check_text("crates/multiproc-pool/src/a.rs", lifting).len(), 1);
        assert_eq!(check_text("examples/a.rs", lifting).len(), 1);
        assert_eq!(check_text("crates/multiproc-pool/src/lib.rs", "//! Docs.\n").len(), 1);
        let forbidding = "//! Docs.\n#![forbid(unsafe_code)]\n";
        assert_eq!(check_text("crates/multiproc-pool/src/lib.rs", forbidding), [""; 0]);
    }
}
