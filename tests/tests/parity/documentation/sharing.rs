//! Values, arrays and locks that children share.

use multiproc::{Array, Context, Failure, Lock, Value};
use multiproc_tests::{TestResult, each_start_method};

each_start_method! { child_changes_a_number_and_an_array, ten_children_use_one_lock }

/// What the program sets: 3.1415927, which is not quite pi.
const NUMBER: f64 = 31_415_927.0 / 1e7;

// parity: docs_example.value-array
fn child_changes_a_number_and_an_array(ctx: &Context) -> TestResult {
    let (number, array) = (Value::new(0.0)?, Array::from_slice(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])?);
    let change = |number: Value<f64>, array: Array<i32>| -> Result<(), Failure> {
        number.set(NUMBER)?;
        array.lock()?.iter_mut().for_each(|item| *item = -*item);
        Ok(())
    };
    ctx.start(change, (number.clone(), array.clone()))?.result()??;
    assert_eq!(number.get()?, NUMBER);
    assert_eq!(array.to_vec()?, [0, -1, -2, -3, -4, -5, -6, -7, -8, -9]);
    Ok(())
}

// parity: docs_example.pass-lock
fn ten_children_use_one_lock(ctx: &Context) -> TestResult {
    let lock = Lock::new()?;
    let children = (0..10).map(|_| ctx.start(use_lock, (lock.clone(),)));
    for child in children.collect::<Result<Vec<_>, _>>()? {
        assert!(child.result()??);
    }
    assert!(!lock.locked());
    Ok(())
}

fn use_lock(lock: Lock) -> Result<bool, Failure> {
    let _guard = lock.guard()?;
    Ok(lock.locked())
}
