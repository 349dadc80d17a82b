//! Finding the examples, and reading what checksum says at its end.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

/// A command that runs an example.
pub(crate) fn example(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    Command::new(FOLDER.get_or_init(folder).join(name))
}

/// The folder with the examples, which are built once a run: those that lie there may be old.
fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("MULTIPROC_EXAMPLES_DIR") {
        return folder.into();
    }
    // The test binary is PROFILE/deps/examples-HASH.
    let binary = env::current_exe().unwrap();
    let profile = binary.parent().and_then(Path::parent).unwrap();
    let folder = profile.join("examples");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--examples", "--package", "multiproc-examples", "--target-dir"]);
    cargo.arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(built.success(), "the examples cannot be built");
    folder
}

/// The last line of checksum on stderr.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LastLine {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) workers: u64,
    pub(crate) lost: u64,
}

/// Takes the last line apart, and returns the lines before it, too.
pub(crate) fn last_line(output: &Output) -> Result<(LastLine, Vec<String>), Box<dyn Error>> {
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines: Vec<String> = text.lines().map(Into::into).collect();
    let last = lines.pop().ok_or("nothing on stderr")?;
    let fields: Vec<(&str, &str)> =
        last.split(", ").filter_map(|field| field.split_once(' ')).collect();
    let [(files, "files"), (bytes, "bytes"), (seconds, "s"), (workers, "workers"), (lost, "lost")] =
        fields[..]
    else {
        return Err(format!("the last line is not as it should be: {text}").into());
    };
    seconds.parse::<f64>()?;
    let (files, bytes) = (files.parse()?, bytes.parse()?);
    Ok((LastLine { files, bytes, workers: workers.parse()?, lost: lost.parse()? }, lines))
}
