//! Shards from outside: random histories against a model, optimising beside traffic, transfer, staging, kills.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod genuine;
mod history;
mod hostile;
mod kill;
mod kinds;
mod model;
mod operation;
mod optimise;
mod staging;
mod transfer;
