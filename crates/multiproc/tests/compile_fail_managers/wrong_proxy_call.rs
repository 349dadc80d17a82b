//! Proxies have the methods of their types, and take what those take.

use multiproc::shared;

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

fn calls(maths: &MathsProxy) {
    let _: Result<i64, _> = maths.add("4", 3);
    maths.secret();
}

fn main() {}
