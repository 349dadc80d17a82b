//! A program with an entry hook that is another build than those that tests start processes of.

#[multiproc::main]
fn main() {
    println!("the stranger's own main runs");
}
