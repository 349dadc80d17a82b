//! The heap in one process.

use std::{alloc::Layout, fs::File, os::fd::OwnedFd, sync::Arc};

use multiproc_sys::{memfd, primitive::Ordering};
use multiproc_wire::{CommonHandle, Handle, Message};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use super::{hold::Hold, table::Heap, *};
use crate::Segment;

fn bytes(len: usize) -> Block {
    Block::new(Layout::from_size_align(len, 1).unwrap()).unwrap()
}

/// A heap that no other test uses; its blocks have to be released by hand.
fn take(heap: &mut Heap, len: usize) -> Arc<Hold> {
    heap.allocate(len, 16).unwrap()
}

fn check(heap: &Heap) {
    let usage = heap.usage();
    let mut total = (0, 0);
    for attachment in heap.segments.values() {
        let pieces = attachment.pieces();
        assert_eq!(pieces[0].0, 64);
        for pair in pieces.windows(2) {
            assert_eq!(pair[0].0 + pair[0].1, pair[1].0, "neither gap nor overlap");
            assert!(!(pair[0].2 && pair[1].2), "free neighbours are merged");
        }
        let last = pieces[pieces.len() - 1];
        total.0 += last.0 + last.1;
        total.1 += pieces.iter().filter(|piece| piece.2).map(|piece| piece.1).sum::<usize>();
    }
    assert_eq!(total, (usage.bytes, usage.free));
}

// parity: heap.block-accounting
// parity: heap.all-freed
#[test]
fn free_and_taken_bytes_are_all_there_are_and_all_come_back() {
    let mut heap = Heap::default();
    let mut held: Vec<Arc<Hold>> = Vec::new();
    // Sizes of which the large ones are rare, as in CPython's own test.
    let sizes = (0.0f64..11.0, 0usize..50);
    let mut runner = TestRunner::deterministic();
    for round in 0..5000 {
        let (exponent, place) = sizes.new_tree(&mut runner).unwrap().current();
        held.push(take(&mut heap, exponent.exp() as usize));
        if held.len() > 50 {
            let gone = held.swap_remove(place);
            drop(heap.release(&gone));
        }
        if round % 50 == 0 {
            check(&heap);
        }
    }
    check(&heap);
    held.iter().for_each(|hold| drop(heap.release(hold)));
    check(&heap);
    let usage = heap.usage();
    assert_eq!((usage.held, usage.lent), (0, 0));
    assert!(usage.segments <= 4, "the newest of each kind is kept: {usage:?}");
    assert_eq!(usage.free, usage.bytes - 64 * usage.segments);
}

// parity: heap.block-reuse-merge
#[test]
fn two_free_neighbours_serve_one_block_of_both_sizes() {
    let mut heap = Heap::default();
    let blocks: Vec<_> = (0..3).map(|_| take(&mut heap, 512)).collect();
    let rest: Vec<_> = (0..124).map(|_| take(&mut heap, 512)).collect();
    assert_eq!(heap.usage().segments, 1);
    drop(heap.release(&blocks[0]));
    drop(heap.release(&blocks[1]));
    let both = take(&mut heap, 1024);
    assert_eq!((both.start(), heap.usage().segments), (blocks[0].start(), 1));
    check(&heap);
    drop(rest);
}

// parity: heap.alignment
#[test]
fn sizes_are_rounded_up_to_16_and_seen_as_asked() {
    let mut heap = Heap::default();
    let taken = |heap: &Heap| {
        let usage = heap.usage();
        usage.bytes - usage.free - 64 * usage.segments
    };
    for (len, size) in [(13, 16), (0, 16), (16, 16), (17, 32)] {
        let before = taken(&heap);
        let hold = take(&mut heap, len);
        assert_eq!(hold.bytes().len(), len);
        assert_eq!(taken(&heap) - before, size);
        assert!(hold.start().addr().get().is_multiple_of(16));
    }
    for power in 0..=12 {
        let block = Block::new(Layout::from_size_align(5000, 1 << power).unwrap()).unwrap();
        assert!(block.as_ptr().addr().get().is_multiple_of(1 << power));
        let large = Block::new(Layout::from_size_align(2 << 20, 1 << power).unwrap()).unwrap();
        assert!(large.as_ptr().addr().get().is_multiple_of(1 << power));
    }
}

