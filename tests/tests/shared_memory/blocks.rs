//! `SharedMemory`, as Python's tests have it.

use std::{fs, os::unix::fs::PermissionsExt};

use multiproc::{
    Context,
    shared_memory::{SharedMemory, ShmError},
    wire,
};
use multiproc_tests::{TestResult, each_start_method, once};

use crate::programs::{exists, play, stderr};

once! {
    new_block_is_named_sized_zeroed_and_ours_alone,
    generated_name_is_as_python_makes_them,
    opened_block_is_the_same_memory,
    impossible_names_and_sizes_are_errors,
    missing_block_is_an_error,
    name_can_be_unlinked_once,
    name_in_use_is_not_taken,
    open_or_create_does_either,
    block_in_a_message_is_the_same_memory,
    closed_handle_ends_only_its_own_use,
    dropped_handle_leaves_the_block,
    all_handles_see_the_size_that_was_asked_for,
    another_program_that_does_not_track_leaves_the_block,
}

each_start_method! {
    child_opens_it_by_name,
    child_gets_the_handle,
    block_made_by_a_child_is_usable_when_it_has_ended,
}

/// A name of this test's own.
fn name(test: &str) -> String {
    format!("multiproc_{test}_{}", std::process::id())
}

// parity: shared_memory.create-attributes, shared_memory.repr, shared_memory.permissions, shared_memory.zero-filled
fn new_block_is_named_sized_zeroed_and_ours_alone() -> TestResult {
    let name = name("attributes");
    let memory = SharedMemory::create_named(&name, 512)?;
    assert_eq!((memory.name(), memory.size(), memory.buf().len()), (&*name, 512, 512));
    assert_eq!(format!("{memory:?}"), format!("SharedMemory {{ name: {name:?}, size: 512 }}"));
    assert_eq!(memory.buf().to_vec(), [0; 512]);
    let mode = fs::metadata(format!("/dev/shm/{name}"))?.permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    memory.unlink()?;
    Ok(())
}

