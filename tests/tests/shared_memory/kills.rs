//! Programs killed at any moment of making and unlinking.

use std::{env, fs, process};

use multiproc_tests::{TestResult, once, random::Random};

use crate::programs::Scene;

once! { maker_killed_at_any_moment_leaves_nothing }

fn maker_killed_at_any_moment_leaves_nothing() -> TestResult {
    if env::var("MULTIPROC_WITHOUT").is_ok_and(|list| list.contains("tmpfile")) {
        println!("skipped: without files that have no name a block can be left behind");
        return Ok(());
    }
    let mut random = Random::new();
    let mut warnings = 0;
    for round in 0..20 {
        let name = format!("multiproc_many_{}_{round}", process::id());
        let mut program = Scene::start(&["make-many", &name])?;
        assert_eq!(program.words()?, ["ready"]);
        for _ in 0..random.below(30) {
            random.dither();
        }
        program.child.kill()?;
        let said = program.last_words()?;
        assert_eq!(left_of(&name)?, [""; 0], "{said}");
        // One at most: the one that was being made or unlinked.
        assert!(said.is_empty() || said.contains(" 1 leaked shared_memory objects"), "{said}");
        warnings += usize::from(!said.is_empty());
    }
    println!("{warnings} of 20 were killed in the middle of it");
    Ok(())
}

fn left_of(name: &str) -> Result<Vec<String>, std::io::Error> {
    let mut left = Vec::new();
    for entry in fs::read_dir("/dev/shm")? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if file.starts_with(name) {
            left.push(file);
        }
    }
    Ok(left)
}
