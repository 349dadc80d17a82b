//! What proxies are, and how they get around.

use std::{
    fs, io,
    sync::{
        Barrier,
        mpsc::{self, Sender},
    },
    thread,
};

use multiproc::{
    Connection, Context, Failure, Manager,
    connection::Listener,
    managers::{
        BaseManager, Batch, CallError, DictProxy, ListProxy, Proxy, TypedProxy, pickle::Object,
    },
    pipe,
};
use multiproc_tests::{TestResult, contexts, each_start_method, once, once_alone};

type Lists = Vec<ListProxy<i64>>;

once! {
    text_is_the_object_s_and_debug_the_proxy_s,
    event_shows_no_state,
    methods_are_called_by_name,
    object_is_copied_if_it_can_be,
    threads_share_a_proxy,
    proxy_in_a_message_refers_to_its_object,
    unread_message_refers_to_nothing_once_it_is_gone,
    forked_child_has_a_reference_of_its_own,
    server_that_says_nothing_holds_up_no_fork,
    batch_is_one_request,
    key_of_a_process_is_what_it_was_started_with,
}

// Alone: for a child that another test forks meanwhile this process has one more.
once_alone! { thread_has_one_connection }

each_start_method! {
    proxies_are_arguments,
    killed_client_leaves_no_references,
}

// parity: proxy.str-vs-repr, proxy.no-value-equality
fn text_is_the_object_s_and_debug_the_proxy_s() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list([0, 1, 4])?;
    assert_eq!(list.to_string(), "[0, 1, 4]");
    assert_eq!(list.to_vec()?, [0, 1, 4], "a copy is compared, a proxy cannot be");
    let text = format!("{list:?}");
    assert!(text.starts_with("<ListProxy object, typeid 'list' at 0x"), "{text}");
    manager.shutdown()?;
    assert_eq!(list.to_string(), format!("{}; '__str__()' failed>", &text[..text.len() - 1]));
    Ok(())
}

// parity: proxy.event-repr, event.repr
fn event_shows_no_state() -> TestResult {
    let manager = Manager::start()?;
    let event = manager.event()?;
    let before = format!("{event:?}");
    assert!(before.starts_with("<EventProxy object, typeid 'Event' at "), "{before}");
    event.set()?;
    assert_eq!(format!("{event:?}"), before);
    Ok(())
}

fn thread_has_one_connection() -> Result<(), Failure> {
    const THREADS: usize = 8;
    let manager = Manager::start()?;
    let (list, dict) = (manager.list([7])?, manager.dict([("x".to_owned(), 7)])?);
    let folder = format!("/proc/{}/fd", manager.pid().ok_or("no pid")?);
    let descriptors = || Ok::<_, io::Error>(fs::read_dir(&folder)?.count());
    let before = descriptors()?;
    let (done, counted) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    let among = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let used = (0..10).try_for_each(|_| list.get(0).and(dict.get("x")).map(drop));
                done.wait();
                counted.wait();
                used.unwrap();
            });
        }
        done.wait();
        let among = descriptors();
        counted.wait();
        among
    })?;
    assert_eq!(among - before, THREADS);
    Ok(())
}

// parity: proxy.callmethod
fn methods_are_called_by_name() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list(0..10)?.into_proxy();
    assert_eq!(list.call_method("__len__", ())?, Object::from(10));
    assert_eq!(list.call::<_, Vec<i64>>("__add__", ([10, 11].to_vec(),))?.len(), 12);
    let err = list.call_method("__getitem__", (20,)).unwrap_err();
    assert!(err.is_raised("IndexError"), "{err}");
    let kwargs = [("reverse", true)].into_iter().collect::<std::collections::BTreeMap<_, _>>();
    list.call_method_with("sort", (), kwargs)?;
    assert_eq!(list.call::<_, i64>("__getitem__", (0,))?, 9);
    Ok(())
}

// parity: proxy.getvalue
fn object_is_copied_if_it_can_be() -> TestResult {
    let manager = Manager::start()?;
    let dict = manager.dict([("a", 1)])?;
    assert_eq!(dict.as_proxy().get_value::<Object>()?.to_string(), "{'a': 1}");
    let err = manager.lock()?.as_proxy().get_value::<Object>().unwrap_err();
    assert!(matches!(&err, CallError::Remote(text) if text.contains("pickle")), "{err}");
    Ok(())
}

