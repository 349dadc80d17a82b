//! An argument of a type that serde cannot write and read.

struct Point {
    x: f64,
}

fn main() {
    let _ = multiproc::spawn(norm, (Point { x: 1.0 },));
}

fn norm(point: Point) -> f64 {
    point.x.abs()
}
