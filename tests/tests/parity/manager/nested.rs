//! Proxies in shared objects, taken out of them and copied.

use std::thread;

use multiproc::{
    Manager,
    managers::{Batch, CallError, ListProxy, Proxy, TypedProxy, pickle::Object},
};
use multiproc_tests::{TestResult, once};

once! {
    what_is_taken_out_is_there_for_its_taker,
    what_was_copied_is_there_though_others_remove_it,
    batch_takes_out_what_is_there,
}

/// A list that only what it is put into refers to.
fn inner(manager: &Manager) -> Result<ListProxy<i64>, CallError> {
    manager.list([7])
}

/// A child that another test forks meanwhile refers to what this process refers to.
fn until_there_are(manager: &Manager, count: usize) -> TestResult {
    while manager.number_of_objects()? != count {
        thread::yield_now();
    }
    Ok(())
}

fn what_is_taken_out_is_there_for_its_taker() -> TestResult {
    let manager = Manager::start()?;
    type Inner = ListProxy<i64>;
    let (queue, list) = (manager.queue::<Inner>(0)?, manager.list::<Inner>([])?);
    let (dict, set) = (manager.dict::<String, Inner>([])?, manager.set::<Inner>([])?);
    queue.put(&inner(&manager)?)?;
    assert_eq!(queue.get()?.to_vec()?, [7]);
    list.extend([inner(&manager)?, inner(&manager)?])?;
    assert_eq!(list.pop()?.to_vec()?, [7]);
    assert_eq!(list.pop_at(0)?.to_vec()?, [7]);
    dict.set("x", &inner(&manager)?)?;
    assert_eq!(dict.pop("x")?.to_vec()?, [7]);
    dict.set("x", &inner(&manager)?)?;
    assert_eq!(dict.pop_item()?.1.to_vec()?, [7]);
    set.add(&inner(&manager)?)?;
    assert_eq!(set.pop()?.to_vec()?, [7]);
    // In a connection that waits for it, too.
    let waiting = queue.clone();
    let waiter = thread::spawn(move || waiting.get()?.to_vec());
    queue.put(&inner(&manager)?)?;
    assert_eq!(waiter.join().unwrap()?, [7]);
    // Nothing is kept longer than until the taker has it.
    until_there_are(&manager, 4)
}

fn what_was_copied_is_there_though_others_remove_it() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list([inner(&manager)?, inner(&manager)?])?;
    // The answers are here, and nobody has looked at them yet.
    let one = list.as_proxy().call_method("__getitem__", (0,))?;
    let other = list.clone();
    thread::spawn(move || other.clear()).join().unwrap()?;
    assert_eq!(found(&one)?.to_vec()?, [7]);
    list.extend([inner(&manager)?, inner(&manager)?])?;
    let all = list.as_proxy().get_value::<Object>()?;
    let other = list.clone();
    thread::spawn(move || other.clear()).join().unwrap()?;
    let all: Vec<ListProxy<i64>> =
        all.as_list().unwrap_or_default().iter().map(found).collect::<Result<_, _>>()?;
    assert_eq!(all.len(), 2);
    for each in &all {
        assert_eq!(each.to_vec()?, [7]);
    }
    drop(all);
    until_there_are(&manager, 1)
}

fn found(object: &Object) -> Result<ListProxy<i64>, CallError> {
    Ok(Proxy::from_object(object)?.into())
}

fn batch_takes_out_what_is_there() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list([inner(&manager)?, inner(&manager)?])?;
    let taken = Batch::new().call(&list, "pop", ())?.call(&list, "pop", ())?.run()?;
    let taken: Vec<_> =
        taken.into_iter().map(|each| found(&each?)).collect::<Result<_, CallError>>()?;
    for each in &taken {
        assert_eq!(each.to_vec()?, [7]);
    }
    until_there_are(&manager, 3)
}
