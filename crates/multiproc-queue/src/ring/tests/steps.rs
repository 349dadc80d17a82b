//! Kills after every instruction.
