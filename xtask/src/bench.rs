//! `cargo xtask bench`: builds the benches in release and runs them.

use std::{env, path::Path, process::Command};

use crate::{metadata::Metadata, repo};

/// Builds and runs `multiproc-bench` with the given areas, rows and options.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let target = Metadata::load()?.target_directory;
    repo::check(&mut repo::cargo(&["build", "--release", "--package", "multiproc-bench"]))?;
    let mut bench = Command::new(target.join("release/multiproc-bench"));
    bench.args(args).current_dir(repo::root());
    // `cargo run` put its own folders in front, and every exec that is timed would search them.
    match library_path(&target) {
        Some(path) => bench.env("LD_LIBRARY_PATH", path),
        None => bench.env_remove("LD_LIBRARY_PATH"),
    };
    repo::check(&mut bench)
}

/// Returns what the user had in `LD_LIBRARY_PATH`, if anything.
fn library_path(target: &Path) -> Option<std::ffi::OsString> {
    let path = env::var_os("LD_LIBRARY_PATH")?;
    let of_cargo = |entry: &Path| {
        entry.starts_with(target) || entry.components().any(|part| part.as_os_str() == "rustlib")
    };
    let sysroot = env::var_os("RUSTUP_TOOLCHAIN");
    let of_rustup = |entry: &Path| {
        sysroot.as_ref().is_some_and(|name| entry.components().any(|part| part.as_os_str() == name))
    };
    let kept: Vec<_> = env::split_paths(&path)
        .filter(|entry| !entry.as_os_str().is_empty() && !of_cargo(entry) && !of_rustup(entry))
        .collect();
    if kept.is_empty() { None } else { env::join_paths(kept).ok() }
}
