//! The few system calls that `multiproc` stands on.
//!
//! Each module is one subject with one contract; the unsafe parts are fenced in here, so that the floors above can
//! forbid `unsafe` or nearly so.
//!
//! | module | what it does |
//! |---|---|
//! | [`packet`] | messages of any length with any number of descriptors, each sent and received whole |
//! | [`poll`] | waiting for descriptors against a deadline |
//! | [`memfd`] | bytes in a sealed file without a name |
//! | [`payload`] | such a file, filled again once nobody else has it open |
//! | [`ofd`] | locks on byte ranges that the kernel drops with their last descriptor |
//! | [`board`] | a page of numbers that two processes read and write at once |
//! | [`last_breath`] | noting that a process aborts for want of memory |
//! | [`pidfd`] | watching, signalling and reaping one exact process |
//! | [`exec`] | starting a program from a descriptor or a path, with nothing inherited that was not named |
//! | [`fork`] | fork, and fork as a sibling |
//! | [`lifeline`] | being killed by the kernel when another process ends |
//! | [`signals`] | ignoring SIGINT, and hearing of dead children |
//! | [`interrupt`] | hearing of Ctrl-C once, instead of being ended by it |
//! | [`threads`] | which threads this process has |
//! | [`descriptors`] | descriptor numbers: marking and moving them |
//! | [`attributes`] | what a process inherits from the one that starts it: umask, limits, nice, affinity |
//! | `readiness` | knowing in a tokio runtime when a descriptor is ready: with the feature `tokio` |
//! | [`futex`] | sleeping on a word of shared memory |
//! | [`pending`] | wake-ups that the kernel delivers for a thread that is killed |
//! | [`alive`] | a word that the kernel marks when a thread ends |
//! | [`primitive`] | the atomics, behind aliases |
//! | [`switch`] | turning kernel features off, so that tests run every fallback |
//!
//! Linux is the platform that is built and tested.

pub mod primitive;
pub mod switch;
pub mod poll;
pub mod memfd;
pub mod payload;
pub mod ofd;
pub mod barrier;
pub mod board;
pub mod last_breath;
pub mod packet;
pub mod pidfd;
pub mod descriptors;
pub mod attributes;
pub mod signals;
pub mod interrupt;
pub mod threads;
pub mod fork;
pub mod exec;
pub mod lifeline;
#[cfg(feature = "tokio")]
pub mod readiness;
pub mod futex;
pub mod pending;
pub mod alive;
