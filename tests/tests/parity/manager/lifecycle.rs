//! Starting and ending managers.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use multiproc::{
    Context, Failure, Manager,
    connection::Address,
    managers::{
        BaseManager, Call, ManagerError, NamespaceProxy, Reply, Shared, SyncManager, Type,
        ValueProxy,
        types::{Namespace, Value},
    },
};
use multiproc_tests::{Scratch, TestResult, each_start_method, once, once_alone, procfs};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

once! {
    shutdown_ends_with_code_zero,
    drop_ends_the_server,
    slow_server_is_terminated,
    server_ignores_interrupts,
    standard_types_are_known,
    server_that_cannot_listen_says_so,
    captured_value_is_for_this_process_only,
    deaf_server_is_killed,
}

once_alone! { server_is_named_after_its_manager, objects_are_counted }

each_start_method! {
    initializer_runs_once,
    context_starts_the_server,
    server_ends_with_its_parent,
}

fn pid(manager: &BaseManager) -> Pid {
    Pid::from_raw(manager.pid().unwrap().cast_signed()).unwrap()
}

// parity: manager.shutdown-exitcode, manager.address-default, manager.factory-started
fn shutdown_ends_with_code_zero() -> TestResult {
    let manager = Manager::start()?;
    let Address::Path(path) = manager.address().clone() else {
        return Err("no Unix socket".into());
    };
    assert!(path.exists());
    let dict = manager.dict::<String, i64>([])?;
    assert_eq!(manager.into_base().shutdown_code()?, Some(0));
    assert!(!path.exists());
    assert!(dict.len().unwrap_err().is_lost());
    Ok(())
}

// parity: manager.scope-starts, manager.parent-exit-shuts-down
fn drop_ends_the_server() -> TestResult {
    let manager = Manager::start()?;
    let (pid, address) = (pid(&manager), manager.address().clone());
    drop(manager);
    assert!(test_kill_process(pid).is_err());
    assert!(BaseManager::builder().address(&address).connect().is_err());
    Ok(())
}

/// Keeps the server from hearing anything, once it has said so by a file.
struct Deaf;

impl Shared for Deaf {
    fn methods(&self) -> &'static [&'static str] {
        &["listen"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let at: PathBuf = call.take_args().take("at").unwrap();
        fs::write(at, "").unwrap();
        loop {
            thread::park();
        }
    }

    fn repr(&self) -> String {
        "<Deaf>".to_owned()
    }
}

// parity: manager.shutdown-exitcode, manager.shutdown-timeout
fn slow_server_is_terminated() -> TestResult {
    let folder = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "deaf")?;
    let manager = BaseManager::builder()
        .add(Type::once("Deaf", || Deaf))
        .shutdown_timeout(Duration::from_millis(50))
        .start()?;
    let deaf = manager.create("Deaf", ())?;
    let call = {
        let (deaf, at) = (deaf.clone(), folder.join("deaf"));
        thread::spawn(move || deaf.call_method("listen", (at,)))
    };
    while !folder.join("deaf").exists() {
        thread::yield_now();
    }
    assert_eq!(manager.shutdown_code()?, Some(-15));
    assert!(call.join().unwrap().unwrap_err().is_lost());
    Ok(())
}

// parity: manager.shutdown-timeout
fn deaf_server_is_killed() -> TestResult {
    let deaf = BaseManager::builder().shutdown_timeout(Duration::from_millis(50)).start()?;
    stop(&deaf)?;
    assert_eq!(deaf.shutdown_code()?, Some(-9));
    // Unless said otherwise it has a second to end by itself, and another to be terminated.
    let deaf = BaseManager::builder().start()?;
    stop(&deaf)?;
    let start = Instant::now();
    assert_eq!(deaf.shutdown_code()?, Some(-9));
    assert!(Duration::from_secs(2) <= start.elapsed());
    Ok(())
}

/// Stops the server; a signal that comes before it has stopped would end it.
fn stop(manager: &BaseManager) -> TestResult {
    let pid = pid(manager);
    kill_process(pid, Signal::STOP)?;
    while procfs::state(pid.as_raw_nonzero().get().cast_unsigned()) != Some('T') {
        thread::yield_now();
    }
    Ok(())
}

// parity: manager.server-ignores-sigint, smm.server-ignores-sigint
fn server_ignores_interrupts() -> TestResult {
    let manager = Manager::start()?;
    let memory = multiproc::managers::SharedMemoryManager::start()?;
    for manager in [&*manager, &*memory] {
        kill_process(pid(manager), Signal::INT)?;
    }
    let list = manager.list([1])?;
    assert_eq!(list.len()?, 1);
    assert_eq!(memory.shareable_list([1, 2])?.len(), 2);
    Ok(())
}

