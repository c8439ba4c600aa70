//! The audit: every invariant, from committed state.
