//! The command line.

use std::env;

use crate::Result;

/// What this process is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Options {
    /// Serve one case to the runner.
    Case(String),
    /// Be the runner.
    Run {
        /// Areas and rows; none means all.
        names: Vec<String>,
        /// Fail when a goal is missed.
        check: bool,
        /// How many rounds medians are taken of.
        rounds: usize,
    },
}

impl Options {
    /// Reads the arguments of this process.
    pub(crate) fn from_args() -> Result<Self> {
        Self::parse(env::args().skip(1))
    }

    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let (mut names, mut check, mut rounds) = (Vec::new(), false, 9);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--case" => return Ok(Self::Case(args.next().ok_or("--case wants a name")?)),
                "--check" => check = true,
                "--rounds" => rounds = args.next().ok_or("--rounds wants a number")?.parse()?,
                option if option.starts_with('-') => {
                    return Err(format!("unknown option `{option}`").into());
                }
                _ => names.push(arg),
            }
        }
        if rounds == 0 {
            return Err("a median of no rounds does not exist".into());
        }
        Ok(Self::Run { names, check, rounds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn names_and_options_mix() {
        let options = parse(&["start", "--rounds", "3", "idle.fork.rss", "--check"]).unwrap();
        let names = vec!["start".to_owned(), "idle.fork.rss".to_owned()];
        assert_eq!(options, Options::Run { names, check: true, rounds: 3 });
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(parse(&["--fast"]).is_err());
        assert!(parse(&["--rounds", "0"]).is_err());
        assert!(parse(&["--case"]).is_err());
    }
}
