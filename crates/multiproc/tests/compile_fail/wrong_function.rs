//! What is no function, or one of other arguments.

fn main() {
    let _ = multiproc::spawn(7, (4,));
    let _ = multiproc::spawn(|a: i64, b: i64| a + b, (4,));
    let _ = multiproc::spawn(|a: i64| a, ("4".to_string(),));
}
