//! Lists, dicts, sets, namespaces, values and arrays.

use std::collections::BTreeMap;

use multiproc::{
    Context, Failure, Manager,
    managers::{
        ArrayProxy, Batch, DictProxy, ListProxy, NamespaceProxy, QueueProxy, TypedProxy,
        ValueProxy, pickle::Object,
    },
};
use multiproc_tests::{TestResult, each_start_method, once};

once! {
    long_values_arrive_whole_and_as_they_are_now,
    dict_is_merged_into_a_copy,
    list_has_slices_repetition_and_concatenation,
    list_has_the_methods_of_a_list,
    inner_lists_stay_live,
    inner_lists_are_independent,
    dict_copies_keys_values_and_items,
    dict_is_gone_through_in_order,
    inner_dicts_are_live_both_ways,
    nested_queue_works,
    set_has_what_sets_have,
    namespace_has_names,
    value_and_array_show_their_type,
    plain_values_are_copies,
    keys_are_equal_as_in_python,
    changes_on_the_server_are_atomic,
    batch_is_one_round_trip,
}

each_start_method! {
    list_in_a_child,
    dict_in_a_child,
    value_array_and_namespace_in_a_child,
}

// parity: manager.list-basics
fn list_has_slices_repetition_and_concatenation() -> TestResult {
    let manager = Manager::start()?;
    let a = manager.list(0..10i64)?;
    let b = manager.list::<i64>([])?;
    assert_eq!(b.len()?, 0);
    b.extend(0..5)?;
    assert_eq!(b.to_vec()?, [0, 1, 2, 3, 4]);
    assert_eq!(b.get(2)?, 2);
    assert_eq!(b.slice(2, 10)?, [2, 3, 4]);
    b.repeat(2)?;
    assert_eq!(b.to_vec()?, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    assert_eq!(b.concat([5, 6])?, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(a.to_vec()?, (0..10).collect::<Vec<_>>());
    assert_eq!(a.slice_step(None, None, -3)?, [9, 6, 3, 0]);
    assert_eq!(a.reversed()?[0], 9);
    assert_eq!(manager.list([1, 2])?.repeated(2)?, [1, 2, 1, 2]);
    a.set_slice(0, 8, ["x"; 0].map(|_| 0))?;
    a.insert(0, 7)?;
    a.delete(-1)?;
    assert_eq!(a.to_vec()?, [7, 8]);
    a.delete_slice(0, None)?;
    assert!(a.is_empty()?);
    assert!(a.pop().unwrap_err().is_raised("IndexError"));
    assert!(a.remove(&1).unwrap_err().is_raised("ValueError"));
    a.extend([1, 2])?;
    a.clear()?;
    assert!(a.is_empty()?);
    Ok(())
}

// DIFFERENCE: it can be cleared and copied, as Python's can since 3.14.
// parity: proxy.list-methods
fn list_has_the_methods_of_a_list() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list([3i64, 1])?;
    list.append(2)?;
    list.extend([1, 5])?;
    list.insert(1, 4)?;
    assert_eq!(list.to_vec()?, [3, 4, 1, 2, 1, 5]);
    assert_eq!((list.len()?, list.get(-1)?, list.slice(1, 3)?), (6, 5, vec![4, 1]));
    assert_eq!((list.contains(&4)?, list.contains(&6)?), (true, false));
    assert_eq!((list.count(&1)?, list.count(&6)?, list.index(&1)?), (2, 0, 2));
    assert!(list.index(&6).unwrap_err().is_raised("ValueError"));
    list.set(0, 9)?;
    list.delete(1)?;
    list.remove(&1)?;
    assert_eq!((list.pop()?, list.pop_at(1)?), (5, 2));
    assert_eq!(list.to_vec()?, [9, 1]);
    assert_eq!((list.concat([7])?, list.repeated(2)?), (vec![9, 1, 7], vec![9, 1, 9, 1]));
    list.repeat(2)?;
    list.reverse()?;
    assert_eq!((list.to_vec()?, list.reversed()?), (vec![1, 9, 1, 9], vec![9, 1, 9, 1]));
    list.sort()?;
    assert_eq!(list.to_vec()?, [1, 1, 9, 9]);
    list.sort_reverse()?;
    assert_eq!(list.to_vec()?, [9, 9, 1, 1]);
    let copy: Vec<i64> = list.as_proxy().call("copy", ())?;
    list.clear()?;
    assert!(list.is_empty()?);
    assert_eq!(copy, [9, 9, 1, 1]);
    Ok(())
}

// parity: manager.list-of-lists-live, proxy.nested-access, proxy.nested-text
fn inner_lists_stay_live() -> TestResult {
    let manager = Manager::start()?;
    let (a, b) = (manager.list::<ListProxy<String>>([])?, manager.list::<String>([])?);
    a.append(&b)?;
    let text = a.to_string();
    assert!(text.starts_with("[<ListProxy object, typeid 'list' at 0x"), "{text}");
    assert_eq!(b.to_string(), "[]");
    b.append("hello")?;
    assert_eq!(a.get(0)?.get(0)?, "hello");
    assert_eq!(a.get(0)?.to_string(), b.to_string());
    Ok(())
}

// parity: manager.list-proxy-in-list
fn inner_lists_are_independent() -> TestResult {
    let manager = Manager::start()?;
    let lists: Vec<_> = (0..3).map(|_| manager.list(0..5i64)).collect::<Result<_, _>>()?;
    let outer = manager.list(lists)?;
    outer.get(0)?.set(-1, 55)?;
    assert_eq!(outer.get(0)?.to_vec()?, [0, 1, 2, 3, 55]);
    for at in 1..3 {
        assert_eq!(outer.get(at)?.to_vec()?, [0, 1, 2, 3, 4]);
    }
    assert_eq!(outer.get(1)?.pop()?, 4);
    assert_eq!((outer.get(1)?.len()?, outer.get(2)?.len()?), (4, 5));
    Ok(())
}

// parity: manager.dict-basics, proxy.dict-methods
fn dict_copies_keys_values_and_items() -> TestResult {
    let manager = Manager::start()?;
    let dict = manager.dict::<i64, String>([])?;
    let letters = || (65..70u8).map(|code| (i64::from(code), char::from(code).to_string()));
    for (code, letter) in letters() {
        dict.set(&code, &letter)?;
    }
    let copy = dict.as_proxy().call_method("copy", ())?;
    assert_eq!(copy.to_string(), "{65: 'A', 66: 'B', 67: 'C', 68: 'D', 69: 'E'}");
    assert_eq!(dict.keys()?, (65..70).collect::<Vec<_>>());
    assert_eq!(dict.values()?, ["A", "B", "C", "D", "E"]);
    assert_eq!(dict.items()?, letters().collect::<Vec<_>>());
    assert!(dict.contains_key(&65)? && !dict.contains_key(&1)?);
    assert_eq!(dict.pop(&65)?, "A");
    assert_eq!(dict.pop_or(&65, "z".into())?, "z");
    assert_eq!(dict.pop_item()?, (69, "E".into()));
    assert_eq!(dict.set_default(&1, &"one".into())?, "one");
    dict.update([(2, "two"), (1, "1")])?;
    assert_eq!((dict.get(&1)?, dict.get(&99)?), (Some("1".into()), None));
    dict.delete(&1)?;
    assert!(dict.delete(&1).unwrap_err().is_raised("KeyError"));
    dict.clear()?;
    assert!(dict.is_empty()?);
    Ok(())
}

// parity: manager.dict-iter, proxy.iterator-proxy
fn dict_is_gone_through_in_order() -> TestResult {
    let manager = Manager::start()?;
    let dict = manager.dict((65..70).map(|code| (code, 0)))?;
    let mut keys = dict.iter()?;
    for code in 65..70 {
        assert_eq!(keys.next().ok_or("too few")??, code);
    }
    assert!(keys.next().is_none());
    let keys = dict.iter()?;
    keys.close()?;
    assert_eq!(keys.count(), 0);
    Ok(())
}

// parity: manager.dict-nested-live
fn inner_dicts_are_live_both_ways() -> TestResult {
    let manager = Manager::start()?;
    let pets = manager.dict::<String, DictProxy<String, i64>>([])?;
    let inner = manager.dict([("ferrets".to_owned(), 2i64)])?;
    pets.set("dogs", &inner)?;
    inner.set("hamsters", &4)?;
    assert_eq!(pets.get_item("dogs")?.get("hamsters")?, Some(4));
    pets.get_item("dogs")?.set("ferrets", &3)?;
    assert_eq!(inner.get("ferrets")?, Some(3));
    drop(inner);
    assert_eq!(pets.get_item("dogs")?.len()?, 2, "what a shared object refers to stays");
    Ok(())
}

// parity: manager.nested-queue
fn nested_queue_works() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list([manager.queue::<i64>(0)?])?;
    list.get(0)?.put(&123)?;
    assert_eq!(list.get(0)?.get()?, 123);
    let dict = manager.dict::<String, QueueProxy<i64>>([])?;
    dict.set("queue", &manager.queue::<i64>(0)?)?;
    dict.get_item("queue")?.put(&456)?;
    assert_eq!(dict.get_item("queue")?.get()?, 456);
    Ok(())
}

