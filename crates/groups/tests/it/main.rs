//! Whole groups, several to a process, with the faults that a network and a disk can have.

mod cluster;
mod common;
