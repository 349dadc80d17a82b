//! A closure that captures a variable, which another process would not have, and a pointer, whose function shows only at
//! run time.

fn main() {
    let factor = 3;
    let _ = multiproc::spawn(move |x: i64| factor * x, (7,));
    let chosen: fn(i64) -> i64 = double;
    let _ = multiproc::spawn(chosen, (7,));
}

fn double(x: i64) -> i64 {
    2 * x
}