// parity: proxy.thread-safety
fn threads_share_a_proxy() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list::<i64>([])?;
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..50).try_for_each(|n| list.append(n)))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())
    })?;
    assert_eq!(list.len()?, 400);
    Ok(())
}

// parity: proxy.passable
fn proxies_are_arguments(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (dict, list) = (manager.dict::<Object, Object>([])?, manager.list(0..10)?);
    let any = manager.list([1])?.into_proxy();
    ctx.start(use_arguments, (dict.clone(), list.clone(), any))?.result()??;
    assert_eq!(dict.to_string(), "{1: '1', '2': 2, 0.25: None}");
    assert_eq!(list.to_string(), "[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]");
    drop((dict, list));
    // A child that another test forks meanwhile has copies of the connections that went with the arguments.
    while manager.number_of_objects()? != 0 {
        thread::yield_now();
    }
    Ok(())
}

fn use_arguments(
    dict: DictProxy<Object, Object>,
    list: ListProxy<i64>,
    any: Proxy,
) -> Result<(), Failure> {
    dict.set(&1, "1")?;
    dict.set("2", &2)?;
    dict.set(&0.25, &())?;
    list.reverse()?;
    any.call_method("append", (2,))?;
    Ok(())
}

fn proxy_in_a_message_refers_to_its_object() -> TestResult {
    let manager = Manager::start()?;
    let (a, b): (Connection<ListProxy<i64>>, Connection<ListProxy<i64>>) = pipe()?;
    a.send(&manager.list([7])?)?;
    // Here is no proxy left, only the message.
    assert_eq!(manager.number_of_objects()?, 1);
    let list = b.recv()?;
    assert_eq!(list.to_vec()?, [7]);
    drop(list);
    // What went with the message is closed, of which the server hears when it hears of it.
    while manager.number_of_objects()? != 0 {
        thread::yield_now();
    }
    Ok(())
}

fn unread_message_refers_to_nothing_once_it_is_gone() -> TestResult {
    let manager = Manager::start()?;
    let (a, b): (Connection<ListProxy<i64>>, Connection<ListProxy<i64>>) = pipe()?;
    a.send(&manager.list([7])?)?;
    drop((a, b));
    // The server learns of it from the end of a connection, on which we cannot wait.
    while manager.number_of_objects()? != 0 {
        thread::yield_now();
    }
    Ok(())
}

// parity: proxy.refcount-drop
fn killed_client_leaves_no_references(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (a, b): (Connection<(), Lists>, Connection<Lists, ()>) = pipe()?;
    let keeper = manager.list::<i64>([])?;
    let child = ctx.process().daemon(true).start(refer, (keeper.clone(), b))?;
    let theirs = a.recv()?;
    assert_eq!(manager.number_of_objects()?, 3);
    drop((theirs, keeper));
    assert_eq!(manager.number_of_objects()?, 3, "the child's");
    child.kill()?;
    while manager.number_of_objects()? != 0 {
        thread::yield_now();
    }
    Ok(())
}

fn refer(list: ListProxy<i64>, line: Connection<Lists, ()>) -> Result<(), Failure> {
    let address = list.as_proxy().address().clone();
    let manager = multiproc::managers::BaseManager::builder().address(&address).connect()?;
    let more: Lists = vec![manager.create("list", ())?.into(), manager.create("list", ())?.into()];
    line.send(&more)?;
    line.recv()?;
    Ok(())
}

// parity: proxy.after-fork
// complaint: 22
fn forked_child_has_a_reference_of_its_own() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list([1, 2, 3])?;
    let event = manager.event()?;
    list.len()?;
    let (ours, theirs) = pipe::<(), ()>()?;
    let args = (list.clone(), theirs);
    let child = contexts()[2].1.start(use_copies, args)?;
    // While the child is at it, so are we: nobody reads what is meant for the other.
    ours.recv()?;
    for _ in 0..100 {
        assert_eq!(list.len()?, 3);
    }
    drop(list);
    ours.send(&())?;
    child.result()??;
    event.set()?;
    while manager.number_of_objects()? != 1 {
        thread::yield_now();
    }
    Ok(())
}

