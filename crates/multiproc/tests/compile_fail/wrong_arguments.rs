//! Other arguments than the function takes, or not in a tuple.

fn main() {
    let _ = multiproc::spawn(add, (4,));
    let _ = multiproc::spawn(add, (4, "3".to_string()));
    let _ = multiproc::spawn(double, 7);
}

fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn double(x: i64) -> i64 {
    2 * x
}
