//! The fork server: one, small, and not needed for ever.

use std::{
    collections::HashSet,
    fs,
    os::unix::process::parent_id,
    process,
    sync::{Mutex, OnceLock},
};

use multiproc::{
    Connection, Context, Failure, OnPreloadError, Process, StartError, connection,
    force_start_method, pipe, set_forkserver_preload, stop_forkserver,
};
use multiproc_tests::procfs;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

multiproc_tests::once_alone! {
    server_starts_when_needed_is_one_and_has_one_thread,
    server_has_no_socket_with_a_name,
    server_survives_an_interrupt,
    killed_server_is_replaced_and_its_children_live_on,
    stopped_server_is_replaced,
    server_ends_with_those_who_could_ask_it,
    preload_is_not_needed_and_starts_no_server,
    failing_preload_is_ignored_unless_asked,
    preload_runs_once_and_descendants_share_it,
    preload_may_make_what_locks_and_carries,
}

// parity: start_methods.forkserver-lazy-single
fn server_starts_when_needed_is_one_and_has_one_thread() -> Result<(), Failure> {
    Context::spawn().start(|| (), ())?.join()?;
    assert!(procfs::fork_servers().is_empty(), "nobody has asked for it");

    Context::forkserver().start(|| (), ())?.join()?;
    let server = the_server();
    Context::forkserver().start(|| (), ())?.join()?;
    assert_eq!(the_server(), server);

    // The child's child comes from the same server, whose own child it then is.
    let grandparent = Context::forkserver().start(parent_of_child, ())?.result()??;
    assert_eq!(grandparent, server);
    assert_eq!(the_server(), server);

    let threads = fs::read_dir(format!("/proc/{server}/task"))?.count();
    assert_eq!(threads, 1);
    Ok(())
}

// parity: start_methods.forkserver-socket-mode
fn server_has_no_socket_with_a_name() -> Result<(), Failure> {
    Context::forkserver().start(|| (), ())?.join()?;

    let mut sockets = HashSet::new();
    for entry in fs::read_dir(format!("/proc/{}/fd", the_server()))? {
        let link = fs::read_link(entry?.path())?;
        let inode = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']'));
        sockets.extend(inode.map(str::to_string));
    }
    assert!(!sockets.is_empty(), "it hears of requests through one");
    for line in fs::read_to_string("/proc/net/unix")?.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        if fields.get(6).is_some_and(|inode| sockets.contains(*inode)) {
            assert_eq!(fields.get(7), None, "a name: {line}");
        }
    }
    Ok(())
}

// parity: start_methods.forkserver-sigint-survival
fn server_survives_an_interrupt() -> Result<(), Failure> {
    let before = Waiting::start()?;
    let server = the_server();

    kill_process(pid(server), Signal::INT)?;

    let after = Waiting::start()?;
    assert_eq!(the_server(), server, "it is still the same");
    before.finish(Some(0))?;
    after.finish(Some(0))
}

// parity: start_methods.forkserver-restart-after-sigkill
fn killed_server_is_replaced_and_its_children_live_on() -> Result<(), Failure> {
    let before = Waiting::start()?;
    let server = the_server();

    kill_process(pid(server), Signal::KILL)?;

    let after = Waiting::start()?;
    assert_ne!(the_server(), server);
    after.finish(Some(0))?;
    // Where it was the dead server's child, nobody can tell its exit code any more, but its work is done.
    before.finish(None)
}

fn stopped_server_is_replaced() -> Result<(), Failure> {
    let child = Waiting::start()?;
    let server = the_server();

    // It ends when its children have: the one that runs is to be told of.
    child.finish(Some(0))?;
    stop_forkserver();

    assert_eq!(procfs::state(server), None, "it was waited for");
    Waiting::start()?.finish(Some(0))?;
    assert_ne!(the_server(), server);
    Ok(())
}

fn server_ends_with_those_who_could_ask_it() -> Result<(), Failure> {
    let (ours, theirs) = pipe::<(), u32>()?;
    let owner = Context::spawn().start(start_server_and_wait, (theirs,))?;
    let server = pidfd_open(pid(ours.recv()?), PidfdFlags::empty())?;

    ours.send(&())?;
    owner.result()??;

    connection::wait(&[&server], None)?;
    Ok(())
}

// parity: start_methods.preload-default
fn preload_is_not_needed_and_starts_no_server() -> Result<(), Failure> {
    set_forkserver_preload(set_table, OnPreloadError::default());
    assert!(procfs::fork_servers().is_empty());

    // By default what cannot be loaded is ignored.
    assert_eq!(OnPreloadError::default(), OnPreloadError::Ignore);
    set_forkserver_preload(fail, OnPreloadError::default());
    assert_eq!(Context::forkserver().start(|| 7, ())?.result()?, 7);
    Ok(())
}

