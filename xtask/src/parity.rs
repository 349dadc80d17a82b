//! `cargo xtask parity`: how many of Python's behaviours tests show.
//!
//! A row of `docs/parity.tsv` is covered when a test carries its id in a comment
//! `// parity: id`, when its reason says why Rust differs, or when it belongs to a later part of
//! the plan. The table and the comments have to agree; where they do not, the verb fails.

mod table;
mod tags;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;

use self::{
    table::{Row, Status},
    tags::Tags,
};
use crate::repo;

/// How many complaints about Python's module there are to answer.
const COMPLAINTS: u8 = 30;

/// Where tests are.
const DIRS: [&str; 3] = ["crates", "tests", "examples"];

/// Prints the table of areas, or what the options ask for.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let rows = table::load()?;
    let tags = tags::collect(&repo::files(&DIRS, &["rs"])?);
    match args[..] {
        [] => summary(&rows, &tags),
        ["--list", area] => list(&rows, &tags, area),
        ["--update"] => table::store(&updated(rows, &tags)),
        _ => bail!("usage: cargo xtask parity [--list AREA | --update]"),
    }
}

/// What one area has come to.
#[derive(Default)]
struct Tally {
    total: usize,
    tests: usize,
    differences: usize,
    later: usize,
}

impl Tally {
    fn covered(&self) -> usize {
        self.tests + self.differences + self.later
    }
}

fn summary(rows: &[Row], tags: &Tags) -> anyhow::Result<()> {
    let tagged = names(tags);
    let mut order = Vec::new();
    let mut tallies = BTreeMap::<&str, Tally>::new();
    for row in rows {
        if !tallies.contains_key(row.area.as_str()) {
            order.push(row.area.as_str());
        }
        let tally = tallies.entry(&row.area).or_default();
        tally.total += 1;
        match row.status {
            Status::Test => tally.tests += usize::from(tagged.contains(row.id.as_str())),
            Status::Difference => tally.differences += usize::from(!row.reason.is_empty()),
            Status::WithPart(_) => tally.later += 1,
            Status::Open => {}
        }
    }
    let problems = problems(rows, tags);
    for problem in &problems {
        eprintln!("parity: {problem}");
    }
    for area in order {
        let tally = &tallies[area];
        println!(
            "{area} {}/{} ({} tests, {} differences, {} later)",
            tally.covered(),
            tally.total,
            tally.tests,
            tally.differences,
            tally.later
        );
    }
    let complaints: BTreeSet<_> = tags.complaints.iter().map(|tag| &tag.name).collect();
    println!("complaints {}/{COMPLAINTS}", complaints.len());
    let covered: usize = tallies.values().map(Tally::covered).sum();
    println!("parity {covered}/{}", rows.len());
    match problems.len() {
        0 => Ok(()),
        1 => bail!("parity found 1 problem"),
        n => bail!("parity found {n} problems"),
    }
}

fn list(rows: &[Row], tags: &Tags, area: &str) -> anyhow::Result<()> {
    let mut rows = rows.iter().filter(|row| row.area == area).peekable();
    if rows.peek().is_none() {
        bail!("no area is called `{area}`");
    }
    for row in rows {
        println!("{} [{}] {}", row.id, row.status, row.behaviour);
        if !row.reason.is_empty() {
            println!("    reason: {}", row.reason);
        }
        for tag in tags.parity.iter().filter(|tag| tag.name == row.id) {
            println!("    {}:{}", tag.path.display(), tag.line);
        }
    }
    Ok(())
}

/// Sets the status of rows that a test shows.
fn updated(mut rows: Vec<Row>, tags: &Tags) -> Vec<Row> {
    let tagged = names(tags);
    for row in &mut rows {
        if is_behind(row) && tagged.contains(row.id.as_str()) {
            row.status = Status::Test;
        }
    }
    rows
}

/// Returns where the table, the comments and the tests disagree.
fn problems(rows: &[Row], tags: &Tags) -> Vec<String> {
    let tagged = names(tags);
    let mut ids = BTreeSet::new();
    let mut problems = tags.problems.clone();
    for row in rows {
        let id = row.id.as_str();
        if !ids.insert(id) {
            problems.push(format!("docs/parity.tsv has `{id}` twice"));
        }
        if row.status == Status::Test && !tagged.contains(id) {
            problems.push(format!("`{id}` has the status `test`, but no test carries its id"));
        }
        if row.status == Status::Difference && row.reason.is_empty() {
            problems.push(format!("`{id}` has the status `difference`, but no reason"));
        }
        if is_behind(row) && tagged.contains(id) {
            let status = &row.status;
            problems.push(format!(
                "a test carries `{id}`, but its status is `{status}`: `cargo xtask parity --update`"
            ));
        }
    }
    for tag in &tags.parity {
        if !ids.contains(tag.name.as_str()) {
            let place = format!("{}:{}", tag.path.display(), tag.line);
            problems.push(format!("{place}: docs/parity.tsv has no `{}`", tag.name));
        }
    }
    for tag in &tags.complaints {
        if !tag.name.parse().is_ok_and(|number| (1..=COMPLAINTS).contains(&number)) {
            let place = format!("{}:{}", tag.path.display(), tag.line);
            problems.push(format!("{place}: there is no complaint `{}`", tag.name));
        }
    }
    problems
}

/// Returns true for a row that says no test shows it yet.
fn is_behind(row: &Row) -> bool {
    matches!(row.status, Status::Open | Status::WithPart(_))
}

fn names(tags: &Tags) -> BTreeSet<&str> {
    tags.parity.iter().map(|tag| tag.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Source;

    const TABLE: &str = "id\tarea\tstatus\treason\tbehaviour\n\
                         a.test\ta\ttest\t\tShown.\n\
                         a.open\ta\topen\t\tNot yet.\n\
                         a.other\ta\tdifference\tRust has no such thing.\tOther.\n";

    fn check(tests: &str) -> Vec<String> {
        let source = Source { path: "tests/it.rs".into(), text: tests.to_owned() };
        problems(&table::parse(TABLE).unwrap(), &tags::collect(&[source]))
    }

    #[test]
    fn a_table_that_agrees_with_the_tests_has_no_problems() {
        assert_eq!(check("// parity: a.test, a.other\n#[test]\nfn x() {}"), [""; 0]);
    }

    #[test]
    fn a_claim_without_a_test_is_a_problem() {
        let found = check("// complaint: 3\n#[test]\nfn x() {}");
        assert_eq!(found, ["`a.test` has the status `test`, but no test carries its id"]);
    }

    #[test]
    fn unknown_names_and_stale_rows_are_problems() {
        let found =
            check("// parity: a.test, a.open, a.none\n// complaint: 31\n#[test]\nfn x() {}");
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn update_marks_what_a_test_shows() {
        let text = "// parity: a.open\n#[test]\nfn x() {}".to_owned();
        let tags = tags::collect(&[Source { path: "tests/it.rs".into(), text }]);
        let rows = updated(table::parse(TABLE).unwrap(), &tags);
        assert_eq!(rows[1].status, Status::Test);
        assert_eq!(rows[2].status, Status::Difference);
    }

    #[test]
    fn the_table_of_this_repository_has_every_behaviour() {
        assert_eq!(table::load().unwrap().len(), 627);
    }
}
