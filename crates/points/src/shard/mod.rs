//! One shard of a collection as a state machine: it applies the entries of a log to a directory of the engine,
//! makes them durable, and lets itself be captured, optimised and replaced while it is read.

mod capture;
mod engine;
mod entry;
mod files;
mod generation;
mod keeper;
mod machine;
mod meter;
mod optimise;
mod spool;
mod staging;
mod transfer;
mod vet;

pub use capture::{Capture, SegmentFile, SegmentFiles};
pub use entry::{Applied, Entry, Position, Reply};
pub use keeper::Keeper;
pub use machine::{FREE_BYTES_MIN, Options, Shard, Status};
pub use staging::{Staged, Staging};
