//! Integration tests: one binary.

mod cli;
mod contracts;
mod make;
mod model;