// parity: manager.supported-types
fn standard_types_are_known() -> TestResult {
    let manager = Manager::start()?;
    for typeid in [
        "list",
        "dict",
        "set",
        "Namespace",
        "Lock",
        "RLock",
        "Condition",
        "Event",
        "Queue",
        "JoinableQueue",
        "Semaphore",
        "BoundedSemaphore",
    ] {
        assert_eq!(manager.create(typeid, ())?.typeid(), typeid);
    }
    assert!(manager.create("Barrier", (2,)).is_ok());
    assert!(manager.create("Value", ("i", 0)).is_ok());
    assert!(manager.create("Array", ("i", [0, 1])).is_ok());
    Ok(())
}

// parity: manager.number-of-objects, proxy.refcount-drop
fn objects_are_counted() -> Result<(), Failure> {
    let manager = Manager::start()?;
    let (list, dict) = (manager.list([1])?, manager.dict::<i64, i64>([])?);
    let clone = list.clone();
    assert_eq!(manager.number_of_objects()?, 2);
    assert!(manager.debug_info()?.contains(":       refcount=1\n    [1]"));
    drop((dict, list));
    assert_eq!(manager.number_of_objects()?, 1);
    drop(clone);
    assert_eq!((manager.number_of_objects()?, manager.debug_info()?), (0, String::new()));
    Ok(())
}

fn server_that_cannot_listen_says_so() -> TestResult {
    let manager = Manager::start()?;
    let Err(err) = BaseManager::builder().address(manager.address()).start() else {
        return Err("two servers at one address".into());
    };
    assert!(matches!(&err, ManagerError::Server(text) if text.contains("in use")), "{err}");
    Ok(())
}

fn captured_value_is_for_this_process_only() -> TestResult {
    let err = BaseManager::builder().share("x", Namespace::new()).start().unwrap_err();
    assert!(matches!(&err, ManagerError::Captured(typeid) if typeid == "x"), "{err}");
    Ok(())
}

// parity: manager.process-name
fn server_is_named_after_its_manager() -> Result<(), Failure> {
    let manager = Manager::start()?;
    let name = manager.process_name().unwrap_or_default();
    let number = name.strip_prefix("SyncManager-").ok_or_else(|| Failure::from(name.clone()))?;
    assert!(number.ends_with('1'), "{name}");
    let children = multiproc::active_children();
    assert!(children.iter().any(|child| child.name() == name && !child.daemon()));
    Ok(())
}

static RUNS: AtomicI64 = AtomicI64::new(0);

// parity: manager.initializer
fn initializer_runs_once(ctx: &Context) -> TestResult {
    let manager = Manager::builder()
        .context(ctx.clone())
        .initializer(|| {
            RUNS.fetch_add(1, Ordering::Relaxed);
        })
        .add(Type::once("runs", || Value::new("q", RUNS.load(Ordering::Relaxed).into())))
        .start()?;
    let runs: ValueProxy<i64> = manager.create("runs", ())?.into();
    assert_eq!((runs.get()?, RUNS.load(Ordering::Relaxed)), (1, 0));
    Ok(())
}

// parity: manager.ctx-option
fn context_starts_the_server(ctx: &Context) -> TestResult {
    let manager = SyncManager::from(Manager::builder().context(ctx.clone()).start()?);
    let namespace: NamespaceProxy = manager.namespace([("x", 1)])?;
    assert_eq!(namespace.get::<i64>("x")?, 1);
    manager.shutdown()?;
    Ok(())
}

// parity: manager.parent-exit-shuts-down
fn server_ends_with_its_parent(ctx: &Context) -> TestResult {
    let (ours, theirs) = multiproc::pipe::<(), u32>()?;
    let child = ctx.process().daemon(true).start(start_and_wait, (theirs,))?;
    let server = Pid::from_raw(ours.recv()?.cast_signed()).ok_or("no pid")?;
    child.kill()?;
    child.join()?;
    // It is no child of ours, so there is nothing but to look.
    while test_kill_process(server).is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn start_and_wait(line: multiproc::Connection<u32, ()>) -> Result<(), Failure> {
    let manager = Manager::start()?;
    line.send(&manager.pid().unwrap())?;
    line.recv()?;
    Ok(())
}
