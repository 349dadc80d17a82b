//! Behaviours: misc.* of docs/parity.tsv.
