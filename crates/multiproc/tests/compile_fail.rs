//! What must not compile, and what the compiler says then.
//!
//! After a change of the texts: `TRYBUILD=overwrite cargo test -p multiproc --test compile_fail`, and read the difference
//! with the eyes of somebody who sees such a message for the first time. The texts here are the compiler's and our own. What
//! only another crate's text would say, such as that an argument does not serialise, is an example in the documentation.

// parity: start_methods.preload-type-check, misc.finalizer-needs-priority
// parity: sharedctypes.pointers-warning, sharedctypes.synchronized-twice, value_array.unknown-typecode
// parity: value_array.value-bad-lock, value_array.array-bad-lock, value_array.value-lock-false
#[test]
fn misuse_is_rejected_with_a_message_that_helps() {
    let tests = trybuild::TestCases::new();
    // Captures show only when the program is built, not when it is checked; a case that passes makes trybuild build.
    tests.pass("tests/compile_fail/right.rs");
    tests.compile_fail("tests/compile_fail/wrong_*.rs");
}

#[cfg(feature = "managers")]
#[test]
fn what_cannot_be_shared_is_rejected_with_a_message_that_helps() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail_managers/wrong_*.rs");
}
