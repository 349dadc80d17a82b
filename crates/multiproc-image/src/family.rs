//! What every floor needs to know of this process: the family record.
//!
//! A *family* is a first process and all that were started from it, directly or not. Each has a record; a child's is
//! made from its parent's and handed over before anything else runs in it.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use multiproc_sys::threads;
use serde::{Deserialize, Serialize};

use crate::{
    after_fork::{ForkLocal, Prepared},
    logging::{self, LogSettings},
};

/// The record of one process. Read it with [`record`], change it with [`update`].
///
/// It has secrets in it, so it does not serialise: only the start of a process knows how to hand it over.
#[derive(Clone, Debug)]
pub struct Record {
    /// The process's name, `MainProcess` in the first.
    pub name: String,
    /// The numbers of the way from the first process to this: `[1, 2]` in `Process-1:2`, empty in the first.
    pub identity: Vec<u32>,
    /// The process that started this one; none in the first.
    pub parent: Option<Parent>,
    /// The key with which connections authenticate each other.
    pub authkey: AuthKey,
    /// True if this process ends with its parent.
    pub daemon: bool,
    /// The start method that was chosen, by its name; none while the default holds.
    pub start_method: Option<String>,
    /// What is logged, and where.
    pub log: LogSettings,
    /// What the processes of one family have in common and nobody else knows.
    pub(crate) secret: AuthKey,
}

/// Who started a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parent {
    /// Its process id.
    pub pid: u32,
    /// Its name at that time.
    pub name: String,
}

/// The key with which the two ends of a connection prove to each other that they belong together.
///
/// Every process of a family has the key of the one that started it, unless another was set. It goes to a process that
/// is being started and nowhere else: it is no part of a message, and its `Debug` form does not show it.
///
/// # Python
///
/// `multiprocessing.process.AuthenticationString`, which raises `TypeError` when it is pickled; there at run time.
///
/// # Examples
///
/// ```
/// use multiproc_image::family::AuthKey;
///
/// assert_eq!(format!("{:?}", AuthKey::from("secret")), "AuthKey(6 bytes)");
/// ```
///
/// What is sent has to serialise, and this does not:
///
/// ```compile_fail,E0277
/// fn send(message: impl serde::Serialize) {}
///
/// send(multiproc_image::family::AuthKey::from("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AuthKey(Vec<u8>);

impl AuthKey {
    /// Makes 32 random bytes.
    ///
    /// # Panics
    ///
    /// Where the system has no source of random numbers: on Linux, without `getrandom(2)` and
    /// `/dev/urandom` both.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = vec![0; 32];
        getrandom::fill(&mut bytes).expect("the system has no source of random numbers");
        Self(bytes)
    }

    /// The bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Vec<u8>>> From<T> for AuthKey {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthKey({} bytes)", self.0.len())
    }
}

/// How a [`Record`] is written into the message that starts a process, and only there.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Record")]
pub(crate) struct Handed {
    name: String,
    identity: Vec<u32>,
    parent: Option<Parent>,
    #[serde(with = "HandedKey")]
    authkey: AuthKey,
    daemon: bool,
    start_method: Option<String>,
    log: LogSettings,
    #[serde(with = "HandedKey")]
    secret: AuthKey,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "AuthKey")]
struct HandedKey(Vec<u8>);

impl Record {
    fn first() -> Self {
        Self {
            name: "MainProcess".into(),
            identity: Vec::new(),
            parent: None,
            authkey: AuthKey::random(),
            daemon: false,
            start_method: None,
            log: LogSettings::default(),
            secret: AuthKey::random(),
        }
    }

    /// The record of a child that this process starts as its `number`-th.
    #[must_use]
    pub fn child(&self, number: u32) -> Self {
        let mut identity = self.identity.clone();
        identity.push(number);
        let parent = Parent { pid: std::process::id(), name: self.name.clone() };
        Self { identity, parent: Some(parent), ..self.clone() }
    }
}

/// The child of a fork that is not ours inherits the record; only if another thread was changing it at that very moment
/// does the child begin as a first process.
static RECORD: ForkLocal<RwLock<Arc<Record>>> = ForkLocal::new(|inherited| {
    let inherited =
        inherited.and_then(|record| record.try_read().ok().map(|record| record.clone()));
    RwLock::new(inherited.unwrap_or_else(|| Arc::new(Record::first())))
});

