//! Every Python that is found reads what we write, and the other way round.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use multiproc_wire::pickle::{self, Object, Protocol};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::{round_trip::PROTOCOLS, zoo};

/// Returns each Python from 3.8 on, by its version.
#[expect(clippy::print_stderr, reason = "a test that was skipped has to say so")]
fn pythons() -> BTreeMap<String, PathBuf> {
    let mut candidates = vec![PathBuf::from("python3"), PathBuf::from("/usr/bin/python3")];
    let home = env::home_dir().unwrap_or_default().join(".pyenv/versions");
    for version in fs::read_dir(home).into_iter().flatten().flatten() {
        candidates.push(version.path().join("bin/python"));
    }
    let mut pythons = BTreeMap::new();
    for python in candidates {
        let code =
            "import sys; print(sys.version.split()[0] if sys.version_info >= (3, 8) else '')";
        let Ok(output) = Command::new(&python).args(["-c", code]).output() else { continue };
        let version = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        if output.status.success() && !version.is_empty() {
            pythons.insert(version, python);
        }
    }
    if pythons.is_empty() {
        eprintln!("skipped: no python3 from 3.8 on was found");
    }
    pythons
}

/// A Python that runs `peer.py`.
struct Peer {
    version: String,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn start(version: &str, python: &PathBuf, part: &str) -> Self {
        let mut child = Command::new(python)
            .args(["-c", include_str!("peer.py"), part])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        Self { version: version.to_owned(), child, to, from }
    }

    fn send(&mut self, blob: &[u8]) {
        self.to.write_all(&(blob.len() as u64).to_le_bytes()).unwrap();
        self.to.write_all(blob).unwrap();
        self.to.flush().unwrap();
    }

    fn recv(&mut self) -> Vec<u8> {
        let mut head = [0; 8];
        if let Err(err) = self.from.read_exact(&mut head) {
            panic!("Python {} has failed, see above: {err}", self.version);
        }
        let mut blob = vec![];
        let len = u64::from_le_bytes(head);
        self.from.by_ref().take(len).read_to_end(&mut blob).unwrap();
        assert_eq!(blob.len() as u64, len);
        blob
    }

    fn finish(mut self) {
        drop(self.to);
        assert!(self.child.wait().unwrap().success(), "Python {}", self.version);
    }
}

#[test]
fn values_of_python_are_read_shown_and_written_back() {
    for (version, python) in pythons() {
        let mut peer = Peer::start(&version, &python, "zoo");
        let mut count = 0;
        loop {
            let shown = peer.recv();
            let blob = peer.recv();
            if blob.is_empty() {
                break;
            }
            let text = String::from_utf8_lossy(&shown);
            let object = pickle::decode(&blob)
                .unwrap_or_else(|err| panic!("Python {version}: {text}: {err}: {:?}", err.kind()));
            if !shown.is_empty() {
                assert_eq!(object.to_string(), text, "Python {version}");
            }
            for protocol in PROTOCOLS {
                peer.send(&pickle::encode(&object, protocol).unwrap());
            }
            count += 1;
        }
        peer.finish();
        assert!(400 < count, "{count}");
    }
}

#[test]
fn values_of_python_that_are_no_plain_data_are_refused() {
    for (version, python) in pythons() {
        let mut peer = Peer::start(&version, &python, "errors");
        let mut count = 0;
        loop {
            let text = String::from_utf8(peer.recv()).unwrap();
            if text.is_empty() {
                break;
            }
            let err = pickle::decode(&peer.recv()).unwrap_err();
            assert!(err.kind().to_string().contains(&text), "Python {version}: {}", err.kind());
            count += 1;
        }
        peer.finish();
        assert_eq!(count, 40);
    }
}

#[test]
fn values_of_ours_come_back_from_python() {
    let mut runner = TestRunner::deterministic();
    for (version, python) in pythons() {
        let mut peer = Peer::start(&version, &python, "echo");
        for turn in 0..200 {
            let object = zoo::plain().new_tree(&mut runner).unwrap().current();
            peer.send(&pickle::encode(&object, PROTOCOLS[turn % 4]).unwrap());
            let shown = String::from_utf8(peer.recv()).unwrap();
            for protocol in PROTOCOLS {
                let copy = pickle::decode(&peer.recv()).unwrap();
                assert!(
                    copy == object,
                    "Python {version}, protocol {protocol}: {copy} is {object}"
                );
                assert_eq!(copy.to_string(), shown, "Python {version}");
            }
        }
        peer.finish();
    }
}

#[test]
fn exceptions_and_tokens_of_ours_are_those_of_python() {
    let objects = [
        (
            Object::exception("FileNotFoundError", [2.into(), "no".into()]),
            "FileNotFoundError(2, 'no')",
        ),
        (
            Object::from(("#ERROR", Object::exception("KeyError", ["x".into()]))),
            "('#ERROR', KeyError('x'))",
        ),
        (
            Object::token("list", "@abstract", "7f"),
            "Token(typeid='list', address='@abstract', id='7f')",
        ),
    ];
    for (version, python) in pythons() {
        let mut peer = Peer::start(&version, &python, "echo");
        for (object, shown) in &objects {
            for protocol in PROTOCOLS {
                peer.send(&pickle::encode(object, protocol).unwrap());
                assert_eq!(String::from_utf8(peer.recv()).unwrap(), *shown, "Python {version}");
                let copies = PROTOCOLS.map(|_| pickle::decode(&peer.recv()).unwrap());
                assert_eq!(copies[usize::from(Protocol::V4.number()) - 2], *object);
            }
        }
        peer.finish();
    }
}
