//! Values and arrays in shared memory: Python's behaviours, and that there is one reference to the data at most.

multiproc::auto_init!();

mod values;
mod arrays;
mod objects;
mod travels;
mod guards;
mod deaths;
