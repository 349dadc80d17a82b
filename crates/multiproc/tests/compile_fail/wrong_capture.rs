//! A closure captures a variable, which another process would not have.

fn main() {
    let factor = 3;
    let _ = multiproc::spawn(move |x: i64| factor * x, (7,));
}
