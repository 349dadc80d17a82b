//! A key is proven to the other end, never sent to it, neither in a message nor as an argument.

use multiproc::{AuthKey, current_process, pipe, spawn};

fn main() {
    let (end, _other) = pipe::<(u8, AuthKey), ()>().unwrap();
    let _ = end.send(&(1, current_process().authkey()));
    let _ = spawn(take, (current_process().authkey(),));
}

fn take(_key: AuthKey) {}
