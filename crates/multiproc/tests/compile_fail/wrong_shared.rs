//! What lies in shared memory is plain data, of the type that was said, and a lock is a lock.

use multiproc::{Array, RawArray, RawValue, Shareable, Value, sharedctypes::synchronized, typecode};

#[derive(Clone, Copy, Shareable)]
struct Named {
    name: &'static str,
}

#[derive(Clone, Copy, Shareable)]
enum Colour {
    Red,
}

#[derive(Shareable)]
struct NotCopied(u8);

fn main() {
    let _ = RawValue::new(String::new());
    let _ = Value::<*const u8>::zeroed();
    let _ = Value::with_lock(1, "lock");
    let _ = Array::with_lock(&[1, 2], "lock");
    let _: typecode!('x');
    let _ = Value::<i8>::new(300_i32);

    let value = Value::new(1).unwrap();
    let _ = synchronized(value.clone());

    let _ = RawValue::new(1).unwrap().get_lock();
    let _ = RawArray::from_slice(&[1]).unwrap().get_obj();
}
