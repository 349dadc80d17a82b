//! Behaviours: process.* of docs/parity.tsv.
