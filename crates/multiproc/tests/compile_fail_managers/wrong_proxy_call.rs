//! Proxies have the methods of their types, and take what those take.

use multiproc::{Manager, shared};

struct Maths;

#[shared]
impl Maths {
    pub fn new() -> Self {
        Self
    }

    pub fn add(&self, x: i64, y: i64) -> i64 {
        x + y
    }

    fn secret(&self) {}
}

fn calls(maths: &MathsProxy, manager: &Manager) {
    let _: Result<i64, _> = maths.add("4", 3);
    maths.secret();
    let offset = 7;
    let pool = manager.pool(1).unwrap();
    let _ = pool.map(move |x: i64| x + offset, [1, 2, 3]);
}

fn main() {}