fn set_has_what_sets_have() -> TestResult {
    let manager = Manager::start()?;
    let set = manager.set([1, 2, 3])?;
    set.add(&4)?;
    set.discard(&9)?;
    assert!(set.remove(&9).unwrap_err().is_raised("KeyError"));
    assert_eq!(set.union([9])?, [1, 2, 3, 4, 9]);
    assert_eq!(set.difference([1])?, [2, 3, 4]);
    assert_eq!(set.symmetric_difference([1, 9])?, [2, 3, 4, 9]);
    assert!(set.is_subset(0..9)? && set.is_superset([1])? && set.is_disjoint([7])?);
    set.intersection_update([2, 3])?;
    assert_eq!(set.to_vec()?, [2, 3]);
    assert!(set.add(&vec![1]).unwrap_err().is_raised("TypeError"));
    Ok(())
}

// parity: manager.namespace, manager.namespace-underscore-local
fn namespace_has_names() -> TestResult {
    let manager = Manager::start()?;
    let namespace = manager.namespace([("x", 0)])?;
    namespace.set("name", "Bob")?;
    namespace.set("job", "Builder")?;
    namespace.delete("job")?;
    namespace.delete("x")?;
    assert!(namespace.get::<Object>("job").unwrap_err().is_raised("AttributeError"));
    assert!(namespace.set("_hidden", "hidden").unwrap_err().is_raised("AttributeError"));
    assert_eq!(namespace.to_string(), "Namespace(name='Bob')");
    assert_eq!(namespace.get::<String>("name")?, "Bob");
    Ok(())
}

