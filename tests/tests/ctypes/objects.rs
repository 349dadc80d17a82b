//! Structs, copies and locks put beside raw objects, as Python's tests of `sharedctypes` have them.

use multiproc::{
    Array, Context, Failure, Lock, RawArray, RawValue, Shareable, Value,
    sharedctypes::{Synchronized, copy, synchronized},
    typecode,
};
use multiproc_tests::{TestResult, each_start_method, once};

once! {
    copy_has_a_life_of_its_own,
    fields_that_are_not_given_are_zero,
    synchronized_object_has_object_and_lock,
    objects_are_made_by_type_or_by_letter,
    structs_of_all_shapes_are_shareable,
    what_is_no_part_of_a_value_is_refused,
}

each_start_method! {
    child_doubles_everything,
    child_doubles_everything_under_locks,
    child_changes_the_fields_of_an_array_of_structs,
    synchronized_objects_go_with_messages,
}

/// As in Python: an `int`, then a `double`, so there is padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Shareable)]
#[repr(C)]
struct Triple {
    x: i32,
    y: f64,
    z: i64,
}

type Raws =
    (RawValue<i32>, RawValue<f64>, RawValue<i64>, RawValue<Triple>, RawArray<f64>, RawArray<u8>);

// parity: sharedctypes.child-doubles-all, sharedctypes.struct-fields
fn child_doubles_everything(ctx: &Context) -> TestResult {
    let text = RawArray::<u8>::new(20)?;
    text.set_value(b"hello")?;
    let raws: Raws = (
        RawValue::new(7)?,
        RawValue::new(1.0 / 3.0)?,
        RawValue::new(1 << 33)?,
        RawValue::new(Triple { x: 3, y: 2.0, ..Triple::default() })?,
        RawArray::from_iter((0..10).map(f64::from))?,
        text,
    );
    let double = |(x, y, z, triple, array, text): Raws| -> Result<(), Failure> {
        x.set(x.get() * 2);
        y.set(y.get() * 2.0);
        z.set(z.get() * 2);
        let (a, b) = (triple.field(|triple| &triple.x), triple.field(|triple| &triple.y));
        a.set(a.get() * 2);
        b.set(b.get() * 2.0);
        for at in 0..array.len() {
            array.set(at, array.get(at)? * 2.0)?;
        }
        Ok(text.set_value(&text.value().repeat(2))?)
    };
    ctx.start(double, (raws.clone(),))?.result()??;
    let (x, y, z, triple, array, text) = raws;
    assert_eq!((x.get(), y.get(), z.get()), (14, 2.0 / 3.0, 1 << 34));
    assert_eq!(triple.get(), Triple { x: 6, y: 4.0, z: 0 });
    assert!(array.iter().eq((0..10).map(|i| f64::from(i) * 2.0)));
    assert_eq!(text.value(), b"hellohello");
    Ok(())
}

type Locked = (Value<i32>, Value<f64>, Value<i64>, Value<Triple, Lock>, Array<f64>, Array<u8>);

// parity: sharedctypes.child-doubles-all-locked, sharedctypes.struct-fields
fn child_doubles_everything_under_locks(ctx: &Context) -> TestResult {
    let text = Array::<u8>::new(20)?;
    text.set_value(b"hello")?;
    let values: Locked = (
        Value::new(7)?,
        Value::new(1.0 / 3.0)?,
        Value::new(1 << 33)?,
        Value::with_lock(Triple { x: 3, y: 2.0, z: 0 }, Lock::new()?)?,
        Array::from_iter((0..10).map(f64::from))?,
        text,
    );
    let double = |(x, y, z, triple, array, text): Locked| -> Result<(), Failure> {
        x.update(|x| *x *= 2)?;
        y.update(|y| *y *= 2.0)?;
        z.update(|z| *z *= 2)?;
        let mut triple = triple.lock()?;
        triple.x *= 2;
        triple.y *= 2.0;
        for item in array.lock()?.iter_mut() {
            *item *= 2.0;
        }
        Ok(text.set_value(&text.value()?.repeat(2))?)
    };
    ctx.start(double, (values.clone(),))?.result()??;
    let (x, y, z, triple, array, text) = values;
    assert_eq!((x.get()?, y.get()?, z.get()?), (14, 2.0 / 3.0, 1 << 34));
    assert_eq!(triple.get()?, Triple { x: 6, y: 4.0, z: 0 });
    assert!(array.lock()?.iter().copied().eq((0..10).map(|i| f64::from(i) * 2.0)));
    assert_eq!(text.value()?, b"hellohello");
    Ok(())
}

// parity: sharedctypes.copy-independent
fn copy_has_a_life_of_its_own() -> TestResult {
    let triple = RawValue::new(Triple { x: 2, y: 5.0, z: 1 << 33 })?;
    let copied = copy(&triple)?;
    triple.set(Triple::default());
    assert_eq!(copied.get(), Triple { x: 2, y: 5.0, z: 1 << 33 });
    let array = RawArray::from_slice(&[1, 2, 3])?;
    let copied = copy(&array)?;
    array.fill(0);
    assert_eq!(copied.to_vec(), [1, 2, 3]);
    Ok(())
}

// parity: sharedctypes.struct-partial-init
fn fields_that_are_not_given_are_zero() -> TestResult {
    assert_eq!(RawValue::<Triple>::zeroed()?.get(), Triple { x: 0, y: 0.0, z: 0 });
    let triple = Value::<Triple>::zeroed()?;
    triple.update(|triple| (triple.x, triple.y) = (3, 2.0))?;
    assert_eq!(triple.get()?.z, 0);
    Ok(())
}

