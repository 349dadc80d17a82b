//! Licences, descriptions and the changelog.

use std::fs;

use crate::{metadata::Package, repo};

const LICENCE: &str = "MIT OR Apache-2.0";

/// Files that every reader looks for.
const FILES: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// Checks the manifests' fields and the files beside them.
pub(super) fn check(packages: &[Package]) -> anyhow::Result<Vec<String>> {
    let mut breaches: Vec<String> = packages.iter().flat_map(fields).collect();
    for file in FILES {
        if !repo::root().join(file).is_file() {
            breaches.push(format!("{file} is missing"));
        }
    }
    let changelog = fs::read_to_string(repo::root().join("CHANGELOG.md")).unwrap_or_default();
    for package in packages.iter().filter(|package| package.name == "multiproc") {
        if !names_version(&changelog, &package.version) {
            breaches.push(format!("CHANGELOG.md has no heading for {}", package.version));
        }
    }
    for file in repo::files(&[""], &["md", "toml"])? {
        for (index, line) in file.text.lines().enumerate() {
            if super::sources::is_unfinished(line) {
                breaches.push(format!("{}:{}: unfinished", file.path.display(), index + 1));
            }
        }
    }
    Ok(breaches)
}

fn fields(package: &Package) -> Vec<String> {
    let mut breaches = Vec::new();
    if package.license.as_deref() != Some(LICENCE) {
        breaches.push(format!("the licence of {} is not `{LICENCE}`", package.name));
    }
    if package.description.as_ref().is_none_or(|text| text.trim().is_empty()) {
        breaches.push(format!("{} has no description", package.name));
    }
    breaches
}

fn names_version(changelog: &str, version: &str) -> bool {
    let mut headings = changelog.lines().filter(|line| line.starts_with('#'));
    headings.any(|line| {
        line.split(|c: char| c != '.' && !c.is_ascii_alphanumeric()).any(|word| word == version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::package;

    #[test]
    fn a_version_is_named_in_a_heading_only() {
        assert!(names_version("# Changes\n\n## [0.1.0] - unreleased\n", "0.1.0"));
        assert!(!names_version("# Changes\n\n0.1.0 is near.\n", "0.1.0"));
        assert!(!names_version("## 10.1.0\n", "0.1.0"));
    }

    #[test]
    fn a_package_without_a_description_is_a_breach() {
        let mut wire = package("multiproc-wire", &[], &[]);
        assert_eq!(fields(&wire), [""; 0]);
        wire.description = None;
        wire.license = None;
        assert_eq!(fields(&wire).len(), 2);
    }
}
