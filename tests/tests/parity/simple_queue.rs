//! Area `simple_queue`.

use multiproc::{
    Context, Failure, SimpleQueue,
    queue::{GetError, PutError},
};
use multiproc_tests::{TestResult, each_start_method, once};

once! { closed_both_ways, order_is_kept }
each_start_method! { emptiness_is_seen_by_all, many_users_share_it }

// parity: simple_queue.empty-after-close, simple_queue.close-twice, simple_queue.close-both-ends
fn closed_both_ways() -> TestResult {
    for used in [false, true] {
        let q = SimpleQueue::<u32>::new()?;
        if used {
            q.put(1)?;
        }
        q.close();
        q.close();
        assert!(q.is_empty().is_err());
        assert!(matches!(q.put(2), Err(PutError::Closed(2))));
        assert!(matches!(q.get(), Err(GetError::Closed)));
    }
    Ok(())
}

// parity: simple_queue.put-get-order, simple_queue.put-synchronous
fn order_is_kept() -> TestResult {
    let q = SimpleQueue::<Option<String>>::new()?;
    let threads = multiproc_tests::procfs::threads();
    let items = [Some("one".to_owned()), None, Some("three".into())];
    for item in items.clone() {
        q.put(item)?;
    }
    assert!(multiproc_tests::procfs::threads() <= threads + 64, "no thread of its own");
    for item in items {
        assert_eq!(q.get()?, item);
    }
    Ok(())
}

// parity: simple_queue.empty-across-processes
fn emptiness_is_seen_by_all(ctx: &Context) -> TestResult {
    let q = SimpleQueue::<bool>::new()?;
    assert!(q.is_empty()?);
    ctx.start(say_empty_twice, (q.clone(),))?.result()??;
    assert!(!q.is_empty()?);
    assert_eq!((q.get()?, q.get()?), (true, false));
    assert!(q.is_empty()?);
    Ok(())
}

fn say_empty_twice(q: SimpleQueue<bool>) -> Result<(), Failure> {
    q.put(q.is_empty()?)?;
    q.put(q.is_empty()?)?;
    Ok(())
}

// parity: simple_queue.concurrent-users
fn many_users_share_it(ctx: &Context) -> TestResult {
    let (there, back) = (SimpleQueue::<Vec<u32>>::new()?, SimpleQueue::<Vec<u32>>::new()?);
    let children: Vec<_> =
        (0..4).map(|_| ctx.start(echo, (there.clone(), back.clone()))).collect::<Result<_, _>>()?;
    std::thread::scope(|scope| {
        for putter in 0..2 {
            let there = &there;
            scope.spawn(move || {
                for length in 0..500 {
                    there.put(vec![putter * 1000 + length; length as usize]).unwrap();
                }
            });
        }
        for _ in 0..1000 {
            let item = back.get().unwrap();
            assert!(item.iter().all(|word| (*word % 1000) as usize == item.len()));
        }
    });
    for _ in &children {
        there.put(vec![u32::MAX])?;
    }
    for child in children {
        child.result()??;
    }
    Ok(())
}

fn echo(there: SimpleQueue<Vec<u32>>, back: SimpleQueue<Vec<u32>>) -> Result<(), Failure> {
    loop {
        match there.get()? {
            item if item == [u32::MAX] => return Ok(()),
            item => back.put(item)?,
        }
    }
}