// parity: heap.size-errors
#[test]
fn what_cannot_be_had_is_an_error() {
    let most = Layout::from_size_align(isize::MAX as usize, 1).unwrap();
    let err = Block::new(most).unwrap_err();
    assert!(err.to_string().starts_with("a block of 9223372036854775807 bytes: "), "{err}");
    let err = Block::new(Layout::from_size_align(1 << 46, 1).unwrap()).unwrap_err();
    assert!(err.is_exhausted(), "{err}");
    let err = Block::new(Layout::from_size_align(8, 8192).unwrap()).unwrap_err();
    assert_eq!(err.to_string(), "a block aligned to 8192 bytes: at most 4096 can be had");
    assert!(!err.is_exhausted());
}

// parity: heap.arena-growth
#[test]
fn segments_are_whole_pages_double_and_are_given_back() {
    let mut heap = Heap::default();
    let mut held = Vec::new();
    let mut sizes = Vec::new();
    while sizes.len() < 6 {
        held.push(take(&mut heap, 1024));
        let bytes = heap.usage().bytes;
        if sizes.iter().sum::<usize>() < bytes {
            sizes.push(bytes - sizes.iter().sum::<usize>());
        }
    }
    assert_eq!(sizes, [64 << 10, 128 << 10, 256 << 10, 512 << 10, 512 << 10, 512 << 10]);
    let large = take(&mut heap, (5 << 20) + 1);
    assert_eq!(heap.usage().bytes - sizes.iter().sum::<usize>(), (5 << 20) + 4096);
    drop(heap.release(&large));
    assert_eq!(heap.usage().segments, 6, "a large block's is given back with it");
    held.iter().for_each(|hold| drop(heap.release(hold)));
    let usage = heap.usage();
    assert_eq!((usage.segments, usage.bytes), (1, 512 << 10), "the newest is kept");
}

// parity: heap.arena-anonymous-file
#[test]
fn segments_are_files_without_a_name() {
    let block = bytes(10);
    block.bytes().set(0, &7u8).unwrap();
    let message = multiproc_wire::encode(&block).unwrap();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&message.handles[0]));
    let link = std::fs::read_link(link).unwrap();
    assert_eq!(link.to_str(), Some("/memfd:multiproc (deleted)"));
    assert!(memfd::is_fixed(&message.handles[0]), "nobody can cut it short");
}

#[test]
fn blocks_are_zeroed_apart_and_as_long_as_asked() {
    for _ in 0..2 {
        let blocks: Vec<Block> = (0..200).map(bytes).collect();
        for (len, block) in blocks.iter().enumerate() {
            assert_eq!((block.len(), block.is_empty()), (len, len == 0));
            assert_eq!(block.bytes().to_vec(), vec![0; len]);
            block.bytes().fill(len as u8);
        }
        for (len, block) in blocks.iter().enumerate() {
            assert_eq!(block.bytes().to_vec(), vec![len as u8; len]);
        }
    }
}

#[test]
fn message_holds_what_it_carries() {
    let block = bytes(8);
    assert!(!block.is_held_elsewhere());
    let message = multiproc_wire::encode(&block).unwrap();
    assert!(block.is_held_elsewhere());
    block.atomic_u64(0).store(7, Ordering::Relaxed);
    drop(block);
    let others: Vec<Block> = (0..10_000).map(|_| bytes(8)).collect();
    let back: Block = message.decode().unwrap();
    assert_eq!(back.atomic_u64(0).load(Ordering::Relaxed), 7);
    assert!(others.iter().all(|other| other.as_ptr() != back.as_ptr()));
    assert_eq!(back.handles_here(), 1);
    // A program that another test starts may have a copy of the message's descriptor until it runs.
    while back.is_held_elsewhere() {
        std::thread::yield_now();
    }
}

