//! The storm.
