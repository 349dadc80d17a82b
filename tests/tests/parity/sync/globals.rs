//! Behaviours of synchronisation objects that lie in statics, and of what is left when all are gone.

use std::sync::{LazyLock, OnceLock};

use multiproc::{
    Context, Failure, Lock, OnPreloadError, Queue, Semaphore, connection::Listener,
    set_forkserver_preload, shared_memory::SharedMemory, stop_forkserver,
};
use multiproc_tests::{TestResult, procfs, stderr};

multiproc_tests::each_start_method! {
    semaphore_of_each_process_leaves_nothing,
}
multiproc_tests::once_alone! {
    forked_child_has_the_lock_of_a_static,
    lock_made_by_the_preload_function_is_the_children_s,
    nothing_dangles,
}

static LOCK: OnceLock<Lock> = OnceLock::new();

fn make_lock() {
    LOCK.get_or_init(|| Lock::new().expect("there is memory for a lock"));
}

/// Whether the lock of the static was free; it is left as it was.
fn is_free() -> Result<bool, Failure> {
    let lock = LOCK.get().ok_or("no lock")?;
    let free = lock.try_acquire()?.is_some();
    if free {
        lock.release()?;
    }
    Ok(free)
}

// parity: start_methods.fork-shares-unpassed-lock
fn forked_child_has_the_lock_of_a_static() -> Result<(), Failure> {
    make_lock();
    let lock = LOCK.get().ok_or("no lock")?;
    let ctx = Context::fork();
    lock.acquire()?;
    assert!(!ctx.start(is_free, ())?.result()??, "the parent has it");
    lock.release()?;
    assert!(ctx.start(is_free, ())?.result()??);
    Ok(())
}

// parity: start_methods.preload-resources
fn lock_made_by_the_preload_function_is_the_children_s() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    set_forkserver_preload(make_lock, OnPreloadError::Fail);
    let ctx = Context::forkserver();
    for _ in 0..2 {
        assert!(ctx.start(is_free, ())?.result()??);
    }
    // One lock, made before any fork: what one child holds, the other finds held.
    let (told, tell) = multiproc::simplex::<()>()?;
    let holder = ctx.start(hold, (tell,))?;
    told.recv()?;
    assert!(!ctx.start(is_free, ())?.result()??);
    holder.kill()?;
    holder.join()?;
    stop_forkserver();
    assert_eq!(stderr::text(&heard)?, "");
    Ok(())
}

fn hold(tell: multiproc::connection::Sender<()>) {
    if LOCK.get().is_some_and(|lock| lock.acquire().is_ok()) && tell.send(&()).is_ok() {
        std::thread::park();
    }
}

static SEMAPHORE: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(3).expect("there is memory for a semaphore"));

// parity: tracker.global-semaphore-spawn
fn semaphore_of_each_process_leaves_nothing(ctx: &Context) -> TestResult {
    assert!(SEMAPHORE.get_value() <= 3);
    let child = ctx.start(|| SEMAPHORE.try_acquire().is_ok_and(|got| got), ())?;
    assert!(child.result()?);
    let mapped = std::fs::read_to_string("/proc/self/maps")?;
    assert!(!mapped.contains("/dev/shm/sem."), "it has no name to leak");
    Ok(())
}

// parity: misc.dangling
fn nothing_dangles() -> Result<(), Failure> {
    let threads = procfs::threads();
    let name = format!("multiproc-dangling-{}", std::process::id());
    let mut path = String::new();
    for ctx in [Context::forkserver(), Context::spawn(), Context::fork()] {
        let (lock, queue) = (Lock::new()?, Queue::<u32>::new()?);
        let memory = SharedMemory::create_named(&name, 100)?;
        let listener = Listener::builder().bind()?;
        path = format!("{}", listener.address());
        let child = ctx.start(use_all, (lock.clone(), queue.clone(), memory.clone()))?;
        assert_eq!(queue.get()?, 7);
        child.result()??;
        assert!(!lock.locked());
        memory.unlink()?;
    }
    stop_forkserver();
    multiproc::shared_memory::tracker::stop()?;
    let me = std::process::id();
    assert_eq!(procfs::children_and_zombies_of(me), [0; 0], "processes");
    assert!(procfs::threads() <= threads + 1, "threads, but for the one that reaps");
    assert!(!std::path::Path::new("/dev/shm").join(&name).exists());
    assert!(!std::path::Path::new(&path).exists(), "{path}");
    Ok(())
}

fn use_all(lock: Lock, queue: Queue<u32>, memory: SharedMemory) -> Result<(), Failure> {
    let _guard = lock.guard()?;
    memory.buf().fill(7);
    queue.put(memory.buf().get::<u8>(99)?.into())?;
    Ok(())
}
