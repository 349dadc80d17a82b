//! Memory with a name: Python's behaviours, Python as the other end, and what killed programs leave behind (nothing).

multiproc::auto_init!();

mod programs;
mod blocks;
mod lists;
mod tracking;
mod kills;
mod interop;
mod room;
