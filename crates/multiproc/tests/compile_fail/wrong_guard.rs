//! A guard stays on its thread, no longer than its value, and lends what it has to one at a time.

use multiproc::{Array, Value};

fn to_another_thread(value: &Value<i32>) {
    let guard = value.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(guard));
    });
}

fn from_another_thread(value: &Value<i32>) {
    let guard = value.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| *guard);
    });
}

fn twice(array: &Array<u8>) {
    let mut guard = array.lock().unwrap();
    let one = &mut guard[0];
    let other = &mut guard[1];
    std::mem::swap(one, other);
}

fn longer_than_the_guard(array: &Array<u8>) -> &[u8] {
    let guard = array.lock().unwrap();
    &guard[..]
}

fn main() {}
