//! Changes a number, a text and some points that lie in memory which two processes share.
//!
//! ```console
//! $ cargo run --example shared_values
//! 49
//! 0.1111111111111111
//! HELLO WORLD
//! [(3.515625, 39.0625), (33.0625, 4.0), (5.640625, 90.25)]
//! ```
//!
//! It is the program that Python's documentation shows for `multiprocessing.sharedctypes`.

use std::error::Error;

use multiproc::{Array, Failure, Lock, RawValue, Shareable, Value};

#[derive(Clone, Copy, Shareable)]
struct Point {
    x: f64,
    y: f64,
}

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    let points = [(1.875, -6.25), (-5.75, 2.0), (2.375, 9.5)].map(|(x, y)| Point { x, y });

    let lock = Lock::new()?;
    let number = Value::new(7)?;
    let third = RawValue::new(1.0 / 3.0)?;
    let text = Array::with_lock(b"hello world", lock.clone())?;
    let points = Array::with_lock(&points, lock)?;

    let shared = (number.clone(), third.clone(), text.clone(), points.clone());
    multiproc::spawn(modify, shared)?.result()??;

    println!("{}", number.get()?);
    println!("{}", third.get());
    println!("{}", String::from_utf8(text.value()?)?);
    let points: Vec<_> = points.lock()?.iter().map(|point| (point.x, point.y)).collect();
    println!("{points:?}");
    Ok(())
}

fn modify(
    number: Value<i32>,
    third: RawValue<f64>,
    text: Array<u8, Lock>,
    points: Array<Point, Lock>,
) -> Result<(), Failure> {
    number.update(|number| *number *= *number)?;
    third.set(third.get() * third.get());
    text.lock()?.make_ascii_uppercase();
    for point in points.lock()?.iter_mut() {
        point.x *= point.x;
        point.y *= point.y;
    }
    Ok(())
}
