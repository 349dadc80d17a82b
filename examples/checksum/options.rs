//! The command line.

use std::{
    borrow::Cow,
    collections::HashSet,
    ffi::{OsStr, OsString},
    io::{self, Write},
    num::NonZero,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
};

use multiproc::{Context, get_context, process_cpu_count};

const USAGE: &str = "usage: checksum [DIR] [--processes N] [--start-method fork|spawn|forkserver] \
                     [--retries N] [--skip NAME,...]";

const HELP: &str = "
Prints the SHA-256 of every regular file below DIR, as sha256sum does, sorted by path.

  DIR                 the folder; . by default
  --processes N       how many workers; by default as many as there are processors
  --start-method M    fork, spawn or forkserver, the default
  --retries N         how often the work of a worker that died is given to another one; 10 by default
  --skip NAME,...     files and folders of these names are left out, wherever they are;
                      .git,target by default if no DIR is given, else none
  --help              print this

Hidden files are listed; links, FIFOs, sockets and devices are neither followed, opened nor listed.
Names are bytes; newline, carriage return and backslash are escaped as sha256sum does. A file that
grows is hashed up to the end that it had when it was opened. What cannot be read, and a file that
kills its worker more often than it is retried, is a line on stderr; all others are done.

The exit status is 0 if all is well, 1 if something could not be hashed, 2 for wrong arguments.";

/// What to do.
pub struct Options {
    pub folder: PathBuf,
    pub processes: usize,
    pub context: Context,
    pub retries: u32,
    pub skip: HashSet<OsString>,
}

/// What a command line asks for.
pub enum Parsed {
    Run(Options),
    Help,
}

/// Reads the arguments, or says what is wrong with them.
pub fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Parsed, String> {
    let (mut folder, mut skip) = (None, None);
    let (mut processes, mut context, mut retries) = (None, Context::default(), 10);
    let mut options_are_over = false;
    while let Some(argument) = arguments.next() {
        let is_option = argument.len() > 1 && argument.as_bytes().starts_with(b"-");
        if options_are_over || !is_option {
            if folder.replace(PathBuf::from(argument)).is_some() {
                return Err("there is more than one DIR".into());
            }
            continue;
        }
        let (name, mut attached) = split(&argument);
        let mut value = || {
            let value = attached.take().or_else(|| arguments.next());
            value.ok_or_else(|| format!("{name} needs a value"))
        };
        match &*name {
            "-h" | "--help" => return Ok(Parsed::Help),
            "--" => options_are_over = true,
            "--processes" => processes = Some(number::<NonZero<usize>>(&name, &value()?)?.get()),
            "--retries" => retries = number(&name, &value()?)?,
            "--start-method" => {
                context =
                    get_context(&*value()?.to_string_lossy()).map_err(|err| err.to_string())?
            }
            "--skip" => skip.get_or_insert_with(HashSet::new).extend(names(&value()?)),
            _ => return Err(format!("there is no option {name}")),
        }
        if attached.is_some() {
            return Err(format!("{name} takes no value"));
        }
    }
    let usual = || {
        if folder.is_none() { names(OsStr::new(".git,target")).collect() } else { HashSet::new() }
    };
    Ok(Parsed::Run(Options {
        skip: skip.unwrap_or_else(usual),
        folder: folder.unwrap_or_else(|| ".".into()),
        processes: processes.unwrap_or_else(process_cpu_count),
        context,
        retries,
    }))
}

/// Prints what there is to know.
pub fn help() -> ExitCode {
    let printed = writeln!(io::stdout(), "{USAGE}\n{HELP}");
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says what is wrong with the arguments, and what they can be.
pub fn usage(wrong: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "checksum: {wrong}\n{USAGE}");
    ExitCode::from(2)
}

/// `--option=value` apart.
fn split(argument: &OsStr) -> (Cow<'_, str>, Option<OsString>) {
    let bytes = argument.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (
            String::from_utf8_lossy(&bytes[..at]),
            Some(OsStr::from_bytes(&bytes[at + 1..]).to_os_string()),
        ),
        None => (argument.to_string_lossy(), None),
    }
}

fn number<N: FromStr>(name: &str, value: &OsStr) -> Result<N, String> {
    let number = value.to_str().and_then(|value| value.parse().ok());
    number.ok_or_else(|| format!("{name} cannot be {value:?}"))
}

fn names(list: &OsStr) -> impl Iterator<Item = OsString> {
    let names = list.as_bytes().split(|byte| *byte == b',').filter(|name| !name.is_empty());
    names.map(|name| OsStr::from_bytes(name).to_os_string())
}
