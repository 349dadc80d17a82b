//! The heap in one process, and around forks.

use std::alloc::Layout;

use multiproc_sys::primitive::Ordering;

use super::*;

fn bytes(len: usize) -> Block {
    Block::new(Layout::from_size_align(len, 1).unwrap()).unwrap()
}

#[test]
fn blocks_are_zeroed_apart_and_as_long_as_asked() {
    let blocks: Vec<Block> = (0..200).map(bytes).collect();
    for (len, block) in blocks.iter().enumerate() {
        assert_eq!(block.len(), len);
        assert_eq!(block.bytes().to_vec(), vec![0; len]);
        block.bytes().fill(len as u8);
    }
    for (len, block) in blocks.iter().enumerate() {
        assert_eq!(block.bytes().to_vec(), vec![len as u8; len]);
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
    let other: Vec<Block> = (0..100).map(|_| bytes(8)).collect();
    let back: Block = message.decode().unwrap();
    assert_eq!(back.atomic_u64(0).load(Ordering::Relaxed), 7);
    assert!(other.iter().all(|other| other.as_ptr() != back.as_ptr()));
    assert!(!back.is_held_elsewhere());
    assert_eq!(back.handles_here(), 1);
}

#[test]
fn two_arrivals_are_the_same_memory() {
    let block = bytes(8);
    let there: Block = multiproc_wire::encode(&block).unwrap().decode().unwrap();
    assert_eq!(there.as_ptr(), block.as_ptr());
    assert_eq!((block.handles_here(), there.clone().handles_here()), (2, 3));
}
