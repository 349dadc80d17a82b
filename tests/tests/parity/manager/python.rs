//! Clients of ours at the managers of every Python that is found.

use std::{
    error::Error,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use multiproc::managers::{
    AsyncResultProxy, BaseManager, Batch, CallError, IteratorProxy, Proxy, SyncManager, TypedProxy,
    pickle::{Global, Object},
};
use multiproc_tests::{TestResult, once, python::Python};

once! { standard_types_of_python_s_manager }

const PROGRAM: &str = include_str!("../../examples/managers.py");
const MOMENT: Duration = Duration::from_millis(1);

/// Killed when it is dropped.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Result<(Self, String), Box<dyn Error>> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let server = Self(child);
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        Ok((server, address.trim_end().to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn standard_types_of_python_s_manager() -> TestResult {
    for python in Python::all() {
        let (_server, address) =
            Server::start(python.command(PROGRAM).args(["sync_server", "key"]))?;
        let manager = BaseManager::builder().address(&address).authkey("key").allow_md5();
        let manager = SyncManager::from(manager.connect()?);
        containers(&manager)
            .and_then(|()| synchronized(&manager))
            .and_then(|()| pool(&manager))
            .map_err(|err| format!("Python {}: {err}", python.version()))?;
        assert_eq!(manager.number_of_objects()?, 0, "Python {}", python.version());
    }
    Ok(())
}

fn containers(manager: &SyncManager) -> TestResult {
    let list = manager.list([3, 1, 2])?;
    list.sort()?;
    assert_eq!((list.to_vec()?, list.slice(1, None)?), (vec![1, 2, 3], vec![2, 3]));
    assert!(list.get(9).unwrap_err().is_raised("IndexError"));
    let outer = manager.list([list.clone()])?;
    drop(list);
    outer.get(0)?.append(4)?;
    assert_eq!(outer.get(0)?.to_vec()?, [1, 2, 3, 4]);
    let dict = manager.dict([("a".to_owned(), 1i64)])?;
    dict.set("b", &2)?;
    assert_eq!((dict.keys()?, dict.values()?), (vec!["a".into(), "b".into()], vec![1, 2]));
    assert_eq!(dict.items()?, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!(dict.iter()?.collect::<Result<Vec<_>, _>>()?, ["a", "b"]);
    assert!(dict.get_item("z").unwrap_err().is_raised("KeyError"));
    assert_eq!(dict.to_string(), "{'a': 1, 'b': 2}");
    let namespace = manager.namespace([("x", 1)])?;
    namespace.set("y", "two")?;
    assert_eq!(namespace.to_string(), "Namespace(x=1, y='two')");
    let (value, array) = (manager.value(7i32)?, manager.array([0i32, 1])?);
    value.set(&8)?;
    array.set(0, 5)?;
    assert_eq!((value.get()?, array.to_vec()?, array.get(-1)?), (8, vec![5, 1], 1));
    let results = Batch::new().call(&value, "get", ())?.call(&array, "__len__", ())?.run()?;
    assert_eq!(results[1].as_ref().unwrap().as_int(), Some(2));
    let err = dict.as_proxy().call_method("zork", ()).unwrap_err();
    assert!(matches!(&err, CallError::Remote(text) if text.contains("zork")), "{err}");
    Ok(())
}

/// Functions are Python's own, by their names.
fn pool(manager: &SyncManager) -> TestResult {
    let pool = manager.create("Pool", (1,))?;
    let sqrt = Object::from(Global::new("math", "sqrt"));
    assert_eq!(pool.call::<_, f64>("apply", (&sqrt, (16.0,)))?, 4.0);
    assert_eq!(pool.call::<_, Vec<f64>>("map", (&sqrt, [1.0, 4.0]))?, [1.0, 2.0]);
    let result: AsyncResultProxy<f64> =
        pool.call::<_, Proxy>("apply_async", (&sqrt, (9.0,)))?.into();
    assert_eq!(result.get()?, 3.0);
    assert!(result.ready()? && result.successful()?);
    let steps: IteratorProxy<f64> = pool.call::<_, Proxy>("imap", (&sqrt, [25.0]))?.into();
    assert_eq!(steps.collect::<Result<Vec<_>, _>>()?, [5.0]);
    let err = pool.call_method("apply", (&sqrt, (-1.0,))).unwrap_err();
    assert!(err.is_raised("ValueError"), "{err}");
    pool.call_method("terminate", ())?;
    Ok(pool.call_method("join", ()).map(drop)?)
}

fn synchronized(manager: &SyncManager) -> TestResult {
    let queue = manager.queue::<Object>(1)?;
    queue.put(&("x", 1))?;
    assert!(queue.try_put(&1).unwrap_err().is_full());
    assert_eq!(queue.get()?, Object::from(("x", 1)));
    assert!(queue.get_timeout(MOMENT).unwrap_err().is_empty());
    let lock = manager.lock()?;
    lock.acquire()?;
    let condition = manager.condition_with(&lock)?;
    assert!(!condition.try_acquire()?);
    lock.release()?;
    assert!(lock.release().unwrap_err().is_raised("RuntimeError"));
    let semaphore = manager.bounded_semaphore(1)?;
    assert!(semaphore.release().unwrap_err().is_raised("ValueError"));
    let event = manager.event()?;
    assert!(!event.wait_timeout(MOMENT)?);
    event.set()?;
    event.wait()?;
    let barrier = manager.barrier(2)?;
    let other = {
        let barrier = barrier.clone();
        thread::spawn(move || barrier.wait())
    };
    barrier.wait()?;
    other.join().unwrap()?;
    assert!(barrier.wait_timeout(MOMENT).unwrap_err().is_raised("BrokenBarrierError"));
    Ok(())
}
