//! What `#[shared]` goes on, and what it takes.

use multiproc::{Context, shared};

struct Plain;
struct Generic<T>(T);
struct Named;

trait Speak {}

#[shared]
impl Speak for Plain {}

#[shared]
impl<T> Generic<T> {
    pub fn get(&self) {}
}

#[shared(name = "other")]
impl Named {
    pub fn get(&self) {}
}

#[shared]
fn function(_: Context) {}

fn main() {}
