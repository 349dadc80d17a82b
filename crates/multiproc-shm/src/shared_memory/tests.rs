//! What one process can see; tests/tests/shared_memory/ has the rest.

use super::*;

fn name(test: &str) -> String {
    format!("multiproc-{test}-{}", std::process::id())
}

#[test]
fn unlinked_name_is_free_for_another_block_which_the_old_handle_spares() {
    let name = name("spared");
    let first = SharedMemory::builder().track(false).create_named(&name, 10).unwrap();
    first.unlink().unwrap();
    let second = SharedMemory::builder().track(false).create_named(&name, 20).unwrap();
    assert!(matches!(first.unlink(), Err(ShmError::NotFound { .. })));
    assert_eq!(SharedMemory::open(&name).unwrap().size(), 20);
    second.unlink().unwrap();
}

#[test]
fn memory_is_reserved_when_it_is_made_and_when_it_is_opened() {
    let committed = |memory: &SharedMemory| rustix::fs::fstat(memory).unwrap().st_blocks * 512;
    let made = SharedMemory::builder().track(false).create(100_000).unwrap();
    assert!(100_000 <= committed(&made));
    made.unlink().unwrap();

    // As Python makes them.
    let name = name("sparse");
    let file = place::create_named(&name).unwrap();
    assert!(matches!(SharedMemory::open(&name), Err(ShmError::Empty { .. })));
    rustix::fs::ftruncate(&file, 100_000).unwrap();
    let unreserved = SharedMemory::builder().reserve(false).open(&name).unwrap();
    assert_eq!(committed(&unreserved), 0);
    let opened = SharedMemory::open(&name).unwrap();
    assert!(100_000 <= committed(&opened));
    opened.unlink().unwrap();
}

#[test]
fn impossible_sizes_and_files_are_errors() {
    let huge = SharedMemory::builder().track(false).create(1 << 46);
    assert!(matches!(huge, Err(ShmError::NoSpace { .. })), "{huge:?}");
    let name = name("huge");
    let file = place::create_named(&name).unwrap();
    rustix::fs::ftruncate(&file, 1 << 46).unwrap();
    assert!(matches!(SharedMemory::open(&name), Err(ShmError::NoSpace { .. })));
    SharedMemory::unlink_named(&name).unwrap();

    let name = self::name("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        format!("/dev/shm/{name}"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(matches!(SharedMemory::open(&name), Err(ShmError::Os { .. })));
    SharedMemory::unlink_named(&name).unwrap();
}

#[test]
fn parcels_that_lie_are_refused() {
    let memory = SharedMemory::builder().track(false).create(100).unwrap();
    memory.unlink().unwrap();
    let parcel = |name: &str, size| {
        let file = memory.0.file.clone();
        let parcel = Parcel { name: name.into(), size, file, line: None };
        multiproc_wire::encode(&parcel).unwrap().decode::<SharedMemory>()
    };
    assert_eq!(parcel("a", 100).unwrap().size(), 100);
    for (name, size) in [("a", 101), ("a", 0), ("a", u64::MAX), ("../a", 100), ("", 100)] {
        assert!(parcel(name, size).is_err(), "{name:?} {size}");
    }
}
