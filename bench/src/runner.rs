//! The runner: asks each side for one round after the other, and reports the medians.

use std::{path::Path, process::ExitCode};

use crate::{
    Result,
    case::{Figures, PLANS, Plan, median},
    machine,
    peer::Peer,
    report::{self, Line},
    rows::{self, Row},
};

/// One case under way.
struct Run {
    case: Peer,
    python: Option<Peer>,
    rounds: Rounds,
}

/// What a case came to, round by round.
struct Rounds {
    plan: &'static Plan,
    ours: Vec<Figures>,
    limit: Vec<Figures>,
    cpython: Vec<Figures>,
}

/// Measures the rows of these names and reports them.
pub(crate) fn run(names: &[String], check: bool, rounds: usize) -> Result<ExitCode> {
    let rows = rows::select(names)?;
    println!("load average {}", machine::load());
    let cores = machine::pin()?;
    println!("all sides pinned to cores {cores:?}; medians of {rounds} rounds");

    let plans = || PLANS.iter().filter(|plan| rows.iter().any(|row| plan.rows.contains(&row.name)));
    let mut families = Vec::new();
    for plan in plans() {
        if !families.contains(&plan.family) {
            families.push(plan.family);
        }
    }

    let folder = report::folder()?;
    let mut runs = Vec::new();
    let mut failed = false;
    for family in families {
        // Families one after the other, each ended before the next: processes that only wait
        // share pages with those that are weighed, and make them look lighter.
        match measure(plans().filter(|plan| plan.family == family), rounds, &folder) {
            Ok(measured) => runs.extend(measured),
            Err(err) => {
                failed = true;
                eprintln!("error: {family}: {err}");
            }
        }
    }
    let lines: Vec<Line> = rows.iter().filter_map(|row| line(row, &runs)).collect();
    report::print(&lines);
    let path = report::store(&lines, &folder)?;
    println!("written to {}", path.display());
    let missed = lines.iter().any(|line| line.is_met() == Some(false));
    Ok(if failed || (check && missed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(
    plans: impl Iterator<Item = &'static Plan>,
    rounds: usize,
    folder: &Path,
) -> Result<Vec<Rounds>> {
    let mut runs = plans.map(|plan| Run::start(plan, folder)).collect::<Result<Vec<_>>>()?;
    for _ in 0..rounds {
        for run in &mut runs {
            run.round()?;
        }
    }
    Ok(runs.into_iter().map(|run| run.rounds).collect())
}

impl Run {
    fn start(plan: &'static Plan, folder: &Path) -> Result<Self> {
        let python = if plan.python.is_empty() { None } else { Peer::python(plan) };
        match &python {
            Some(python) => println!("{}: beside {}", plan.name, python.name()),
            None if plan.python.is_empty() => println!("{}: Python is not asked", plan.name),
            None => println!("{}: no python3 found, so nothing to compare with", plan.name),
        }
        if let Some((here, there)) = plan.seats.choose(&machine::cores()?)? {
            println!("{}: all sides on core {here}, their children on {there}", plan.name);
        }
        let rounds = Rounds { plan, ours: Vec::new(), limit: Vec::new(), cpython: Vec::new() };
        let mut run = Self { case: Peer::case(plan, folder)?, python, rounds };
        // The first round warms caches up and counts for nothing.
        run.round()?;
        run.rounds.ours.clear();
        run.rounds.limit.clear();
        run.rounds.cpython.clear();
        Ok(run)
    }

    fn round(&mut self) -> Result<()> {
        let Rounds { plan, ours, limit, cpython } = &mut self.rounds;
        ours.push(self.case.round("ours")?);
        limit.push(self.case.round("limit")?);
        if let Some(python) = &mut self.python {
            cpython.push(python.round(plan.python)?);
        }
        Ok(())
    }
}

impl Rounds {
    fn median(&self, of: &[Figures], row: &Row) -> Option<f64> {
        let index = self.plan.rows.iter().position(|name| *name == row.name)?;
        let figures: Vec<f64> = of.iter().filter_map(|round| round.get(index).copied()).collect();
        (!figures.is_empty()).then(|| median(figures))
    }
}

fn line(row: &Row, runs: &[Rounds]) -> Option<Line> {
    let run = runs.iter().find(|run| run.plan.rows.contains(&row.name))?;
    Some(Line {
        row: row.clone(),
        ours: run.median(&run.ours, row)?,
        limit: run.median(&run.limit, row)?,
        cpython: run.median(&run.cpython, row),
    })
}
