//! The table for people and the file for programs.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{Result, rows::Row};

/// The figures of one row.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) row: Row,
    pub(crate) ours: f64,
    pub(crate) limit: f64,
    pub(crate) cpython: Option<f64>,
}

impl Line {
    /// Returns true if the row's goal is met, and `None` if it has none.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.row.is_met(self.ours, self.ratio())
    }

    fn ratio(&self) -> f64 {
        self.ours / self.limit
    }
}

/// One object of the file.
#[derive(Serialize)]
struct Record<'a> {
    row: &'a str,
    ours: f64,
    unit: &'a str,
    limit: f64,
    ratio: f64,
    peers: BTreeMap<&'a str, f64>,
}

/// Prints the table. Anchors are what a machine like the one the goals were set on came to.
pub(crate) fn print(lines: &[Line]) {
    let head = ["row", "unit", "ours", "limit", "ratio", "goal", "verdict", "CPython", "anchors"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    table.extend(lines.iter().map(cells));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| table.iter().map(|cells| cells[column].len()).max().unwrap_or(0))
        .collect();
    println!();
    for cells in &table {
        let padded: Vec<_> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    }
    println!();
    println!("MB are 1,000,000 bytes; anchors: limit / CPython 3.13");
    for line in lines {
        let name = line.row.name;
        let small = name.strip_suffix(".512m").and_then(|small| find(lines, small));
        if let Some(small) = small {
            let growth = line.ours / small.ours;
            println!("{}: {growth:.2}x with 512 MiB in the parent against 1 MiB", small.row.name);
        }
    }
}

/// Makes the folder `bench` beside what cargo builds, without what an earlier run left there.
pub(crate) fn folder() -> Result<PathBuf> {
    // This program is target/release/multiproc-bench.
    let exe = env::current_exe()?;
    let folder = exe.ancestors().nth(2).ok_or("the executable is in no folder")?.join("bench");
    match fs::remove_dir_all(&folder) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err.into()),
        _ => fs::create_dir_all(&folder)?,
    }
    Ok(folder)
}

/// Writes `report.json` into the folder, and returns its path.
pub(crate) fn store(lines: &[Line], folder: &Path) -> Result<PathBuf> {
    let records: Vec<_> = lines
        .iter()
        .map(|line| Record {
            row: line.row.name,
            ours: line.ours,
            unit: line.row.unit,
            limit: line.limit,
            ratio: line.ratio(),
            peers: line.cpython.map(|figure| ("cpython", figure)).into_iter().collect(),
        })
        .collect();
    let path = folder.join("report.json");
    fs::write(&path, serde_json::to_string_pretty(&records)? + "\n")?;
    Ok(path)
}

fn find<'a>(lines: &'a [Line], name: &str) -> Option<&'a Line> {
    lines.iter().find(|line| line.row.name == name)
}

fn cells(line: &Line) -> Vec<String> {
    let verdict = match line.is_met() {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "-",
    };
    let anchors = [line.row.anchor_limit, line.row.anchor_cpython].map(optional);
    vec![
        line.row.name.to_owned(),
        line.row.unit.to_owned(),
        figure(line.ours),
        figure(line.limit),
        format!("{:.2}x", line.ratio()),
        line.row.goal(),
        verdict.to_owned(),
        optional(line.cpython),
        anchors.join(" / "),
    ]
}

fn optional(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), figure)
}

fn figure(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_or_so() {
        assert_eq!([0.6, 20.31, 739.4].map(figure), ["0.60", "20.3", "739"]);
    }
}