// parity: manager.value-array-text
fn value_and_array_show_their_type() -> TestResult {
    let manager = Manager::start()?;
    let value = manager.value(7i32)?;
    assert_eq!(value.to_string(), "Value('i', 7)");
    value.as_proxy().call_method("set", ("seven",))?;
    assert_eq!(value.to_string(), "Value('i', 'seven')");
    let array = manager.array([0i32, 1])?;
    let wrong = array.as_proxy().call_method("__setitem__", (0, "x")).unwrap_err();
    assert!(wrong.is_raised("TypeError"), "{wrong}");
    let wrong = array.as_proxy().call_method("__setitem__", (0, 1i64 << 40)).unwrap_err();
    assert!(wrong.is_raised("OverflowError"), "{wrong}");
    assert_eq!(array.to_string(), "array('i', [0, 1])");
    Ok(())
}

// parity: proxy.plain-mutation-lost
fn plain_values_are_copies() -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list([vec![1]])?;
    let mut inner = list.get(0)?;
    inner.push(2);
    assert_eq!(list.get(0)?, [1]);
    list.set(0, inner)?;
    assert_eq!(list.get(0)?, [1, 2]);
    Ok(())
}

fn keys_are_equal_as_in_python() -> TestResult {
    let manager = Manager::start()?;
    let dict = manager.dict::<Object, Object>([])?;
    dict.set(&1, "1")?;
    dict.set("2", &2)?;
    dict.set(&0.25, &())?;
    dict.set(&true, "one")?;
    assert_eq!(dict.to_string(), "{1: 'one', '2': 2, 0.25: None}");
    assert!(dict.set(&vec![1], &1).unwrap_err().is_raised("TypeError"));
    Ok(())
}