#[test]
fn two_arrivals_are_the_same_memory() {
    let block = bytes(8);
    let there: Block = multiproc_wire::encode(&block).unwrap().decode().unwrap();
    assert_eq!(there.as_ptr(), block.as_ptr());
    assert_eq!((block.handles_here(), there.clone().handles_here()), (2, 3));
}

#[test]
fn message_can_be_read_more_than_once_and_holds_until_it_is_dropped() {
    let block = bytes(8);
    let message = multiproc_wire::encode(&block).unwrap();
    let again = || Message { bytes: message.bytes.clone(), handles: message.handles.clone() };
    drop(block);
    for _ in 0..3 {
        let back: Block = again().decode().unwrap();
        assert!(back.is_held_elsewhere(), "by the message");
    }
    let others: Vec<Block> = (0..10_000).map(|_| bytes(8)).collect();
    let back: Block = again().decode().unwrap();
    assert!(others.iter().all(|other| other.as_ptr() != back.as_ptr()));
}

#[test]
fn thousand_blocks_travel_with_one_descriptor() {
    let mut blocks: Vec<Block> = (0..1000).map(|_| bytes(24)).collect();
    blocks.sort_by_key(|block| block.as_ptr());
    let message = multiproc_wire::encode(&blocks).unwrap();
    assert!(message.handles.len() <= 5, "{}", message.handles.len());
    drop(blocks);
    let back: Vec<Block> = message.decode().unwrap();
    assert_eq!(back.len(), 1000);
}

/// A message that says of `file` what is not so.
fn lie(file: impl Into<Handle>, offset: u64, len: u64) -> Result<Block, String> {
    #[derive(serde::Serialize)]
    struct Sent(Wrapped, u64, u64, bool);
    struct Wrapped(Handle);
    impl serde::Serialize for Wrapped {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let common = CommonHandle::of_message(("test", 0, 0), || Ok(self.0.clone()));
            common.unwrap().serialize(serializer)
        }
    }
    let message = multiproc_wire::encode(&Sent(Wrapped(file.into()), offset, len, false)).unwrap();
    message.decode().map_err(|err| format!("{err:?}"))
}

#[test]
fn lies_are_refused() {
    let null = OwnedFd::from(File::open("/dev/null").unwrap());
    assert!(lie(null, 64, 8).is_err());
    let other = Segment::new(4096).unwrap();
    assert!(lie(other.handle(), 64, 8).unwrap_err().contains("not one of the heap"));
    // One that says it is of the heap: it has the right beginning, and nobody here made it.
    let foreign = Segment::new(8192).unwrap();
    foreign.bytes().write(0, b"mpheap01").unwrap();
    for (offset, len) in [
        (0, 8),
        (48, 16),
        (65, 8),
        (64, u64::MAX),
        (u64::MAX - 15, 16),
        (8192, 0),
        (8192 - 16, 17),
        (1 << 40, 8),
    ] {
        let refused = lie(foreign.handle(), offset, len);
        assert!(refused.is_err(), "{offset} {len}");
    }
    let good = lie(foreign.handle(), 64, 100).unwrap();
    assert_eq!(good.len(), 100);
    for (offset, len) in [(64, 99), (80, 8), (160, 16)] {
        assert!(lie(foreign.handle(), offset, len).is_err(), "{offset} {len}");
    }
    assert!(lie(foreign.handle(), 176, 16).is_ok());
    // One that we have made: only what is there can come home.
    let ours = bytes(40);
    let handle = multiproc_wire::encode(&ours).unwrap().handles[0].clone();
    assert!(lie(handle, 64 << 10, 40).is_err());
}

#[test]
#[should_panic(expected = "an aligned number within the block")]
fn number_beyond_the_block_is_not_lent() {
    let _ = bytes(16).atomic_u64(12);
}
