//! Which package may use which.

use crate::metadata::{Dependency, Package};

/// What is known of a library.
pub(super) struct Floor {
    pub(super) name: &'static str,
    /// Edges point to lower numbers only.
    pub(super) layer: u8,
    /// True where files may lift the ban on unsafe code.
    pub(super) may_be_unsafe: bool,
    /// The crates from the registry that it stands on.
    uses: &'static [&'static str],
}

/// The house, from the roof down. A new crate, or a new dependency, is a decision made here.
///
/// Public signatures name our crates, std and serde only, which is another reason to keep the
/// lists short.
pub(super) const HOUSE: [Floor; 15] = [
    Floor { name: "multiproc", layer: 7, may_be_unsafe: false, uses: &[] },
    Floor {
        name: "multiproc-cluster",
        layer: 6,
        may_be_unsafe: false,
        uses: &[
            "async-nats",
            "futures",
            "getrandom",
            "postcard",
            "rustix",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tracing",
        ],
    },
    Floor {
        name: "multiproc-dummy",
        layer: 6,
        may_be_unsafe: false,
        uses: &["serde", "thiserror"],
    },
    Floor {
        name: "multiproc-managers",
        layer: 6,
        may_be_unsafe: false,
        uses: &["getrandom", "rustix", "rustls", "serde", "thiserror", "tokio", "tokio-rustls"],
    },
    Floor {
        name: "multiproc-pool",
        layer: 5,
        may_be_unsafe: false,
        uses: &["bytemuck", "futures-core", "indicatif", "rustix", "serde", "thiserror"],
    },
    Floor {
        name: "multiproc-ctypes",
        layer: 4,
        may_be_unsafe: true,
        uses: &["serde", "thiserror"],
    },
    Floor {
        name: "multiproc-queue",
        layer: 4,
        may_be_unsafe: true,
        uses: &["bytemuck", "libc", "rustix", "serde", "thiserror", "tokio"],
    },
    Floor {
        name: "multiproc-process",
        layer: 3,
        may_be_unsafe: true,
        uses: &["libc", "rustix", "serde", "serde_json", "thiserror", "tokio"],
    },
    Floor { name: "multiproc-sync", layer: 3, may_be_unsafe: true, uses: &["serde", "thiserror"] },
    Floor {
        name: "multiproc-connection",
        layer: 2,
        may_be_unsafe: false,
        uses: &[
            "getrandom",
            "hmac",
            "md-5",
            "rustix",
            "serde",
            "sha2",
            "sha3",
            "subtle",
            "thiserror",
            "tokio",
        ],
    },
    Floor {
        name: "multiproc-shm",
        layer: 2,
        may_be_unsafe: true,
        uses: &["bytemuck", "getrandom", "libc", "memmap2", "rustix", "serde", "thiserror"],
    },
    Floor {
        name: "multiproc-image",
        layer: 1,
        may_be_unsafe: true,
        uses: &[
            "getrandom",
            "hmac",
            "libc",
            "postcard",
            "rustix",
            "serde",
            "sha2",
            "subtle",
            "thiserror",
            "tracing",
        ],
    },
    Floor { name: "multiproc-wire", layer: 1, may_be_unsafe: false, uses: &["serde", "thiserror"] },
    Floor {
        name: "multiproc-macros",
        layer: 0,
        may_be_unsafe: false,
        uses: &["proc-macro2", "quote", "syn"],
    },
    Floor {
        name: "multiproc-sys",
        layer: 0,
        may_be_unsafe: true,
        // To register a descriptor with tokio is unsafe, and so belongs here.
        uses: &["libc", "rustix", "tokio"],
    },
];

/// Returns what is known of the library with this name.
pub(super) fn floor(name: &str) -> Option<&'static Floor> {
    HOUSE.iter().find(|floor| floor.name == name)
}

