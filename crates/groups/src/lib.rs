//! Replication: one [`Group`] for any [`StateMachine`], by Raft, over any [`Network`], with its log in one file.
//!
//! Knows nothing of records, HTTP or archive formats. The Raft library stays behind `raft`: none of its types
//! leaves this crate, and nothing stored or sent depends on them.

mod error;
mod group;
pub mod log;
mod machine;
pub mod members;
mod network;
mod raft;
mod status;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod timing;
mod types;

pub use self::error::{Error, Result};
pub use self::group::{COMMAND_BYTES_MAX, Group, Setup};
pub use self::log::Log;
pub use self::machine::{Snapshot, StateMachine};
pub use self::members::{Member, Members};
pub use self::network::{Lane, Network, Request, Response, Unreachable};
pub use self::status::{Role, Status};
pub use self::timing::Timing;
pub use self::types::{Applied, Entry, NodeId, Payload, Position};
