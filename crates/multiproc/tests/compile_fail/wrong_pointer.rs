//! A function pointer: which function it is shows only at run time.

fn main() {
    let chosen: fn(i64) -> i64 = double;
    let _ = multiproc::spawn(chosen, (7,));
}

fn double(x: i64) -> i64 {
    2 * x
}