/// Checks every edge between packages.
pub(super) fn check(packages: &[Package]) -> Vec<String> {
    let mut breaches = Vec::new();
    for package in packages {
        match floor(&package.name) {
            Some(floor) => {
                check_name(package, &mut breaches);
                check_library(package, floor, &mut breaches);
            }
            None if package.is_published() => {
                breaches.push(format!("{} has no layer in xtask/src/tidy/layers.rs", package.name));
            }
            None => check_guest(package, &mut breaches),
        }
    }
    breaches
}

/// Folder names equal crate names.
fn check_name(package: &Package, breaches: &mut Vec<String>) {
    let mut parts = package.manifest_path.iter().rev().skip(1);
    let (folder, above) = (parts.next(), parts.next());
    if folder.is_none_or(|folder| folder != package.name.as_str())
        || above.is_none_or(|above| above != "crates")
    {
        breaches.push(format!("{} does not live in crates/{0}", package.name));
    }
}

fn check_library(package: &Package, from: &Floor, breaches: &mut Vec<String>) {
    for Dependency { name, .. } in package.dependencies.iter().filter(|line| !line.is_dev()) {
        match floor(name) {
            Some(to) if to.layer >= from.layer => breaches.push(format!(
                "{} (layer {}) uses {name} (layer {}): edges point down",
                from.name, from.layer, to.layer
            )),
            Some(_) => {}
            None if from.uses.contains(&name.as_str()) => {}
            None => breaches.push(format!("{} may not use {name}", from.name)),
        }
    }
    for name in from.uses.iter().filter(|name| !is_used(package, name)) {
        breaches
            .push(format!("{} is permitted {name}, which its manifest does not have", from.name));
    }
    // A test may look sideways, never up: what it tests would have to be built twice.
    for Dependency { name, .. } in package.dependencies.iter().filter(|line| line.is_dev()) {
        if floor(name).is_some_and(|to| to.layer > from.layer) {
            breaches.push(format!("the tests of {} look up to {name}", from.name));
        }
    }
}

fn is_used(package: &Package, name: &str) -> bool {
    package.dependencies.iter().any(|line| !line.is_dev() && line.name == name)
}

/// Programs, tests and benches come in by the front door.
fn check_guest(package: &Package, breaches: &mut Vec<String>) {
    for Dependency { name, .. } in &package.dependencies {
        if name != "multiproc" && name.starts_with("multiproc-") {
            breaches.push(format!("{} uses {name}, not the facade", package.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::package;

    fn check_one(name: &str, normal: &[&str], dev: &[&str]) -> Vec<String> {
        check(&[package(name, normal, dev)])
    }

    #[test]
    fn edges_down_are_fine() {
        let normal = ["multiproc-image", "serde", "thiserror"];
        assert_eq!(check_one("multiproc-ctypes", &normal, &["proptest"]), [""; 0]);
    }

    #[test]
    fn edges_up_and_sideways_are_breaches() {
        let check_one = |above: &str, dev: &[&str]| {
            check_one("multiproc-wire", &["serde", "thiserror", above], dev)
        };
        assert_eq!(check_one("multiproc-image", &[]).len(), 1);
        assert_eq!(check_one("multiproc-pool", &[]).len(), 1);
        assert_eq!(check_one("multiproc-sys", &["multiproc"]).len(), 1);
        assert_eq!(check_one("multiproc-sys", &["multiproc-image"]), [""; 0]);
    }

    #[test]
    fn what_is_permitted_and_not_used_is_a_breach() {
        assert_eq!(check_one("multiproc-wire", &["serde"], &[]).len(), 1);
        assert_eq!(check_one("multiproc-wire", &["serde", "thiserror"], &[]), [""; 0]);
    }

    #[test]
    fn strangers_are_breaches() {
        assert_eq!(check_one("multiproc-attic", &[], &[]).len(), 1);
        assert_eq!(check_one("multiproc-wire", &["rand", "serde", "thiserror"], &[]).len(), 1);
    }
}
