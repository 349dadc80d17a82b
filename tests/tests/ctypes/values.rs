//! `Value` and `RawValue`, as Python's tests have them.

use multiproc::{
    Context, Failure, Lock, RLock, RawValue, Value,
    sharedctypes::{AccessError, Shareable},
    typecode,
};
use multiproc_tests::{TestResult, each_start_method, once};

once! {
    value_without_an_argument_is_zero,
    value_has_the_lock_that_it_is_given,
    letters_of_python_are_types,
    number_that_does_not_fit_is_cut_only_where_that_is_said,
    value_shows_its_kind_and_itself,
    held_value_keeps_others_waiting,
}

each_start_method! {
    values_of_all_kinds_are_what_a_child_has_made_them,
    raw_values_of_all_kinds_are_what_a_child_has_made_them,
    increments_under_the_lock_are_all_counted,
    updates_are_all_counted,
}

type Values = (Value<i32>, Value<f64>, Value<i16>, Value<i64>, Value<u8>, Value<char>, Value<bool>);

// parity: value_array.value-types-roundtrip
fn values_of_all_kinds_are_what_a_child_has_made_them(ctx: &Context) -> TestResult {
    let values: Values = (
        Value::new(4343)?,
        Value::new(3.625)?,
        Value::new(-232)?,
        Value::new(1 << 33)?,
        Value::new(b'x')?,
        Value::new('\u{1f980}')?,
        Value::new(true)?,
    );
    let set = |(a, b, c, d, e, f, g): Values| -> Result<(), Failure> {
        assert_eq!((a.get()?, b.get()?, c.get()?, d.get()?), (4343, 3.625, -232, 1 << 33));
        assert_eq!((e.get()?, f.get()?, g.get()?), (b'x', '\u{1f980}', true));
        a.set(24234)?;
        b.set(-4.25)?;
        c.set(234)?;
        d.set(1 << 34)?;
        e.set(b'y')?;
        f.set('ß')?;
        Ok(g.set(false)?)
    };
    ctx.start(set, (values.clone(),))?.result()??;
    let (a, b, c, d, e, f, g) = values;
    assert_eq!((a.get()?, b.get()?, c.get()?, d.get()?), (24234, -4.25, 234, 1 << 34));
    assert_eq!((e.get()?, f.get()?, g.get()?), (b'y', 'ß', false));
    Ok(())
}

type RawValues = (RawValue<i32>, RawValue<f64>, RawValue<i16>, RawValue<i64>, RawValue<char>);

// parity: value_array.raw-value
fn raw_values_of_all_kinds_are_what_a_child_has_made_them(ctx: &Context) -> TestResult {
    let values: RawValues = (
        RawValue::new(4343)?,
        RawValue::new(3.625)?,
        RawValue::new(-232)?,
        RawValue::new(1 << 33)?,
        RawValue::new('x')?,
    );
    let set = |(a, b, c, d, e): RawValues| {
        assert_eq!(
            (a.get(), b.get(), c.get(), d.get(), e.get()),
            (4343, 3.625, -232, 1 << 33, 'x')
        );
        a.set(24234);
        b.set(-4.25);
        c.set(234);
        d.set(1 << 34);
        e.set('y');
    };
    ctx.start(set, (values.clone(),))?.result()?;
    let (a, b, c, d, e) = values;
    assert_eq!((a.get(), b.get(), c.get(), d.get(), e.get()), (24234, -4.25, 234, 1 << 34, 'y'));
    Ok(())
}

// parity: value_array.value-default-zero
fn value_without_an_argument_is_zero() -> TestResult {
    assert_eq!(Value::<i64>::zeroed()?.get()?, 0);
    assert_eq!(RawValue::<(char, bool, f32)>::zeroed()?.get(), ('\0', false, 0.0));
    Ok(())
}

// DIFFERENCE: the inner object is what a guard derefs to.
// parity: value_array.value-lock-forms
fn value_has_the_lock_that_it_is_given() -> TestResult {
    let value = Value::new(5)?;
    let own: &RLock = value.get_lock();
    assert!(!own.locked());
    assert_eq!(*value.lock()?, 5);

    let lock = Lock::new()?;
    let value = Value::with_lock(5, lock.clone())?;
    let other = Value::with_lock(6, lock.clone())?;
    let guard = value.lock()?;
    assert!(lock.locked() && value.get_lock().locked() && other.get_lock().locked());
    drop(guard);
    assert!(!lock.locked());

    let lock = RLock::new()?;
    let (value, other) = (Value::with_lock(5, lock.clone())?, Value::with_lock(6, lock)?);
    let (one, two) = (value.lock()?, other.lock()?);
    assert_eq!((*one, *two), (5, 6), "both have one lock, which is reentrant, and not one value");
    Ok(())
}

