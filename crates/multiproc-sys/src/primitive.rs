//! The atomics, behind aliases: the one door through which the other crates use them.
//!
//! `clippy.toml` bans the types of `std::sync::atomic` everywhere else, so that a model checker can stand in here.

#![expect(clippy::disallowed_types, reason = "this is the door that the ban points to")]

pub use std::sync::atomic::{Ordering, compiler_fence, fence};

/// An atomic `bool`.
pub type AtomicBool = std::sync::atomic::AtomicBool;
/// An atomic `u8`.
pub type AtomicU8 = std::sync::atomic::AtomicU8;
/// An atomic `u16`.
pub type AtomicU16 = std::sync::atomic::AtomicU16;
/// An atomic `u32`.
pub type AtomicU32 = std::sync::atomic::AtomicU32;
/// An atomic `i32`.
pub type AtomicI32 = std::sync::atomic::AtomicI32;
/// An atomic `u64`.
pub type AtomicU64 = std::sync::atomic::AtomicU64;
/// An atomic `usize`.
pub type AtomicUsize = std::sync::atomic::AtomicUsize;
/// An atomic pointer.
pub type AtomicPtr<T> = std::sync::atomic::AtomicPtr<T>;
