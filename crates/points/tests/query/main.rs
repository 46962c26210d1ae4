//! What a collection answers: over four shards the same as over one, and as a plain scan of all points finds.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod equal;
mod formula;
mod kinds;
mod lookups;
mod pages;
mod world;
