//! What is in the memory, byte for byte, and what happens when that is nonsense.

use proptest::prelude::*;

use super::*;
use crate::ShmError;

fn list(items: Vec<Item>) -> ShareableList {
    let list = ShareableList::builder().track(false).create(items).unwrap();
    list.memory.unlink().unwrap();
    list
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// A list in memory that holds these bytes.
fn from_bytes(bytes: &[u8]) -> Result<ShareableList, ListError> {
    let memory = crate::Builder::default().track(false).create_holding(None, bytes).unwrap();
    memory.unlink().unwrap();
    ShareableList::from_memory(memory)
}

fn six_kinds() -> Vec<Item> {
    vec![1.into(), 2.5.into(), true.into(), "eight123".into(), b"b".into(), Item::None]
}

// parity: shareable_list.layout, shareable_list.slot-size
#[test]
fn layout_is_that_of_python() {
    let tables = [
        b"q\0\0\0\0\0\0\0d\0\0\0\0\0\0\0xxxxxxx?16s\0\0\0\0\08s\0\0\0\0\0\0xxxxxx?x".as_slice(),
        &[0, 0, 0, 1, 2, 3],
    ];
    let data = [
        &words(&[1, 2.5f64.to_bits()]),
        b"\0\0\0\0\0\0\0\x01eight123\0\0\0\0\0\0\0\0b\0\0\0\0\0\0\0".as_slice(),
        &[0; 8],
    ];
    let expected =
        [&words(&[6, 0, 8, 16, 24, 40, 48, 56])[..], &data.concat(), &tables.concat()].concat();
    assert_eq!(list(six_kinds()).memory.buf().to_vec(), expected);

    let old = ShareableList::builder().track(false).for_python_3_8().create(six_kinds()).unwrap();
    old.memory.unlink().unwrap();
    let expected = [&words(&[6, 8, 8, 8, 16, 8, 8])[..], &data.concat(), &tables.concat()].concat();
    assert_eq!(old.memory.buf().to_vec(), expected);
}

#[test]
fn both_layouts_are_told_apart_and_read() {
    for old in [false, true] {
        for items in [vec![], vec![Item::Int(0)], vec![Item::from("")], six_kinds()] {
            let mut builder = ShareableList::builder().track(false);
            if old {
                builder = builder.for_python_3_8();
            }
            let made = builder.create(&items).unwrap();
            let opened = ShareableList::open(made.memory.name()).unwrap();
            made.memory.unlink().unwrap();
            assert_eq!(opened.to_vec().unwrap(), items);
            assert_eq!(opened.format().unwrap(), made.format().unwrap());
        }
    }
}

#[test]
fn text_that_is_not_ascii_has_room() {
    let list = list(vec!["ääääääää".into()]);
    assert_eq!(list.format().unwrap(), "24s");
    assert_eq!(list.get(0).unwrap(), Item::from("ääääääää"));
}

#[test]
fn too_long_for_any_list_is_an_error() {
    let longest = vec![1; layout::LONGEST];
    let err = ShareableList::builder().track(false).create([[&longest[..], &[1]].concat()]);
    assert!(matches!(err, Err(ListError::TooLarge { room: layout::LONGEST, .. })), "{err:?}");
    assert_eq!(list(vec![longest.clone().into()]).get(0).unwrap(), Item::Bytes(longest));
}

#[test]
fn memory_without_a_list_is_refused() {
    let cases: [&[u64]; 8] = [
        &[1],
        &[u64::MAX],
        &[u64::MAX / 2, 0, 0],
        &[1, 0, u64::MAX, 0, 0],
        &[2, 0, 16, 8, 0, 0, 0, 0, 0, 0],
        &[1, u64::MAX, 0, 0, 0],
        &[2, u64::MAX - 7, 16, 0, 0, 0, 0, 0, 0],
        &[2, 0, 8, 16, 0, 0],
    ];
    for case in cases {
        let result = from_bytes(&words(case));
        assert!(matches!(result, Err(ListError::Malformed { .. })), "{case:?} {result:?}");
    }
    assert!(matches!(from_bytes(b"short"), Err(ListError::Malformed { .. })));
    assert!(matches!(
        ShareableList::open(""),
        Err(ListError::Memory(ShmError::InvalidName { .. }))
    ));
}

#[test]
fn damaged_items_are_errors_and_can_be_set_again() {
    let list = list(six_kinds());
    let bytes = list.memory.buf();
    for index in 0..6 {
        let slot = list.layout.slot(index).unwrap();
        let index = index as isize;
        let before = list.get(index).unwrap();
        for (format, kind) in [(&b"9999999s"[..], 1u8), (b"zzz", 0), (b"q", 1), (b"", 2), (b"q", 9)]
        {
            bytes.set(slot.format, &[0u8; 8]).unwrap();
            bytes.write(slot.format, format).unwrap();
            bytes.set(slot.kind, &kind).unwrap();
            assert!(matches!(list.get(index), Err(ListError::Malformed { .. })));
            assert!(list.to_vec().is_err() && format!("{list:?}").contains("no intact list"));
        }
        list.set(index, before.clone()).unwrap();
        assert_eq!(list.get(index).unwrap(), before);
    }
    let text = list.layout.slot(3).unwrap();
    bytes.write(text.data, &[0xff, 0xfe]).unwrap();
    assert!(matches!(list.get(3), Err(ListError::Malformed { what: "a text is not UTF-8", .. })));
}

fn any_item() -> impl Strategy<Value = Item> {
    prop_oneof![
        any::<i64>().prop_map(Item::from),
        any::<f64>().prop_filter("not equal to itself", |x| !x.is_nan()).prop_map(Item::from),
        any::<bool>().prop_map(Item::from),
        "[^\0]{0,40}".prop_map(Item::from),
        prop::collection::vec(1..=255u8, 0..40).prop_map(Item::from),
        Just(Item::None),
    ]
}

proptest! {
    #[test]
    fn any_items_come_back(items in prop::collection::vec(any_item(), 0..12)) {
        prop_assert_eq!(list(items.clone()).to_vec().unwrap(), items);
    }

    #[test]
    fn garbage_is_refused_or_read_and_never_worse(
        count in 0..6u64,
        words in prop::collection::vec(prop_oneof![0..64u64, any::<u64>()], 0..20),
        tail in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let bytes = [self::words(&[count]), self::words(&words), tail].concat();
        if let Ok(list) = from_bytes(&bytes) {
            for index in 0..list.len() as isize {
                let _ = list.get(index);
                let _ = list.set(index, "text");
                let _ = list.set(index, 5);
            }
            let _ = list.format();
        }
    }
}
