//! The table `docs/parity.tsv`: one row for each behaviour of Python's `multiprocessing`.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};

use crate::repo;

const HEADER: &str = "id\tarea\tstatus\treason\tbehaviour";

/// One behaviour.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) area: String,
    pub(crate) status: Status,
    /// Why Rust differs, or a remark.
    pub(crate) reason: String,
    pub(crate) behaviour: String,
}

/// How far a behaviour has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A test carries its id.
    Test,
    /// Rust does otherwise, and the row says why.
    Difference,
    /// It belongs to the part of the plan with this number.
    WithPart(u8),
    /// Nothing shows it yet.
    Open,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "test" => Some(Self::Test),
            "difference" => Some(Self::Difference),
            "open" => Some(Self::Open),
            _ => text.strip_prefix("with part ")?.parse().ok().map(Self::WithPart),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Test => f.write_str("test"),
            Self::Difference => f.write_str("difference"),
            Self::WithPart(part) => write!(f, "with part {part}"),
            Self::Open => f.write_str("open"),
        }
    }
}

/// Reads the table of this repository.
pub(crate) fn load() -> anyhow::Result<Vec<Row>> {
    let path = path();
    let text =
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

/// Writes the table back.
pub(crate) fn store(rows: &[Row]) -> anyhow::Result<()> {
    let mut text = String::from(HEADER);
    text.push('\n');
    for Row { id, area, status, reason, behaviour } in rows {
        text.push_str(&format!("{id}\t{area}\t{status}\t{reason}\t{behaviour}\n"));
    }
    fs::write(path(), text).with_context(|| format!("failed to write {}", path().display()))
}

fn path() -> PathBuf {
    repo::root().join("docs/parity.tsv")
}

/// Reads a table's text.
pub(super) fn parse(text: &str) -> anyhow::Result<Vec<Row>> {
    let mut lines = text.lines().enumerate();
    if lines.next().map(|(_, line)| line) != Some(HEADER) {
        bail!("the first line is not `{}`", HEADER.replace('\t', "<tab>"));
    }
    lines.map(|(index, line)| row(line).with_context(|| format!("line {}", index + 1))).collect()
}

fn row(line: &str) -> anyhow::Result<Row> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [id, area, status, reason, behaviour] = cells[..] else {
        bail!("{} columns where there should be 5", cells.len());
    };
    if id.split_once('.').is_none_or(|(first, rest)| first != area || rest.is_empty()) {
        bail!("the id `{id}` does not begin with its area `{area}`");
    }
    if behaviour.is_empty() {
        bail!("`{id}` has no behaviour");
    }
    let Some(status) = Status::parse(status) else {
        bail!("`{id}` has the unknown status `{status}`");
    };
    Ok(Row {
        id: id.to_owned(),
        area: area.to_owned(),
        status,
        reason: reason.to_owned(),
        behaviour: behaviour.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_and_shown_alike() {
        let text = format!("{HEADER}\nlock.x\tlock\twith part 3\t\tLocks.\n");
        let rows = parse(&text).unwrap();
        assert_eq!(rows[0].status, Status::WithPart(3));
        assert_eq!(rows[0].status.to_string(), "with part 3");
        assert_eq!(rows[0].behaviour, "Locks.");
    }

    #[test]
    fn an_unknown_status_and_a_missing_column_are_refused() {
        assert!(parse(&format!("{HEADER}\nlock.x\tlock\tdone\t\tLocks.\n")).is_err());
        assert!(parse(&format!("{HEADER}\nlock.x\tlock\ttest\tLocks.\n")).is_err());
    }
}