// complaint: 28
fn failing_preload_is_ignored_unless_asked() -> Result<(), Failure> {
    for (function, told) in
        [(fail as fn() -> _, "no such table"), (panic_in_preload, "table is broken")]
    {
        for on_error in [OnPreloadError::Ignore, OnPreloadError::Warn] {
            set_preload(function, on_error);
            assert_eq!(Context::forkserver().start(|| 7, ())?.result()?, 7, "{on_error:?}");
            stop_forkserver();
        }
        set_preload(function, OnPreloadError::Fail);
        match Context::forkserver().start(|| 7, ()) {
            Err(StartError::Preload { message }) => assert!(message.contains(told), "{message}"),
            other => panic!("{other:?}"),
        }
        assert!(procfs::children_of(process::id()).is_empty(), "neither server nor child is left");
    }
    set_forkserver_preload(leave_thread, OnPreloadError::Fail);
    let err = Context::forkserver().start(|| 7, ()).unwrap_err();
    assert!(err.to_string().contains("thread"), "{err}");
    Ok(())
}

// complaint: 28
fn preload_runs_once_and_descendants_share_it() -> Result<(), Failure> {
    set_forkserver_preload(set_table, OnPreloadError::Fail);

    let ours = Context::forkserver().start(table, ())?.result()?;
    let again = Context::forkserver().start(table, ())?.result()?;
    let of_grandchild = Context::forkserver().start(table_of_child, ())?.result()??;

    // The same address and the same maker: nobody has made it anew.
    assert!(ours.is_some());
    assert_eq!(again, ours);
    assert_eq!(of_grandchild, ours);
    assert_eq!(TABLE.get(), None, "it was made in the server, not here");
    Ok(())
}

// The lock of start_methods.preload-resources comes with locks; here it is one of std's, and a pipe of ours.
fn preload_may_make_what_locks_and_carries() -> Result<(), Failure> {
    set_forkserver_preload(make_resources, OnPreloadError::Fail);
    for number in 0..3 {
        assert_eq!(Context::forkserver().start(use_resources, (number,))?.result()??, number);
    }
    Ok(())
}

/// A child of the fork server that answers once and waits to be told to.
struct Waiting {
    child: Process<Result<(), Failure>>,
    ours: Connection<u32>,
}

impl Waiting {
    fn start() -> Result<Self, Failure> {
        let (ours, theirs) = pipe::<u32, u32>()?;
        let child = Context::forkserver().start(answer_once, (theirs,))?;
        assert_eq!(ours.recv()?, child.pid().ok_or("a child has a pid")?);
        Ok(Self { child, ours })
    }

    fn finish(self, code: Option<i32>) -> Result<(), Failure> {
        assert!(self.child.is_alive());
        self.ours.send(&7)?;
        assert_eq!(self.ours.recv()?, 14, "the child's work");
        self.child.join()?;
        assert!(code.is_none() || self.child.exitcode() == code, "{:?}", self.child);
        Ok(())
    }
}

fn the_server() -> u32 {
    let servers = procfs::fork_servers();
    assert_eq!(servers.len(), 1, "{servers:?}");
    servers[0]
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).unwrap()
}

fn set_preload(function: fn() -> Result<(), String>, on_error: OnPreloadError) {
    if function as usize == fail as fn() -> _ as usize {
        set_forkserver_preload(fail, on_error);
    } else {
        set_forkserver_preload(panic_in_preload, on_error);
    }
}

fn answer_once(theirs: Connection<u32>) -> Result<(), Failure> {
    theirs.send(&process::id())?;
    let number = theirs.recv()?;
    theirs.send(&(2 * number))?;
    Ok(())
}

fn parent_of_child() -> Result<u32, Failure> {
    Ok(Context::forkserver().start(parent_id, ())?.result()?)
}

static TABLE: OnceLock<(Vec<u64>, u32)> = OnceLock::new();

fn set_table() {
    TABLE.get_or_init(|| ((0..1000).collect(), process::id()));
}

fn table() -> Option<(usize, u32)> {
    TABLE.get().map(|(table, maker)| (table.as_ptr() as usize, *maker))
}

fn table_of_child() -> Result<Option<(usize, u32)>, Failure> {
    force_start_method(None);
    Ok(multiproc::spawn(table, ())?.result()?)
}

fn fail() -> Result<(), String> {
    Err("no such table".into())
}

fn panic_in_preload() -> Result<(), String> {
    panic!("the table is broken")
}

fn leave_thread() {
    std::thread::spawn(std::thread::park);
}

static RESOURCES: OnceLock<(Mutex<u32>, Connection<u32>, Connection<u32>)> = OnceLock::new();

fn make_resources() {
    let (a, b) = pipe().unwrap();
    let lock = Mutex::new(0);
    drop(lock.lock());
    assert!(RESOURCES.set((lock, a, b)).is_ok());
}

fn use_resources(number: u32) -> Result<u32, Failure> {
    let (lock, a, b) = RESOURCES.get().ok_or("nothing was preloaded")?;
    *lock.lock().map_err(|err| err.to_string())? += number;
    a.send(&number)?;
    Ok(b.recv()?)
}

fn start_server_and_wait(theirs: Connection<u32, ()>) -> Result<(), Failure> {
    stop_forkserver();
    Context::forkserver().start(|| (), ())?.join()?;
    theirs.send(&the_server())?;
    Ok(theirs.recv()?)
}
