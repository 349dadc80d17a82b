//! What must not compile, and what the compiler says then.
//!
//! After a change of the texts: `TRYBUILD=overwrite cargo test -p multiproc --test compile_fail`, and read the difference
//! with the eyes of somebody who sees such a message for the first time.

// parity: start_methods.preload-type-check, misc.finalizer-needs-priority, auth.key-not-serialisable
// parity: sharedctypes.pointers-warning
#[test]
fn misuse_is_rejected_with_a_message_that_helps() {
    let tests = trybuild::TestCases::new();
    // Captures show only when the program is built, not when it is checked; a case that passes makes trybuild build.
    tests.pass("tests/compile_fail/right.rs");
    tests.compile_fail("tests/compile_fail/wrong_*.rs");
}
