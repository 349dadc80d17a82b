//! Managers and proxies.

use std::thread;

use multiproc::{
    Context, Failure, Manager,
    managers::{
        BaseManager, DictProxy, ListProxy, Sharing, SyncManager, Type, TypedProxy, types::Queue,
    },
    pickle::{Global, Instance, Made, Object},
};
use multiproc_tests::{TestResult, each_start_method, once};

each_start_method! { child_fills_a_dict_and_reverses_a_list, queue_between_two_clients, local_worker_feeds_remote_clients }
once! { namespace_shows_its_public_names, maths_of_a_manager_of_ones_own, squares_in_a_list, methods_called_by_name }

// parity: docs_example.manager-dict-list
fn child_fills_a_dict_and_reverses_a_list(ctx: &Context) -> TestResult {
    let manager = SyncManager::from(Manager::builder().context(ctx.clone()).start()?);
    let (dict, list) = (manager.dict::<Object, Object>([])?, manager.list(0..10i64)?);
    ctx.start(fill_and_reverse, (dict.clone(), list.clone()))?.result()??;
    let expected: [(Object, Object); 3] =
        [(1.into(), "1".into()), ("2".into(), 2.into()), (0.25.into(), Object::None)];
    assert_eq!(dict.len()?, 3);
    for (key, value) in expected {
        assert_eq!(dict.as_proxy().call_method("__getitem__", (&key,))?, value, "{key}");
    }
    assert_eq!(list.to_vec()?, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    Ok(())
}

fn fill_and_reverse(dict: DictProxy<Object, Object>, list: ListProxy<i64>) -> Result<(), Failure> {
    dict.set(&Object::from(1), &Object::from("1"))?;
    dict.set(&Object::from("2"), &Object::from(2))?;
    dict.set(&Object::from(0.25), &Object::None)?;
    Ok(list.reverse()?)
}

// parity: docs_example.namespace
fn namespace_shows_its_public_names() -> TestResult {
    let manager = Manager::start()?;
    let namespace = manager.namespace::<Object>([])?;
    namespace.set("x", &10)?;
    namespace.set("y", "hello")?;
    // Python's proxy keeps such a name for itself.
    assert!(namespace.set("_z", &12.3).unwrap_err().is_raised("AttributeError"));
    assert_eq!(namespace.to_string(), "Namespace(x=10, y='hello')");
    Ok(())
}

struct Maths;

#[multiproc::shared]
impl Maths {
    pub fn new() -> Self {
        Self
    }

    pub fn add(&self, x: i64, y: i64) -> i64 {
        x + y
    }

    pub fn mul(&self, x: i64, y: i64) -> i64 {
        x * y
    }
}

// parity: docs_example.maths-manager
fn maths_of_a_manager_of_ones_own() -> TestResult {
    let manager = BaseManager::builder().register::<Maths>().start()?;
    let maths = manager.create_of::<Maths>(())?;
    assert_eq!((maths.add(4, 3)?, maths.mul(7, 8)?), (7, 56));
    Ok(())
}

fn client(address: &str) -> Result<BaseManager, multiproc::managers::ManagerError> {
    BaseManager::builder().address(address).authkey("abracadabra").connect()
}

// parity: docs_example.remote-queue
fn queue_between_two_clients(ctx: &Context) -> TestResult {
    let server = BaseManager::builder()
        .add(Type::once("get_queue", Queue::new))
        // Any port but 50000, which another program may have.
        .address("127.0.0.1:0")
        .authkey("abracadabra")
        .context(ctx.clone())
        .start()?;
    let address = server.address().to_string();
    let put = |address: String| -> Result<(), Failure> {
        client(&address)?.create("get_queue", ())?.call_method("put", ("hello",))?;
        Ok(())
    };
    ctx.start(put, (address.clone(),))?.result()??;
    let get = |address: String| -> Result<String, Failure> {
        Ok(client(&address)?.create("get_queue", ())?.call("get", ())?)
    };
    assert_eq!(ctx.start(get, (address,))?.result()??, "hello");
    Ok(())
}

/// A queue of this program, for others to take from.
struct Exported(multiproc::Queue<String>);

#[multiproc::shared]
impl Exported {
    pub fn get(&self) -> String {
        self.0.get().unwrap_or_default()
    }
}

// parity: docs_example.remote-local-worker
fn local_worker_feeds_remote_clients(ctx: &Context) -> TestResult {
    let queue = multiproc::Queue::<String>::new()?;
    let work = |queue: multiproc::Queue<String>| -> Result<(), Failure> {
        Ok(queue.put("local hello".into())?)
    };
    let worker = ctx.start(work, (queue.clone(),))?;
    let server = BaseManager::builder()
        .address("127.0.0.1:0")
        .authkey("abracadabra")
        .share("get_queue", Sharing::new(Exported(queue)))
        .get_server()?;
    let address = server.address().to_string();
    let serving = thread::spawn(move || server.serve_forever());
    let client = client(&address)?;
    let queue = ExportedProxy::from(client.create("get_queue", ())?);
    assert_eq!(queue.get()?, "local hello");
    worker.result()??;
    client.shutdown_server()?;
    serving.join().unwrap()?;
    Ok(())
}

// parity: docs_example.proxy-list-squares
fn squares_in_a_list() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list((0..10i64).map(|i| i * i))?;
    assert_eq!(list.to_string(), "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]");
    assert_eq!((list.get(4)?, list.slice(2, 5)?), (16, vec![4, 9, 16]));
    Ok(())
}

// parity: docs_example.proxy-callmethod
fn methods_called_by_name() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list(0..10i64)?.into_proxy();
    assert_eq!(list.call::<_, usize>("__len__", ())?, 10);
    let mut slice =
        Instance::new(Global::new("builtins", "slice"), [2.into(), 7.into(), Object::None]);
    slice.made = Made::Call;
    let items: Vec<i64> = list.call("__getitem__", (Object::from(slice),))?;
    assert_eq!(items, [2, 3, 4, 5, 6]);
    assert!(list.call_method("__getitem__", (20,)).unwrap_err().is_raised("IndexError"));
    Ok(())
}
