//! Runs the examples and checks what they print.
//!
//! They are found in the folder that `MULTIPROC_EXAMPLES_DIR` names, or beside the test binary, and are built if they
//! are not there.

mod programs;
mod tree;
mod hello;
mod shared_memory;
mod output;
mod arguments;
mod errors;
mod changes;
mod kills;
mod echo;
