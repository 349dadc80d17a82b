//! The comments `// parity: id, id` and `// complaint: 7` above tests.

use std::path::PathBuf;

use crate::repo::Source;

/// What the comments of some sources say.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    pub(crate) parity: Vec<Tag>,
    pub(crate) complaints: Vec<Tag>,
    /// Comments that stand above no test.
    pub(crate) problems: Vec<String>,
}

/// One name in one comment.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
}

/// Collects the comments of all sources.
pub(crate) fn collect(sources: &[Source]) -> Tags {
    let mut tags = Tags::default();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            if let Some(names) = line.strip_prefix("// parity:") {
                let names = read(source, index, names, &lines, &mut tags.problems);
                tags.parity.extend(names);
            } else if let Some(names) = line.strip_prefix("// complaint:") {
                let names = read(source, index, names, &lines, &mut tags.problems);
                tags.complaints.extend(names);
            }
        }
    }
    tags
}

fn read(
    source: &Source,
    index: usize,
    names: &str,
    lines: &[&str],
    problems: &mut Vec<String>,
) -> Vec<Tag> {
    let place = format!("{}:{}", source.path.display(), index + 1);
    if let Err(problem) = test_below(&lines[index + 1..], lines) {
        problems.push(format!("{place}: {problem}"));
    }
    let names: Vec<&str> =
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        problems.push(format!("{place}: the comment names nothing"));
    }
    let tag =
        |name: &str| Tag { name: name.to_owned(), path: source.path.clone(), line: index + 1 };
    names.into_iter().map(tag).collect()
}

/// Looks for the test that a comment belongs to, past further comments and attributes.
///
/// A test is a function marked as one, or one that a macro of the same file is given by name.
fn test_below(below: &[&str], file: &[&str]) -> Result<(), String> {
    let mut marked = false;
    let mut open_brackets = 0_i32;
    for line in below {
        if 0 < open_brackets || line.starts_with("#[") {
            marked |= line.starts_with("#[test]") || line.contains("::test]");
            open_brackets += brackets(line);
        } else if let Some(name) = function(line) {
            if marked || 2 <= mentions(name, file) {
                return Ok(());
            }
            return Err(format!("`{name}` is no test: no `#[test]`, and nothing names it"));
        } else if !line.starts_with("//") && !line.is_empty() {
            break;
        }
    }
    Err("no test function stands below the comment".to_owned())
}

fn brackets(line: &str) -> i32 {
    line.chars().map(|c| i32::from(c == '[') - i32::from(c == ']')).sum()
}

/// Returns the name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let before = ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe"];
    let first = words.find(|word| !before.contains(word))?;
    let name = if first == "fn" { words.next()? } else { return None };
    name.split(|c: char| !is_name(c)).next().filter(|name| !name.is_empty())
}

/// Counts the lines of code that contain `name` as a whole word.
fn mentions(name: &str, file: &[&str]) -> usize {
    let code = file.iter().filter(|line| !line.starts_with("//"));
    code.filter(|line| line.split(|c: char| !is_name(c)).any(|word| word == name)).count()
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Tags {
        collect(&[Source { path: "tests/it.rs".into(), text: text.to_owned() }])
    }

    #[test]
    fn names_are_read_from_stacked_comments() {
        let found = tags(
            "// parity: lock.a, lock.b\n// parity: lock.c\n// complaint: 4\n#[test]\nfn x() {}",
        );
        let names: Vec<_> = found.parity.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names, ["lock.a", "lock.b", "lock.c"]);
        assert_eq!(found.complaints[0].name, "4");
        assert_eq!(found.problems, [""; 0]);
    }

    #[test]
    fn a_function_that_a_macro_names_is_a_test() {
        let found = tags("each! { works }\n\n// parity: lock.a\n// Why.\nfn works(ctx: &C) {}");
        assert_eq!(found.problems, [""; 0]);
    }

    #[test]
    fn a_function_that_nothing_runs_is_a_problem() {
        let found = tags("// works\n// parity: lock.a\nfn works(ctx: &C) {}");
        assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    }

    #[test]
    fn an_attribute_over_several_lines_is_passed_over() {
        let found = tags("// parity: a.b\n#[cfg_attr(\n    x,\n    ignore\n)]\n#[test]\nfn f() {}");
        assert_eq!(found.problems, [""; 0]);
    }

    #[test]
    fn a_comment_above_no_function_is_a_problem() {
        assert_eq!(tags("// parity: lock.a\nstruct X;\nfn x() {}").problems.len(), 1);
        assert_eq!(tags("// parity:\n#[test]\nfn x() {}").problems.len(), 1);
    }
}
