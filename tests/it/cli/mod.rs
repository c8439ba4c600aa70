//! The command line, as scripts see it: real processes, each with a data directory of its own.

mod absent;
mod bench;
mod canary;
mod config;
mod dead_letters;
mod every;
mod gateway;
mod help;
mod inventory;
mod order;
mod refunds;
mod report;
mod seed;
mod signals;
mod stores;

use crate::place::Place;