// DIFFERENCE: the guard derefs to the raw object, as others may have it without the lock.
// parity: sharedctypes.synchronized-wrapper
fn synchronized_object_has_object_and_lock() -> TestResult {
    let raw = RawValue::new(5)?;
    let wrapped = synchronized(raw.clone())?;
    {
        let guard = wrapped.lock()?;
        assert!(wrapped.get_lock().locked());
        let again = wrapped.lock()?; // The lock is reentrant.
        again.set(guard.get() + 1);
    }
    assert!(!wrapped.get_lock().locked());
    assert_eq!((raw.get(), wrapped.get_obj().get()), (6, 6));
    assert_eq!(format!("{wrapped:?}"), "Synchronized(RawValue(6))");

    let lock = Lock::new()?;
    let wrapped = Synchronized::with_lock(RawArray::from_slice(b"ab")?, lock.clone());
    let guard = wrapped.lock()?;
    assert!(lock.locked() && guard.value() == b"ab");
    Ok(())
}

fn synchronized_objects_go_with_messages(ctx: &Context) -> TestResult {
    let counter = synchronized(RawValue::new(0)?)?;
    let count = |counter: Synchronized<RawValue<i32>>| -> Result<(), Failure> {
        for _ in 0..500 {
            let counter = counter.lock()?;
            counter.set(counter.get() + 1);
        }
        Ok(())
    };
    let children =
        (0..3).map(|_| ctx.start(count, (counter.clone(),))).collect::<Result<Vec<_>, _>>()?;
    for child in children {
        child.result()??;
    }
    assert_eq!(counter.get_obj().get(), 1500);
    Ok(())
}

// parity: sharedctypes.table-forms
fn objects_are_made_by_type_or_by_letter() -> TestResult {
    assert_eq!(RawValue::<f64>::new(2.4)?.get(), RawValue::<typecode!('d')>::new(2.4)?.get());
    assert_eq!(RawValue::new(Triple { x: 4, y: 6.0, z: 0 })?.get().y, 6.0);
    assert_eq!(RawArray::<typecode!('h')>::new(7)?.to_vec(), RawArray::<i16>::new(7)?.to_vec());
    let (by_type, by_letter) = (
        RawArray::<i32>::from_slice(&[9, 2, 8])?,
        RawArray::<typecode!('i')>::from_slice(&[9, 2, 8])?,
    );
    assert_eq!(by_type.to_vec(), by_letter.to_vec());
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Shareable)]
struct Point {
    x: f64,
    y: f64,
}

// parity: sharedctypes.struct-array
fn child_changes_the_fields_of_an_array_of_structs(ctx: &Context) -> TestResult {
    let points = [Point { x: 1.875, y: -6.25 }, Point { x: -5.75, y: 2.0 }];
    let (raw, locked) = (RawArray::from_slice(&points)?, Array::from_slice(&points)?);
    let square = |raw: RawArray<Point>, locked: Array<Point>| -> Result<(), Failure> {
        for at in 0..raw.len() {
            let x = raw.item(at)?.field(|point| &point.x);
            x.set(x.get() * x.get());
        }
        for point in locked.lock()?.iter_mut() {
            point.x *= point.x;
        }
        Ok(())
    };
    ctx.start(square, (raw.clone(), locked.clone()))?.result()??;
    let expected = [Point { x: 3.515625, y: -6.25 }, Point { x: 33.0625, y: 2.0 }];
    assert_eq!((raw.to_vec(), locked.to_vec()?), (expected.to_vec(), expected.to_vec()));
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Shareable)]
struct Unit;

#[derive(Clone, Copy, Debug, PartialEq, Shareable)]
struct Wrapper<T, const N: usize>([T; N], Unit);

#[derive(Clone, Copy, Debug, PartialEq, Shareable)]
#[repr(C, packed)]
struct Packed {
    letter: char,
    flag: bool,
    wide: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Shareable)]
#[repr(align(64))]
struct Apart {
    counter: u32,
    r#type: bool,
}

fn structs_of_all_shapes_are_shareable() -> TestResult {
    let wrapped = RawValue::new(Wrapper([Point { x: 1.0, y: 2.0 }; 2], Unit))?;
    let y = wrapped.field(|wrapper| &wrapper.0[1].y);
    y.set(7.0);
    assert_eq!(wrapped.get().0[1], Point { x: 1.0, y: 7.0 });
    assert_eq!(RawValue::new(Unit)?.get(), Unit);

    let packed = Value::new(Packed { letter: 'a', flag: true, wide: 3 })?;
    packed.update(|packed| packed.wide = 4)?;
    assert_eq!(packed.get()?, Packed { letter: 'a', flag: true, wide: 4 });
    assert!(!Packed::SHAPE.has_padding() && !Packed::SHAPE.is_any());

    let apart = Array::from_slice(&[Apart { counter: 1, r#type: true }; 3])?;
    let guard = apart.lock()?;
    assert!(guard.as_ptr().is_aligned() && guard[2].counter == 1);
    assert!(Apart::SHAPE.has_padding());
    Ok(())
}

fn what_is_no_part_of_a_value_is_refused() -> TestResult {
    static ELSEWHERE: f64 = 1.0;
    let point = RawValue::new(Point { x: 1.0, y: 2.0 })?;
    let result = std::panic::catch_unwind(|| point.field(|_| &ELSEWHERE));
    assert!(result.is_err());
    Ok(())
}
