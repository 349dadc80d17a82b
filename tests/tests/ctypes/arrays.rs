//! `Array` and `RawArray`, as Python's tests have them.

use multiproc::{
    Array, Context, Failure, Lock, RLock, RawArray,
    sharedctypes::{AccessError, ArrayError},
};
use multiproc_tests::{TestResult, each_start_method, once};

once! {
    array_has_length_items_and_ranges,
    raw_array_has_length_items_and_ranges,
    items_that_are_not_there_are_errors,
    array_has_the_lock_that_it_is_given,
    arrays_of_characters_are_strings,
    arrays_of_nothing_are_fine,
    memory_that_was_used_before_is_zero,
    impossible_arrays_are_errors,
}

each_start_method! {
    child_makes_running_sums,
    child_makes_running_sums_in_a_raw_array,
    large_array_goes_with_a_message,
}

const SEQUENCE: [i32; 10] = [680, 626, 934, 821, 150, 233, 548, 982, 714, 831];

fn sums() -> Vec<i32> {
    let mut sums = SEQUENCE.to_vec();
    add_up(&mut sums);
    sums
}

fn add_up(items: &mut [i32]) {
    for at in 1..items.len() {
        items[at] += items[at - 1];
    }
}

// parity: value_array.array-basics, value_array.array-slice-assign
fn array_has_length_items_and_ranges() -> TestResult {
    let array = Array::from_iter(SEQUENCE)?;
    assert_eq!((array.len(), array.get(3)?), (SEQUENCE.len(), SEQUENCE[3]));
    assert_eq!(array.get_range(2..7)?, SEQUENCE[2..7]);
    assert_eq!(array.lock()?[2..=7], SEQUENCE[2..=7]);
    array.set_range(4..8, &[1, 2, 3, 4])?;
    let expected = [680, 626, 934, 821, 1, 2, 3, 4, 714, 831];
    assert_eq!(array.to_vec()?, expected);
    array.lock()?[4..8].copy_from_slice(&SEQUENCE[4..8]);
    assert_eq!(array.to_vec()?, SEQUENCE);
    assert_eq!(format!("{:?}", Array::from_slice(&[1, 2])?), "Array([1, 2])");
    Ok(())
}

// parity: value_array.raw-array
fn raw_array_has_length_items_and_ranges() -> TestResult {
    let array = RawArray::from_slice(&SEQUENCE)?;
    assert_eq!((array.len(), array.get(3)?), (SEQUENCE.len(), SEQUENCE[3]));
    assert_eq!(array.get_range(2..7)?, SEQUENCE[2..7]);
    array.set_range(4..8, &[1, 2, 3, 4])?;
    assert_eq!(array.to_vec(), [680, 626, 934, 821, 1, 2, 3, 4, 714, 831]);
    let mut middle = [0; 4];
    array.read(3, &mut middle)?;
    assert_eq!(middle, [821, 1, 2, 3]);
    assert!(array.iter().rev().eq([831, 714, 4, 3, 2, 1, 821, 934, 626, 680]));
    array.fill(5);
    assert_eq!(array.to_vec(), [5; 10]);
    Ok(())
}

fn items_that_are_not_there_are_errors() -> TestResult {
    let array = RawArray::from_slice(&SEQUENCE)?;
    let index = |start, end| ArrayError::Index { start, end, len: 10 };
    assert_eq!(array.get(10), Err(index(10, 11)));
    assert_eq!(array.set(usize::MAX, 1), Err(index(usize::MAX, usize::MAX)));
    assert_eq!(array.get_range(8..11), Err(index(8, 11)));
    assert_eq!(array.get_range(..=10), Err(index(0, 11)));
    assert_eq!(array.get_range(11..), Err(index(11, 11)));
    assert_eq!(array.get_range(std::ops::Range { start: 5, end: 3 }), Err(index(5, 3)));
    assert_eq!(array.read(8, &mut [0; 3]), Err(index(8, 11)));
    assert!(array.item(10).is_err());
    let length = ArrayError::Length { values: 3, items: 4 };
    assert_eq!(array.set_range(4..8, &[1, 2, 3]), Err(length));
    assert_eq!(array.to_vec(), SEQUENCE, "and nothing is written");

    let array = Array::from_slice(&SEQUENCE)?;
    assert!(matches!(array.set(10, 1), Err(AccessError::Array(ArrayError::Index { .. }))));
    assert!(matches!(
        array.set_range(..2, &[1]),
        Err(AccessError::Array(ArrayError::Length { .. }))
    ));
    assert!(!array.get_lock().locked(), "an error gives the lock back");
    Ok(())
}

