//! The rows of `rows.tsv`: what is measured, in which unit, and what is good enough.

use crate::Result;

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) area: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// True if more is better.
    pub(crate) is_rate: bool,
    /// The goal for ours divided by the limit.
    pub(crate) goal_ratio: Option<f64>,
    /// The goal for ours. Either goal is enough.
    pub(crate) goal_absolute: Option<f64>,
    /// What the limit came to on the machine that the goals were set on.
    pub(crate) anchor_limit: Option<f64>,
    /// What CPython 3.13 came to there.
    pub(crate) anchor_cpython: Option<f64>,
}

impl Row {
    /// Returns true if a figure meets the goal, and `None` if the row has no goal.
    pub(crate) fn is_met(&self, ours: f64, ratio: f64) -> Option<bool> {
        let meets = |figure: f64, goal: f64| match self.is_rate {
            true => figure >= goal,
            false => figure <= goal,
        };
        let by_ratio = self.goal_ratio.map(|goal| meets(ratio, goal));
        let by_figure = self.goal_absolute.map(|goal| meets(ours, goal));
        match (by_ratio, by_figure) {
            (Some(one), Some(other)) => Some(one || other),
            (one, other) => one.or(other),
        }
    }

    /// Returns the goal as people read it.
    pub(crate) fn goal(&self) -> String {
        let sign = if self.is_rate { ">=" } else { "<=" };
        let ratio = self.goal_ratio.map(|goal| format!("{sign} {goal}x"));
        let figure = self.goal_absolute.map(|goal| format!("{sign} {goal} {}", self.unit));
        ratio.into_iter().chain(figure).collect::<Vec<_>>().join(" or ")
    }
}

/// Returns all rows in the order of the file.
pub(crate) fn all() -> Result<Vec<Row>> {
    include_str!("../rows.tsv").lines().skip(1).map(parse).collect()
}

/// Returns the rows of the areas and the rows named, or all if none is named.
pub(crate) fn select(names: &[String]) -> Result<Vec<Row>> {
    let rows = all()?;
    let matches = |row: &Row, name: &String| row.area == name || row.name == name;
    if let Some(name) = names.iter().find(|name| !rows.iter().any(|row| matches(row, name))) {
        let known: Vec<_> = rows.iter().map(|row| row.name).collect();
        let known = known.join(", ");
        return Err(format!("no area and no row is called `{name}`; rows: {known}").into());
    }
    let is_wanted = |row: &Row| names.is_empty() || names.iter().any(|name| matches(row, name));
    Ok(rows.into_iter().filter(is_wanted).collect())
}

fn parse(line: &'static str) -> Result<Row> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [area, name, unit, better, _, _, ratio, absolute, limit, cpython] = cells[..] else {
        return Err(format!("a row of {} columns: {line}", cells.len()).into());
    };
    let is_rate = match better {
        "higher" => true,
        "lower" => false,
        _ => return Err(format!("`{name}` is better when `{better}`").into()),
    };
    let number = |cell: &str| match cell {
        "" => Ok(None),
        _ => cell.parse().map(Some).map_err(|_| format!("`{name}`: `{cell}` is no number")),
    };
    Ok(Row {
        area,
        name,
        unit,
        is_rate,
        goal_ratio: number(ratio)?,
        goal_absolute: number(absolute)?,
        anchor_limit: number(limit)?,
        anchor_cpython: number(cpython)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_goal_is_enough() {
        let row = parse("a\tr\tMB\tlower\tw\tl\t1.2\t2.4\t\t").unwrap();
        assert_eq!(row.goal(), "<= 1.2x or <= 2.4 MB");
        assert_eq!(row.is_met(3.0, 1.2), Some(true));
        assert_eq!(row.is_met(2.4, 1.3), Some(true));
        assert_eq!(row.is_met(2.5, 1.3), Some(false));
    }

    #[test]
    fn rates_are_better_when_higher() {
        let row = parse("a\tr\tM/s\thigher\tw\tl\t0.9\t\t\t").unwrap();
        assert_eq!(row.is_met(1.0, 0.95), Some(true));
        assert_eq!(row.is_met(1.0, 0.85), Some(false));
        assert_eq!(parse("a\tr\tM/s\thigher\tw\tl\t\t\t\t").unwrap().is_met(1.0, 1.0), None);
    }

    #[test]
    fn names_select_areas_and_rows() {
        assert_eq!(select(&["start".to_owned()]).unwrap().len(), 10);
        assert_eq!(select(&["connection".to_owned()]).unwrap().len(), 5);
        assert_eq!(select(&["idle.fork.rss".to_owned()]).unwrap()[0].name, "idle.fork.rss");
        assert!(select(&["nothing".to_owned()]).is_err());
    }
}
