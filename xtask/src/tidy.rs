//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! CONTRIBUTING.md tells the rules to people; each file below `tidy/` holds some of them.

mod layers;
mod papers;
mod sources;

use anyhow::bail;

use crate::{metadata::Metadata, repo};

/// Where our own source text is.
const DIRS: [&str; 5] = ["crates", "examples", "tests", "bench", "xtask"];

/// Prints every breach, one a line.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("tidy takes no arguments, and was given `{arg}`");
    }
    let breaches = breaches()?;
    for breach in &breaches {
        eprintln!("tidy: {breach}");
    }
    match breaches.len() {
        0 => {
            println!("tidy: all rules are kept");
            Ok(())
        }
        1 => bail!("tidy found 1 breach"),
        n => bail!("tidy found {n} breaches"),
    }
}

fn breaches() -> anyhow::Result<Vec<String>> {
    let metadata = Metadata::load()?;
    let mut breaches = layers::check(&metadata.packages);
    breaches.extend(sources::check(&repo::files(&DIRS, &["rs"])?));
    breaches.extend(papers::check(&metadata.packages)?);
    Ok(breaches)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_repository_is_tidy() {
        assert_eq!(super::breaches().unwrap(), [""; 0]);
    }
}