// complaint: 22
fn changes_on_the_server_are_atomic() -> TestResult {
    let manager = Manager::start()?;
    let dict = manager.dict([("n".to_owned(), 0i64)])?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| -> Result<(), multiproc::managers::CallError> {
                    for _ in 0..50 {
                        dict.update_with("n", |n: Option<i64>| n.unwrap_or(0) + 1)?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())
    })?;
    assert_eq!(dict.get("n")?, Some(200));
    assert!(!dict.compare_and_set("n", Some(&1), Some(&2))?);
    assert!(dict.compare_and_set("n", Some(&200), None)?);
    assert!(dict.compare_and_set("n", None, Some(&7))?);
    assert_eq!(dict.get("n")?, Some(7));
    Ok(())
}

fn batch_is_one_round_trip() -> TestResult {
    use multiproc::managers::Batch;
    let manager = Manager::start()?;
    let (list, dict) = (manager.list::<i64>([])?, manager.dict::<String, i64>([])?);
    let mut batch = Batch::new();
    for n in 0..100 {
        batch = batch.call(&list, "append", (n,))?;
    }
    let results = batch.call(&dict, "__getitem__", ("x",))?.call(&list, "__len__", ())?.run()?;
    assert_eq!(results.len(), 102);
    assert!(results[100].as_ref().unwrap_err().is_raised("KeyError"));
    assert_eq!(results[101].as_ref().unwrap().as_int(), Some(100));
    Ok(())
}

// parity: manager.types-list
fn list_in_a_child(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let list = manager.list([1, 2, 0])?;
    let child = ctx.start(use_list, (list.clone(),))?;
    child.result()??;
    assert_eq!(list.len()?, 0);
    Ok(())
}

fn use_list(list: ListProxy<i64>) -> Result<(), Failure> {
    assert_eq!((list.get(0)?, list.get(1)?, list.len()?), (1, 2, 3));
    list.sort()?;
    assert_eq!(list.to_vec()?, [0, 1, 2]);
    list.reverse()?;
    assert_eq!(list.iter().collect::<Result<Vec<_>, _>>()?, [2, 1, 0]);
    assert_eq!((list.count(&1)?, list.index(&1)?, list.contains(&5)?), (1, 1, false));
    assert_eq!((list.pop()?, list.pop_at(0)?, list.pop()?), (0, 2, 1));
    Ok(())
}

// parity: manager.types-dict
fn dict_in_a_child(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let dict = manager.dict([("a".to_owned(), 7i64)])?;
    ctx.start(use_dict, (dict.clone(),))?.result()??;
    assert_eq!(dict.len()?, 0);
    Ok(())
}

