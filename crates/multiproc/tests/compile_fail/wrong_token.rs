//! A captured value of size zero that cannot be copied proves something, and must not be made from nothing.

struct Proof;

fn main() {
    let proof = Proof;
    let _ = multiproc::spawn(
        move || {
            let _proof = &proof;
        },
        (),
    );
}