// parity: shared_memory.generated-name
fn generated_name_is_as_python_makes_them() -> TestResult {
    let memory = SharedMemory::create(1)?;
    let digits = memory.name().strip_prefix("psm_").ok_or("prefix")?;
    assert_eq!(digits.len(), 8);
    assert!(digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{digits}");
    assert!(exists(memory.name()));
    memory.unlink()?;
    Ok(())
}

// parity: shared_memory.attach-sees-data
fn opened_block_is_the_same_memory() -> TestResult {
    let memory = SharedMemory::create(512)?;
    let same = SharedMemory::open(&format!("/{}", memory.name()))?;
    assert_eq!(same.name(), memory.name());
    memory.buf().set(0, &42u8)?;
    assert_eq!(same.buf().get::<u8>(0)?, 42);
    same.buf().write(500, b"howdy")?;
    assert_eq!(memory.buf().slice(500..505)?.to_vec(), b"howdy");
    memory.unlink()?;
    Ok(())
}

// parity: shared_memory.name-embedded-null, shared_memory.create-invalid-size, shared_memory.attach-without-name
fn impossible_names_and_sizes_are_errors() -> TestResult {
    for bad in ["null\0inside", "", "a/b", ".."] {
        let refused = |result: Result<(), ShmError>| {
            assert!(matches!(result, Err(ShmError::InvalidName { .. })), "{bad:?} {result:?}");
        };
        refused(SharedMemory::open(bad).map(drop));
        refused(SharedMemory::create_named(bad, 1).map(drop));
        refused(SharedMemory::unlink_named(bad));
    }
    let name = name("no_size");
    for result in [SharedMemory::create(0), SharedMemory::create_named(&name, 0)] {
        assert!(matches!(result, Err(ShmError::InvalidSize { size: 0 })), "{result:?}");
    }
    assert!(!exists(&name));
    Ok(())
}

// parity: shared_memory.attach-missing
fn missing_block_is_an_error() -> TestResult {
    let missing = name("missing");
    let result = SharedMemory::open(&missing);
    assert!(matches!(&result, Err(ShmError::NotFound { name }) if *name == missing), "{result:?}");
    Ok(())
}

// parity: shared_memory.double-unlink
fn name_can_be_unlinked_once() -> TestResult {
    let memory = SharedMemory::create(10)?;
    let same = SharedMemory::open(memory.name())?;
    same.unlink()?;
    for handle in [&memory, &same] {
        assert!(matches!(handle.unlink(), Err(ShmError::NotFound { .. })));
    }
    let result = SharedMemory::unlink_named(memory.name());
    assert!(matches!(result, Err(ShmError::NotFound { .. })));
    memory.buf().write(0, b"still ours")?;
    assert_eq!(same.buf().to_vec(), b"still ours");
    Ok(())
}

// parity: shared_memory.create-existing
fn name_in_use_is_not_taken() -> TestResult {
    let memory = SharedMemory::create(10)?;
    memory.buf().fill(7);
    let result = SharedMemory::create_named(memory.name(), 20);
    assert!(matches!(result, Err(ShmError::Exists { .. })), "{result:?}");
    assert_eq!(SharedMemory::open(memory.name())?.buf().to_vec(), [7; 10]);
    memory.unlink()?;
    Ok(())
}

// parity: shared_memory.create-or-attach
fn open_or_create_does_either() -> TestResult {
    let name = name("either");
    let made = SharedMemory::builder().open_or_create(&name, 10)?;
    made.buf().fill(7);
    let opened = SharedMemory::builder().open_or_create(&name, 99)?;
    assert_eq!(opened.buf().to_vec(), [7; 10]);
    made.unlink()?;
    Ok(())
}

// parity: shared_memory.serialise-same-block
fn block_in_a_message_is_the_same_memory() -> TestResult {
    let memory = SharedMemory::create(10)?;
    let restored: SharedMemory = wire::encode(&memory)?.decode()?;
    assert_eq!((restored.name(), restored.size()), (memory.name(), 10));
    memory.buf().write(0, b"there")?;
    assert_eq!(restored.buf().slice(..5)?.to_vec(), b"there");
    restored.buf().write(5, b"back!")?;
    assert_eq!(memory.buf().slice(5..)?.to_vec(), b"back!");
    restored.unlink()?;
    assert!(!exists(memory.name()));
    Ok(())
}

// parity: shared_memory.close-then-buffer, shared_memory.close-with-views
fn closed_handle_ends_only_its_own_use() -> TestResult {
    // That neither a handle nor a view outlives a close is checked by the compiler: see the doc test of `buf`.
    let memory = SharedMemory::create(10)?;
    let other = memory.clone();
    let view = other.buf();
    memory.close();
    view.write(0, b"still here")?;
    assert_eq!((other.name().len(), other.size()), (12, 10));
    assert_eq!(view.to_vec(), b"still here");
    other.unlink()?;
    other.close();
    Ok(())
}

// parity: shared_memory.drop-does-not-unlink
fn dropped_handle_leaves_the_block() -> TestResult {
    let memory = SharedMemory::create(10)?;
    let name = memory.name().to_owned();
    memory.buf().fill(3);
    drop(memory);
    let again = SharedMemory::open(&name)?;
    assert_eq!(again.buf().to_vec(), [3; 10]);
    again.unlink()?;
    Ok(())
}

// complaint: 26
fn all_handles_see_the_size_that_was_asked_for() -> TestResult {
    for size in [1, 4095, 4096, 4097, 100_000] {
        let memory = SharedMemory::create(size)?;
        let sizes = (memory.size(), SharedMemory::open(memory.name())?.size());
        memory.unlink()?;
        assert_eq!(sizes, (size, size));
        assert_eq!(wire::encode(&memory)?.decode::<SharedMemory>()?.size(), size);
    }
    Ok(())
}

// parity: shared_memory.untracked-option, tracker.shm-attach-untracked
// complaint: 3
fn another_program_that_does_not_track_leaves_the_block() -> TestResult {
    let memory = SharedMemory::create(10)?;
    // Not to track what one has only opened is what happens unless it is asked for.
    for scene in ["attach-untracked", "attach"] {
        let output = play(&[scene, memory.name()])?;
        assert!(output.status.success());
        assert_eq!(stderr(&output), "");
        SharedMemory::open(memory.name())?;
    }
    memory.unlink()?;

    let name = name("untracked");
    let output = play(&["make-untracked", &name])?;
    assert_eq!((output.status.success(), &*stderr(&output)), (true, ""));
    SharedMemory::unlink_named(&name)?;
    Ok(())
}

// parity: shared_memory.across-processes-by-name
fn child_opens_it_by_name(ctx: &Context) -> TestResult {
    let memory = SharedMemory::create(10)?;
    let write = |name: String| -> Result<(), multiproc::Failure> {
        Ok(SharedMemory::open(&name)?.buf().write(0, b"howdy")?)
    };
    ctx.start(write, (memory.name().to_owned(),))?.result()??;
    assert_eq!(memory.buf().slice(..5)?.to_vec(), b"howdy");
    memory.unlink()?;
    Ok(())
}

// parity: shared_memory.across-processes-by-handle
fn child_gets_the_handle(ctx: &Context) -> TestResult {
    let memory = SharedMemory::create(10)?;
    let write = |memory: SharedMemory| -> Result<SharedMemory, multiproc::Failure> {
        memory.buf().write(0, b"HELLO")?;
        Ok(memory)
    };
    // It needs no name for that.
    memory.unlink()?;
    let back = ctx.start(write, (memory.clone(),))?.result()??;
    assert_eq!(memory.buf().slice(..5)?.to_vec(), b"HELLO");
    back.buf().write(5, b"again")?;
    assert_eq!(memory.buf().to_vec(), b"HELLOagain");
    Ok(())
}

fn block_made_by_a_child_is_usable_when_it_has_ended(ctx: &Context) -> TestResult {
    let make = || -> Result<SharedMemory, multiproc::Failure> {
        let memory = SharedMemory::create(4)?;
        memory.buf().write(0, b"made")?;
        Ok(memory)
    };
    let memory = ctx.start(make, ())?.result()??;
    assert_eq!(memory.buf().to_vec(), b"made");
    // Whichever tracker knows it, it sees that we have it.
    assert_eq!(SharedMemory::open(memory.name())?.buf().to_vec(), b"made");
    memory.unlink()?;
    Ok(())
}