fn use_dict(dict: DictProxy<String, i64>) -> Result<(), Failure> {
    assert_eq!((dict.len()?, dict.get_item("a")?, dict.get("a")?), (1, 7, Some(7)));
    assert_eq!((dict.keys()?, dict.values()?), (vec!["a".to_owned()], vec![7]));
    assert_eq!(dict.items()?, [("a".to_owned(), 7)]);
    assert_eq!(dict.as_proxy().call::<_, BTreeMap<String, i64>>("copy", ())?["a"], 7);
    assert_eq!(dict.pop("a")?, 7);
    Ok(())
}

// parity: manager.types-value, manager.types-array, manager.types-namespace
fn value_array_and_namespace_in_a_child(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (value, array) = (manager.value(1i32)?, manager.array([0i32, 1])?);
    let namespace = manager.namespace([("x", 0), ("y", 1)])?;
    // All that refers to the last two goes to the child: there they are still alive.
    ctx.start(use_values, (value.clone(), array, namespace))?.result()??;
    assert_eq!(value.get()?, 2);
    Ok(())
}

fn use_values(
    value: ValueProxy<i32>,
    array: ArrayProxy<i32>,
    namespace: NamespaceProxy,
) -> Result<(), Failure> {
    value.set(&2)?;
    assert_eq!((array.get(0)?, array.get(1)?, array.len()?), (0, 1, 2));
    assert_eq!(array.to_vec()?, [0, 1]);
    assert_eq!((namespace.get::<i32>("x")?, namespace.get::<i32>("y")?), (0, 1));
    Ok(())
}

fn dict_is_merged_into_a_copy() -> TestResult {
    let manager = Manager::start()?;
    let item = |key: &str, value: i64| (key.to_owned(), value);
    let dict = manager.dict([item("a", 1), item("b", 2)])?;
    let merged = dict.merged([item("b", 3), item("c", 4)])?;
    assert_eq!(merged, [item("a", 1), item("b", 3), item("c", 4)]);
    assert_eq!(dict.items()?, [item("a", 1), item("b", 2)]);
    Ok(())
}

fn long_values_arrive_whole_and_as_they_are_now() -> TestResult {
    let manager = Manager::start()?;
    // Around what goes by way of a file, and beyond what goes in one piece.
    for length in [(256 << 10) - 1, 256 << 10, 3 << 20] {
        let bytes = Object::Bytes((0..length).map(|n| (n % 251) as u8).collect());
        let text = Object::Str("h\u{e5}".repeat(length / 3));
        for value in [bytes, text] {
            let cell = manager.value_of("c", &Object::None)?;
            let dict = manager.dict::<i64, Object>([(1, value.clone())])?;
            let list = manager.list::<Object>([Object::None])?;
            let namespace = manager.namespace([("x", value.clone())])?;
            cell.set(&value)?;
            list.set(0, &value)?;
            for _ in 0..2 {
                assert_eq!(cell.get()?, value);
                assert_eq!(dict.get(&1)?, Some(value.clone()));
                assert_eq!(dict.get_item(&1)?, value);
                assert_eq!(list.get(0)?, value);
                assert_eq!(namespace.get::<Object>("x")?, value);
            }
            let results = Batch::new().call(&cell, "get", ())?.call(&dict, "get", (1,))?.run()?;
            assert!(results.into_iter().all(|result| result.unwrap() == value));
            // Another value is not the file of the one before.
            let other = Object::Bytes(vec![9; length]);
            cell.set(&other)?;
            dict.set(&1, &other)?;
            assert_eq!((cell.get()?, dict.get_item(&1)?), (other.clone(), other));
            assert_eq!(list.get(0)?, value);
        }
    }
    // More of them than the server keeps files.
    let many = manager.dict::<i64, Object>([])?;
    let value = |n: i64| Object::Bytes(vec![n as u8; 300 << 10]);
    (0..100).try_for_each(|n| many.set(&n, &value(n)))?;
    for _ in 0..2 {
        for n in 0..100 {
            assert!(many.get_item(&n)? == value(n), "{n}");
        }
    }
    Ok(())
}