// parity: value_array.array-child-writes
fn child_makes_running_sums(ctx: &Context) -> TestResult {
    let array = Array::from_slice(&SEQUENCE)?;
    let add = |array: Array<i32>| -> Result<(), Failure> {
        add_up(&mut array.lock()?);
        Ok(())
    };
    ctx.start(add, (array.clone(),))?.result()??;
    assert_eq!(array.to_vec()?, sums());
    Ok(())
}

// parity: value_array.raw-array
fn child_makes_running_sums_in_a_raw_array(ctx: &Context) -> TestResult {
    let array = RawArray::from_slice(&SEQUENCE)?;
    let add = |array: RawArray<i32>| -> Result<(), Failure> {
        for at in 1..array.len() {
            array.set(at, array.get(at)? + array.get(at - 1)?)?;
        }
        Ok(())
    };
    ctx.start(add, (array.clone(),))?.result()??;
    assert_eq!(array.to_vec(), sums());
    Ok(())
}

// parity: value_array.array-lock-forms
fn array_has_the_lock_that_it_is_given() -> TestResult {
    let own: Array<i32, RLock> = Array::new(10)?;
    assert!(!own.get_lock().locked());
    assert_eq!(*own.lock()?, [0; 10]);

    let lock = Lock::new()?;
    let array = Array::with_lock(&SEQUENCE, lock.clone())?;
    lock.acquire()?;
    assert!(array.get_lock().locked());
    assert_eq!(format!("{array:?}"), "Array(<locked>)");
    array.get_lock().release()?;
    assert!(!lock.locked());
    Ok(())
}

fn arrays_of_characters_are_strings() -> TestResult {
    let text = RawArray::<u8>::new(10)?;
    assert_eq!(text.value(), b"");
    text.set_value(b"hello")?;
    assert_eq!((text.value(), text.to_vec()), (b"hello".to_vec(), b"hello\0\0\0\0\0".to_vec()));
    text.set_value(b"0123456789")?;
    assert_eq!(text.value(), b"0123456789");
    assert_eq!(text.set_value(b"x")?, ());
    assert_eq!(text.to_vec(), b"x\x0023456789");
    let refused = text.set_value(b"0123456789a").unwrap_err();
    assert_eq!(refused.to_string(), "a string of 11 items for an array of 10");
    assert_eq!(text.value(), b"x");

    let wide = Array::from_iter("äöü".chars())?;
    assert_eq!(wide.value()?, "äöü");
    wide.set_value("ß")?;
    assert_eq!((wide.value()?, wide.get(2)?), ("ß".to_owned(), 'ü'));
    assert!(wide.set_value("four").is_err());
    Ok(())
}

fn arrays_of_nothing_are_fine() -> TestResult {
    let array = Array::<u64>::new(0)?;
    assert!(array.is_empty() && array.to_vec()?.is_empty() && array.lock()?.is_empty());
    assert!(array.get(0).is_err());
    let units = RawArray::from_slice(&[(); 7])?;
    assert_eq!((units.len(), units.get(6)), (7, Ok(())));
    Ok(())
}

fn memory_that_was_used_before_is_zero() -> TestResult {
    for _ in 0..100 {
        let array = RawArray::<u8>::new(500)?;
        assert!(array.iter().all(|byte| byte == 0));
        array.fill(0xff);
    }
    Ok(())
}

fn impossible_arrays_are_errors() -> TestResult {
    assert!(RawArray::<u64>::new(usize::MAX).is_err());
    assert!(RawArray::<u64>::new(usize::MAX / 16).is_err());
    assert!(Array::<u8>::new(1 << 46).is_err());
    Ok(())
}

fn large_array_goes_with_a_message(ctx: &Context) -> TestResult {
    let len = 1 << 19; // 4 MiB, which has a segment of its own.
    let array = RawArray::<u64>::new(len)?;
    let write = |array: RawArray<u64>| array.set(array.len() - 1, 7);
    ctx.start(write, (array.clone(),))?.result()??;
    assert_eq!((array.get(0)?, array.get(len - 1)?), (0, 7));
    Ok(())
}
