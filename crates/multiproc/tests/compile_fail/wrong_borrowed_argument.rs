//! An argument that is only borrowed.

fn main() {
    let name = String::from("Bob");
    let _ = multiproc::spawn(greet, (name.as_str(),));
}

fn greet(name: &str) -> String {
    format!("hello {name}")
}