// DIFFERENCE: the kinds are types of Rust's.
// parity: value_array.typecodes
fn letters_of_python_are_types() -> TestResult {
    fn size<T: Shareable>() -> usize {
        T::SHAPE.size()
    }
    let sizes = [
        size::<typecode!('c')>(),
        size::<typecode!('u')>(),
        size::<typecode!('b')>(),
        size::<typecode!('B')>(),
        size::<typecode!('h')>(),
        size::<typecode!('H')>(),
        size::<typecode!('i')>(),
        size::<typecode!('I')>(),
        size::<typecode!('l')>(),
        size::<typecode!('L')>(),
        size::<typecode!('q')>(),
        size::<typecode!('Q')>(),
        size::<typecode!('f')>(),
        size::<typecode!('d')>(),
    ];
    assert_eq!(sizes, [1, 4, 1, 1, 2, 2, 4, 4, 8, 8, 8, 8, 4, 8]);
    assert_eq!(Value::<typecode!('I')>::new(u32::MAX)?.get()?, u32::MAX);
    Ok(())
}

// DIFFERENCE: a number that does not fit does not compile; `as` says that it is to be cut.
// parity: value_array.integer-wrap
fn number_that_does_not_fit_is_cut_only_where_that_is_said() -> TestResult {
    assert_eq!(Value::<i8>::new(300_i32 as i8)?.get()?, 44);
    assert_eq!(Value::<i32>::new((1_i64 << 40) as i32)?.get()?, 0);
    assert!(i8::try_from(300).is_err());
    Ok(())
}

// DIFFERENCE: the form is that of Rust's types, and shows no value that somebody else has.
// parity: value_array.repr
fn value_shows_its_kind_and_itself() -> TestResult {
    let value = Value::new(7)?;
    assert_eq!(format!("{value:?}"), "Value(7)");
    assert_eq!(format!("{:?}", RawValue::new(2.5)?), "RawValue(2.5)");
    let guard = value.lock()?;
    assert_eq!(format!("{value:?} {guard:?}"), "Value(<locked>) ValueGuard(7)");
    Ok(())
}

// parity: value_array.atomic-increment
fn increments_under_the_lock_are_all_counted(ctx: &Context) -> TestResult {
    let count = |counter: Value<i32>| -> Result<(), Failure> {
        for _ in 0..1000 {
            let _held = counter.get_lock().guard()?;
            counter.set(counter.get()? + 1)?;
        }
        Ok(())
    };
    let counter = Value::new(0)?;
    let children =
        (0..4).map(|_| ctx.start(count, (counter.clone(),))).collect::<Result<Vec<_>, _>>()?;
    for child in children {
        child.result()??;
    }
    assert_eq!(counter.get()?, 4000);
    Ok(())
}

// DIFFERENCE: there is a call that changes the value in one step.
// parity: value_array.plain-increment-not-atomic
fn updates_are_all_counted(ctx: &Context) -> TestResult {
    let count = |counter: Value<i32>| -> Result<(), Failure> {
        for turn in 0..1000 {
            match turn % 2 {
                0 => counter.update(|counter| *counter += 1)?,
                _ => *counter.lock()? += 1,
            }
        }
        Ok(())
    };
    let counter = Value::new(0)?;
    let children =
        (0..4).map(|_| ctx.start(count, (counter.clone(),))).collect::<Result<Vec<_>, _>>()?;
    for child in children {
        child.result()??;
    }
    assert_eq!(counter.get()?, 4000);
    Ok(())
}

// parity: value_array.scope-guard
fn held_value_keeps_others_waiting() -> TestResult {
    let value = Value::new(1)?;
    let guard = value.lock()?;
    let other = std::thread::spawn({
        let value = value.clone();
        move || value.get_lock().try_acquire().map(|taken| taken.is_some())
    });
    assert!(!other.join().unwrap()?, "another thread does not get the lock");
    drop(guard);
    let other = std::thread::spawn(move || -> Result<i32, AccessError> { value.get() });
    assert_eq!(other.join().unwrap()?, 1);
    Ok(())
}
