//! The scheduler with workers that are told what to do: every order of events can be played.

mod play;
mod work;
mod pools;
