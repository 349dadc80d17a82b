//! Queues, pipes, listeners.

use multiproc::{
    Connection, Context, Failure, FnRef, Queue,
    connection::{Address, Client, Listener},
    pipe,
};
use multiproc_tests::{TestResult, each_start_method, once};
use serde::{Deserialize, Serialize};

each_start_method! {
    list_goes_through_a_queue, list_goes_through_a_pipe, client_hears_what_the_listener_sends, workers_end_on_stop_items,
}
once! { lists_and_bytes_go_both_ways }

/// What Python writes `42`, `None` and `'hello'`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Number(i64),
    None,
    Text(String),
}

fn items() -> Vec<Item> {
    vec![Item::Number(42), Item::None, Item::Text("hello".into())]
}

// parity: docs_example.queue-list
fn list_goes_through_a_queue(ctx: &Context) -> TestResult {
    let q = Queue::<Vec<Item>>::new()?;
    let put = |q: Queue<Vec<Item>>| -> Result<(), Failure> { Ok(q.put(items())?) };
    let child = ctx.start(put, (q.clone(),))?;
    assert_eq!(q.get()?, items());
    Ok(child.result()??)
}

// parity: docs_example.pipe-list
fn list_goes_through_a_pipe(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), Vec<Item>>()?;
    let send = |end: Connection<Vec<Item>, ()>| -> Result<(), Failure> { Ok(end.send(&items())?) };
    let child = ctx.start(send, (theirs,))?;
    assert_eq!(ours.recv()?, items());
    Ok(child.result()??)
}

/// Integers as Python's `array('i', …)` holds them.
fn bytes_of(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

// parity: docs_example.connection-tour
fn lists_and_bytes_go_both_ways() -> TestResult {
    let (a, b) = pipe::<Vec<Item>, Vec<Item>>()?;
    b.send(&items())?;
    assert_eq!(a.recv()?, items());
    a.send_bytes(b"thank you")?;
    assert_eq!(b.recv_bytes()?, b"thank you");
    a.send_bytes(&bytes_of(&[0, 1, 2, 3, 4]))?;
    let mut buffer = bytes_of(&[0; 10]);
    assert_eq!(b.recv_bytes_into(&mut buffer)?, 20);
    assert_eq!(buffer, bytes_of(&[0, 1, 2, 3, 4, 0, 0, 0, 0, 0]));
    Ok(())
}

// parity: docs_example.listener-client
fn client_hears_what_the_listener_sends(ctx: &Context) -> TestResult {
    // Any port but 6000, which another program may have.
    let address: Address = "127.0.0.1:0".parse()?;
    let listener = Listener::builder().address(address).authkey("secret password").bind()?;
    let child = ctx.start(listen_to, (listener.address().to_string(),))?;
    let connection: Connection<(f64, Option<u8>, i64), ()> = listener.accept()?;
    connection.send(&(2.25, None, 5))?;
    connection.send_bytes(b"hello")?;
    connection.send_bytes(&bytes_of(&[42, 1729]))?;
    Ok(child.result()??)
}

fn listen_to(address: String) -> Result<(), Failure> {
    let client = Client::builder().authkey("secret password");
    let connection: Connection<(), (f64, Option<u8>, i64)> =
        client.connect(address.parse::<Address>()?)?;
    assert_eq!(connection.recv()?, (2.25, None, 5));
    assert_eq!(connection.recv_bytes()?, b"hello");
    let mut buffer = bytes_of(&[0; 5]);
    assert_eq!(connection.recv_bytes_into(&mut buffer)?, 8);
    assert_eq!(buffer, bytes_of(&[42, 1729, 0, 0, 0]));
    Ok(())
}

/// A function with its arguments; none is Python's item `'STOP'`.
type Task = Option<(FnRef<(i64, i64), i64>, (i64, i64))>;

// parity: docs_example.queue-workers
fn workers_end_on_stop_items(ctx: &Context) -> TestResult {
    let (tasks, done) = (Queue::<Task>::new()?, Queue::<i64>::new()?);
    tasks.put_many((0..20).map(|i| Some((FnRef::new(|a, b| a * b), (i, 7)))))?;
    let workers: Vec<_> =
        (0..4).map(|_| ctx.start(work, (tasks.clone(), done.clone()))).collect::<Result<_, _>>()?;
    let take = |count| -> Result<Vec<i64>, Failure> {
        let mut all = (0..count).map(|_| done.get()).collect::<Result<Vec<_>, _>>()?;
        all.sort_unstable();
        Ok(all)
    };
    assert!(take(20)?.into_iter().eq((0..20).map(|i| i * 7)));
    tasks.put_many((0..10).map(|i| Some((FnRef::new(|a, b| a + b), (i, 8)))))?;
    assert!(take(10)?.into_iter().eq((0..10).map(|i| i + 8)));
    tasks.put_many((0..4).map(|_| None))?;
    for worker in workers {
        worker.result()??;
        assert_eq!(worker.exitcode(), Some(0));
    }
    Ok(())
}

fn work(tasks: Queue<Task>, done: Queue<i64>) -> Result<(), Failure> {
    while let Some((function, arguments)) = tasks.get()? {
        done.put(function.call(arguments))?;
    }
    Ok(())
}
