//! Methods whose callers are other programs.

use multiproc::shared;

struct Taken;
struct Awaited;
struct Generic;
struct Pattern;
struct Changing;

#[shared]
impl Taken {
    pub fn take(self) {}
}

#[shared]
impl Awaited {
    pub async fn get(&self) {}
}

#[shared]
impl Generic {
    pub fn put<T>(&self, value: T) {
        drop(value);
    }
}

#[shared]
impl Pattern {
    pub fn put(&self, (a, b): (i64, i64)) -> i64 {
        a + b
    }
}

#[shared]
impl Changing {
    pub fn fill(&self, into: &mut Vec<i64>) {
        into.push(1);
    }
}

fn main() {}