fn use_copies(list: ListProxy<i64>, line: Connection<(), ()>) -> Result<(), Failure> {
    assert_eq!(list.len()?, 3);
    line.send(&())?;
    for _ in 0..100 {
        assert_eq!(list.get(1)?, 2);
    }
    line.recv()?;
    assert_eq!(list.to_vec()?, [1, 2, 3], "the parent's are gone");
    Ok(())
}

/// What a client asks for: object, method, arguments and those with names.
type Request = (Option<String>, String, Vec<Object>, Object);

/// Serves what the next two connections ask for as our servers do, and tells what that is.
fn serve_two(listener: &Listener, tell: &Sender<Request>) -> Result<(), Failure> {
    for _ in 0..2 {
        let (client, tell): (Connection<()>, _) = (listener.accept()?, tell.clone());
        thread::spawn(move || -> Result<(), Failure> {
            loop {
                let request: Request = client.recv_object()?;
                let done = |_| Object::from(("#RETURN", 7));
                let result = match &*request.1 {
                    "accept_connection" => Object::from([("multiproc", Object::from(1))]),
                    "#SESSION" => "session".into(),
                    "create" => ("1", Object::Tuple(vec![])).into(),
                    "#BATCH" => Object::List(request.2.iter().map(done).collect()),
                    _ => continue,
                };
                // Nobody may want to know.
                let _ = tell.send(request);
                client.send_object(&("#RETURN", result))?;
            }
        });
    }
    Ok(())
}

fn batch_is_one_request() -> TestResult {
    let listener = Listener::builder().authkey("k").bind()?;
    let address = listener.address().clone();
    let (tell, told) = mpsc::channel();
    let serving = thread::spawn(move || serve_two(&listener, &tell));
    let manager = BaseManager::builder().address(&address).authkey("k").connect()?;
    let proxy = manager.create("anything", ())?;
    serving.join().unwrap()?;
    while told.try_recv().is_ok() {}
    let calls = (0..100).try_fold(Batch::new(), |batch, n| batch.call(&proxy, "append", (n,)))?;
    let results = calls.run()?;
    assert!(results.into_iter().all(|result| result.unwrap().as_int() == Some(7)));
    let (ident, method, args, _) = told.try_recv()?;
    assert_eq!((ident, &*method, args.len()), (None, "#BATCH", 100));
    assert!(told.try_recv().is_err());
    Ok(())
}

/// Says nothing to the third one.
fn serve_two_only(listener: &Listener) -> Result<(), Failure> {
    serve_two(listener, &mpsc::channel().0)?;
    let silent: Connection<()> = listener.accept()?;
    // Until the one who asks gives up.
    while silent.recv_bytes().is_ok() {}
    Ok(())
}

fn server_that_says_nothing_holds_up_no_fork() -> TestResult {
    let listener = Listener::builder().authkey("k").bind()?;
    let address = listener.address().clone();
    let serving = thread::spawn(move || serve_two_only(&listener));
    let manager = BaseManager::builder().address(&address).authkey("k").connect()?;
    let proxy = manager.create("anything", ())?;
    // The server would be asked for what the child inherits.
    let child = Context::fork().allow_threads().start(|| 7, ())?;
    assert_eq!(child.result()?, 7);
    drop(proxy);
    drop(manager);
    serving.join().unwrap()?;
    Ok(())
}

// parity: proxy.key-travels-at-spawn-only
fn key_of_a_process_is_what_it_was_started_with() -> TestResult {
    let manager = Manager::builder().authkey("of its own").start()?;
    let list = manager.create("list", (vec![1],))?;
    let with_key = multiproc::Process::builder().authkey("of its own");
    assert_eq!(with_key.start(length, (list.clone(),))?.result()??, 1);
    let without = multiproc::Process::builder().start(length, (list.clone(),))?;
    assert!(without.result().is_err(), "a proxy carries no key");
    Ok(())
}

fn length(list: Proxy) -> Result<usize, Failure> {
    Ok(list.call("__len__", ())?)
}
