//! What `cargo metadata` says about the workspace.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::repo;

/// The workspace's packages, without those from the registry.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    /// The registries it may go to: none at all when the manifest says `publish = false`.
    publish: Option<Vec<String>>,
}

/// One line of a manifest's dependency tables.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for an ordinary one, else `dev` or `build`.
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let output = repo::cargo(&["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("failed to run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed:\n{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("failed to read what `cargo metadata` wrote")
    }
}

impl Package {
    /// Returns true unless the manifest says `publish = false`.
    pub(crate) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }
}

impl Dependency {
    /// Returns true for a line of `[dev-dependencies]`.
    pub(crate) fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Makes a package below `crates/` with these ordinary and dev-dependencies.
    pub(crate) fn package(name: &str, normal: &[&str], dev: &[&str]) -> Package {
        let line = |name: &&str, kind: Option<&str>| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
        };
        let normal = normal.iter().map(|name| line(name, None));
        let dev = dev.iter().map(|name| line(name, Some("dev")));
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            description: Some("A package.".to_owned()),
            license: Some("MIT OR Apache-2.0".to_owned()),
            manifest_path: repo::root().join("crates").join(name).join("Cargo.toml"),
            dependencies: normal.chain(dev).collect(),
            publish: None,
        }
    }
}
