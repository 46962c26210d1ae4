//! Whole groups, several to a process, with the faults that a network and a disk can have.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is all it can do")]

mod chaos;
mod cluster;
mod common;
mod durability;
mod kill;
