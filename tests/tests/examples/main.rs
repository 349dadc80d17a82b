//! Runs the examples and checks what they print.
//!
//! They are found in the folder that `MULTIPROC_EXAMPLES_DIR` names, or beside the test binary, where they are built
//! first: what lies there may be older than what it shows.

mod programs;
mod running;
mod tree;
mod hello;
mod shared_memory;
mod shared_values;
mod pools;
mod output;
mod arguments;
mod errors;
mod changes;
mod kills;
mod echo;
mod managers;
