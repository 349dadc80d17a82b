//! Behaviours: start_methods.* of docs/parity.tsv.
