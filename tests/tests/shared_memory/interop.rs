//! Python as the other end, in every version that is to be found.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use multiproc::shared_memory::{Item, ListBuilder, ShareableList, SharedMemory};
use multiproc_tests::{TestResult, once};

use crate::programs::exists;

once! { every_python_reads_and_writes_what_rust_makes_and_the_other_way_round }

type Version = [u32; 2];

// parity: shareable_list.layout
fn every_python_reads_and_writes_what_rust_makes_and_the_other_way_round() -> TestResult {
    let pythons = pythons();
    if pythons.is_empty() {
        println!("skipped: no python3 from 3.8 on is to be found");
    }
    for (version, program) in pythons {
        println!("with Python {version:?}");
        share_with(&program, version).map_err(|err| format!("Python {version:?}: {err}"))?;
    }
    Ok(())
}

fn share_with(program: &PathBuf, version: Version) -> TestResult {
    let block = SharedMemory::create(5000)?;
    block.buf().write(0, b"howdy")?;
    let items = [
        Item::from("howdy"),
        b"HoWdY".into(),
        (-273.154).into(),
        100.into(),
        Item::None,
        true.into(),
        42.into(),
        "ä€".into(),
    ];
    let list = builder(version).create(items)?;

    let mut command = Command::new(program);
    command.args(["-c", include_str!("share.py"), block.name(), list.memory().name()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut python = command.spawn()?;
    let mut output = BufReader::new(python.stdout.take().ok_or("piped")?);
    let mut errors = python.stderr.take().ok_or("piped")?;
    let mut line = String::new();
    output.read_line(&mut line)?;
    let Some((theirs, made)) = line.trim().split_once(' ') else {
        let mut text = String::new();
        errors.read_to_string(&mut text)?;
        return Err(text.into());
    };

    assert_eq!(block.buf().slice(4990..)?.to_vec(), b"from below");
    let changed = [
        Item::from(b"python"),
        b"HoWdY".into(),
        i64::MIN.into(),
        100.into(),
        "some".into(),
        Item::None,
        0.1.into(),
        "ä€".into(),
    ];
    assert_eq!(list.to_vec()?, changed);

    let theirs = SharedMemory::open(theirs)?;
    assert_eq!((theirs.size(), theirs.buf().slice(..4)?.to_vec()), (3000, b"made".to_vec()));
    theirs.buf().write(2995, b"above")?;
    let made = ShareableList::open(made)?;
    let expected = [
        Item::from("a".repeat(20)),
        b"\x01\x02".into(),
        7.into(),
        false.into(),
        Item::None,
        1e300.into(),
        "".into(),
    ];
    assert_eq!(made.to_vec()?, expected);
    let sent: [Item; 7] = [
        "rust".into(),
        5.into(),
        Item::None,
        "eight".into(),
        true.into(),
        b"bytes".into(),
        "12345678".into(),
    ];
    for (index, item) in sent.iter().enumerate() {
        made.set(index as isize, item)?;
    }
    assert_eq!(made.to_vec()?, sent);

    python.stdin.take().ok_or("piped")?.write_all(b"\n")?;
    let (mut rest, mut said) = (String::new(), String::new());
    output.read_to_string(&mut rest)?;
    errors.read_to_string(&mut said)?;
    assert!(python.wait()?.success(), "{said}");
    assert_eq!((&*rest, &*said), ("done\n", ""));
    assert!(!exists(theirs.name()) && !exists(made.memory().name()), "Python has unlinked them");
    assert!(exists(block.name()) && exists(list.memory().name()), "Python has left ours alone");
    block.unlink()?;
    list.memory().unlink()?;
    Ok(())
}

fn builder(version: Version) -> ListBuilder {
    match version {
        [3, 8] => ShareableList::builder().for_python_3_8(),
        _ => ShareableList::builder(),
    }
}

/// One Python of each version from 3.8 on.
fn pythons() -> BTreeMap<Version, PathBuf> {
    let mut programs = vec![PathBuf::from("python3")];
    let versions = env::home_dir().map(|home| home.join(".pyenv/versions"));
    for entry in versions.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten() {
        programs.extend(entry.map(|entry| entry.path().join("bin/python")));
    }
    let mut found = BTreeMap::new();
    for program in programs {
        if let Some(version) = version(&program)
            && [3, 8] <= version
        {
            found.entry(version).or_insert(program);
        }
    }
    found
}

fn version(program: &PathBuf) -> Option<Version> {
    let say = "import sys; print(*sys.version_info[:2])";
    let output = Command::new(program).args(["-c", say]).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Option<Vec<u32>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
    numbers?.try_into().ok()
}
