//! The control state machine: typed records in tables; apply, capture, stage, commit, undo.
//!
//! Knows no HTTP, no clock and no replication. Records are kept in the bytes in which archives carry them.

pub mod consul;
pub mod nomad;
pub mod qdrant;
pub mod store;

mod acl;
mod command;
mod duration;
mod error;
mod hcl;
mod key;
mod machine;
mod meta;
mod overlay;
mod quote;
mod scope;
mod stage;
mod tables;
mod totals;
mod transfer;
mod txn;
mod view;
mod wire;

pub use command::{COMMAND_VERSION, Command, Commit, Document, Op, Refusal, Reply};
pub use duration::GoDuration;
pub use error::Error;
pub use key::ID_BYTES_MAX;
pub use machine::{Entry, Records};
pub use meta::{Applied, Generation, Position, Previous, ScopeState};
pub use scope::Scope;
pub use stage::{INDEX_MAX, Source, Staged};
pub use tables::{Entries, Read};
pub use totals::{Total, Totals};
pub use transfer::Transfer;
pub use txn::{Mark, Txn};
pub use view::{Record, View};
