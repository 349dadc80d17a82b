//! `ShareableList`, as Python's tests have it.

use multiproc::{
    Context, Failure,
    shared_memory::{Item, ListError, ShareableList, SharedMemory, ShmError},
    wire,
};
use multiproc_tests::{TestResult, each_start_method, once};

once! {
    items_are_read_counted_found_and_changed,
    item_that_does_not_fit_leaves_the_old_one,
    six_kinds_can_be_stored_and_no_other,
    zeroes_at_the_end_are_lost,
    copy_is_apart,
    opened_list_shares_its_items,
    list_in_a_message_shares_its_items,
    list_in_a_message_outlives_its_name,
}

each_start_method! { child_changes_items }

fn items() -> Vec<Item> {
    let (howdy, bytes) = ("howdy".into(), b"HoWdY".into());
    vec![howdy, bytes, (-273.154).into(), 100.into(), Item::None, true.into(), 42.into()]
}

/// Makes a list, whose name is gone when this returns, and passes it on.
fn with_list(items: Vec<Item>) -> Result<ShareableList, ListError> {
    let list = ShareableList::new(items)?;
    list.memory().unlink()?;
    Ok(list)
}

// parity: shareable_list.repr, shareable_list.format-string, shareable_list.same-type-keeps-format
// parity: shareable_list.index-and-count, shareable_list.read-all, shareable_list.type-change
// parity: shareable_list.index-range, shareable_list.negative-out-of-range
fn items_are_read_counted_found_and_changed() -> TestResult {
    let list = with_list(items())?;
    assert_eq!((list.len(), &*list.format()?), (7, "8s8sdqxxxxxx?xxxxxxxx?q"));
    let shown = format!("{list:?}");
    assert!(shown.contains("Str(\"howdy\"), ") && shown.contains(list.memory().name()), "{shown}");

    assert_eq!(list.get(0)?, Item::from("howdy"));
    assert_eq!(list.get(-2)?, Item::from(true));
    assert_eq!(list.get(-7)?, Item::from("howdy"));
    assert_eq!(list.to_vec()?, items());
    assert_eq!(list.iter().collect::<Result<Vec<_>, _>>()?, items());
    for index in [7, -8, isize::MAX, isize::MIN] {
        let (read, set) = (list.get(index).map(drop), list.set(index, 1));
        for result in [read, set] {
            assert!(matches!(result, Err(ListError::IndexOutOfRange { len: 7, .. })), "{index}");
        }
    }

    let format = list.format()?;
    list.set(3, 42)?;
    assert_eq!(list.format()?, format);
    assert_eq!((list.count(42)?, list.count(b"HoWdY")?, list.count(b"adios")?), (2, 1, 0));
    list.set(3, 100)?;
    assert_eq!(list.index(100)?, 3);
    assert!(matches!(list.index("100"), Err(ListError::Absent)));

    list.set(4, "some")?;
    assert_eq!((list.get(4)?, &*list.format()?), ("some".into(), "8s8sdq8sxxxxxxx?q"));
    list.set(4, Item::None)?;
    assert_eq!(list.to_vec()?, items());
    Ok(())
}

// parity: shareable_list.too-large-item
fn item_that_does_not_fit_leaves_the_old_one() -> TestResult {
    let list = with_list(items())?;
    for long in [Item::from("far too many"), b"123456789".into()] {
        let err = list.set(0, long).unwrap_err();
        assert!(matches!(err, ListError::TooLarge { room: 8, .. }));
        assert!(err.to_string().contains("exceeds available storage"), "{err}");
    }
    list.set(1, "12345678")?;
    assert_eq!((list.get(0)?, list.get(1)?), ("howdy".into(), "12345678".into()));
    Ok(())
}

// parity: shareable_list.unsupported-kind
fn six_kinds_can_be_stored_and_no_other() -> TestResult {
    // Others do not compile, and a match of these six is whole.
    for item in items() {
        match &item {
            Item::Int(_) | Item::Float(_) | Item::Bool(_) => {}
            Item::Str(_) | Item::Bytes(_) | Item::None => {}
        }
        let list = with_list(vec![item.clone()])?;
        assert_eq!(list.get(0)?, item);
        list.set(0, Item::None)?;
        list.set(0, item.clone())?;
        assert_eq!(list.get(0)?, item);
    }
    let empty = with_list(vec![])?;
    assert!(empty.is_empty() && empty.to_vec()?.is_empty() && empty.get(0).is_err());
    Ok(())
}

// parity: shareable_list.trailing-zeros-lost
fn zeroes_at_the_end_are_lost() -> TestResult {
    let list = with_list(vec!["a\0b\0\0".into(), b"\0\0".into()])?;
    assert_eq!(list.to_vec()?, ["a\0b".into(), Item::Bytes(vec![])]);
    Ok(())
}

// parity: shareable_list.duplicate
fn copy_is_apart() -> TestResult {
    let list = with_list(items())?;
    let name = format!("multiproc_copy_{}", std::process::id());
    let copy = ShareableList::new_named(&name, list.to_vec()?)?;
    copy.memory().unlink()?;
    assert_eq!(copy.memory().name(), name);
    assert_eq!((copy.to_vec()?, copy.format()?), (list.to_vec()?, list.format()?));
    copy.set(-1, 7)?;
    assert_eq!((list.get(-1)?, copy.get(-1)?), (42.into(), 7.into()));
    Ok(())
}

// parity: shareable_list.attach-by-name
fn opened_list_shares_its_items() -> TestResult {
    let list = ShareableList::new(items())?;
    let same = ShareableList::open(list.memory().name())?;
    same.set(-1, 880)?;
    assert_eq!(list.get(-1)?, 880.into());
    list.memory().unlink()?;

    let memory = SharedMemory::create(64)?;
    memory.buf().fill(0xff);
    let result = ShareableList::open(memory.name());
    memory.unlink()?;
    assert!(matches!(result, Err(ListError::Malformed { .. })));
    Ok(())
}

// parity: shareable_list.serialise
fn list_in_a_message_shares_its_items() -> TestResult {
    let list = with_list(items())?;
    let restored: ShareableList = wire::encode(&list)?.decode()?;
    assert_eq!(restored.to_vec()?, items());
    restored.set(0, "there")?;
    list.set(1, "back")?;
    assert_eq!((list.get(0)?, restored.get(1)?), ("there".into(), "back".into()));
    Ok(())
}

fn list_in_a_message_outlives_its_name() -> TestResult {
    let list = ShareableList::new(items())?;
    let message = wire::encode(&list)?;
    let name = list.memory().name().to_owned();
    list.memory().unlink()?;
    drop(list);
    assert_eq!(message.decode::<ShareableList>()?.to_vec()?, items());
    let result = ShareableList::open(&name);
    assert!(matches!(result, Err(ListError::Memory(ShmError::NotFound { .. }))));
    Ok(())
}

fn child_changes_items(ctx: &Context) -> TestResult {
    let list = with_list(items())?;
    let change = |list: ShareableList| -> Result<(), Failure> {
        list.set(0, list.len() as i64)?;
        Ok(())
    };
    ctx.start(change, (wire::encode(&list)?.decode::<ShareableList>()?,))?.result()??;
    assert_eq!(list.get(0)?, 7.into());
    Ok(())
}