/// The record of this process.
#[must_use]
pub fn record() -> Arc<Record> {
    RECORD.get().read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Changes the record of this process.
pub fn update(change: impl FnOnce(&mut Record)) {
    let mut record = RECORD.get().write().unwrap_or_else(PoisonError::into_inner);
    change(Arc::make_mut(&mut record));
    logging::apply(record.log);
}

/// Makes `record` this process's: the first thing that a new process does.
pub fn install(record: Record) {
    set_os_name(&record.name);
    logging::apply(record.log);
    RECORD.set(RwLock::new(Arc::new(record)));
}

/// A record made before a fork, for the child of that fork.
///
/// In a fresh copy of a process every page that is written to has to be copied first, so the child allocates nothing.
#[derive(Debug)]
pub struct PreparedRecord {
    record: Prepared<RwLock<Arc<Record>>>,
    os_name: OsName,
    log: LogSettings,
}

/// Prepares the record of a child that is about to be forked.
#[must_use]
pub fn prepare(record: Record) -> PreparedRecord {
    let (os_name, log) = (OsName::of(&record.name), record.log);
    PreparedRecord { record: RECORD.prepare(RwLock::new(Arc::new(record))), os_name, log }
}

impl PreparedRecord {
    /// In the child: makes the record this process's.
    pub fn adopt(self) {
        self.os_name.set();
        logging::apply(self.log);
        RECORD.adopt(self.record);
    }
}

/// Gives this process's main thread, which `ps` and `top` show, as much of `name` as the kernel keeps: 15 bytes.
pub fn set_os_name(name: &str) {
    OsName::of(name).set();
}

#[derive(Debug)]
struct OsName([u8; threads::NAME]);

impl OsName {
    fn of(name: &str) -> Self {
        let mut bytes = [0; threads::NAME];
        let short = short_name(name);
        bytes[..short.len()].copy_from_slice(short.as_bytes());
        Self(bytes)
    }

    fn set(&self) {
        threads::set_name(&self.0);
    }
}

/// Shortens a name so that its number stays: first the word `Process` goes, then the middle.
fn short_name(name: &str) -> String {
    const KEPT: usize = threads::NAME - 1;
    if name.len() <= KEPT {
        return name.into();
    }
    let name = name.replacen("Process", "", 1);
    if name.len() <= KEPT {
        return name;
    }
    let (mut head, mut tail) = (6, name.len() - (KEPT - 7));
    while !name.is_char_boundary(head) {
        head -= 1;
    }
    while !name.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}~{}", &name[..head], &name[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_keep_the_number() {
        assert_eq!(short_name("Process-1:2"), "Process-1:2");
        assert_eq!(short_name("ForkServerProcess-12"), "ForkServer-12");
        assert_eq!(short_name("ForkServerProcess-1:2:3:4:5"), "ForkSe~:2:3:4:5");
        assert_eq!(short_name("a long name of a worker 7"), "a long~worker 7");
        assert!(short_name("äöüäöüäöüäöüäöü").len() <= 15);
    }

    #[test]
    fn key_is_not_shown() {
        assert_eq!(format!("{:?}", AuthKey::from(b"secret".to_vec())), "AuthKey(6 bytes)");
        let record = Record { authkey: AuthKey::from("hunter2"), ..Record::first() };
        let shown = format!("{record:?} {record:#?}");
        assert!(shown.contains("AuthKey(7 bytes)"));
        for secret in [record.authkey.as_bytes(), record.secret.as_bytes()] {
            let bytes = format!("{secret:?}");
            assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
        }
    }

    struct Probe<T>(std::marker::PhantomData<T>);

    /// What holds of a type of which nothing better is known.
    trait Unknown {
        const SERIALISES: bool = false;
    }

    impl<T> Unknown for Probe<T> {}

    impl<T: Serialize> Probe<T> {
        const SERIALISES: bool = true;
    }

    // parity: auth.key-not-serialisable
    #[test]
    fn key_is_no_part_of_a_message() {
        let serialise = (Probe::<String>::SERIALISES, Probe::<AuthKey>::SERIALISES);
        assert_eq!(serialise, (true, false));
    }

    #[test]
    fn child_knows_where_it_comes_from() {
        let first = Record::first();
        let child = first.child(3).child(1);
        assert_eq!(child.identity, [3, 1]);
        assert_eq!(child.parent.unwrap().pid, std::process::id());
        assert_eq!(child.secret, first.secret);
    }
}
