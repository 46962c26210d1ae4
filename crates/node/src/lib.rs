//! The heart of a server: scopes, save, restore, undo, blobs, catalog and tasks, one implementation for all
//! dialects. Knows no HTTP; dialects know no storage.

mod access;
mod ahead;
mod blobs;
mod bootstrap;
mod catalog;
mod clock;
#[cfg(feature = "qdrant")]
pub mod collections;
mod data_dir;
mod digest;
mod error;
mod gauges;
mod known;
mod machine;
mod metrics;
mod node;
mod nomad_access;
mod peers;
mod restore;
mod root_keys;
mod save;
mod scope;
mod secret;
mod sessions;
mod settings;
mod setup;
#[cfg(feature = "qdrant")]
mod shelf;
mod stager;
mod tasklog;
mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod timers;
mod upkeep;
mod variables;

pub use access::AccessSettings;
pub use blobs::{Blob, Digest};
pub use catalog::{Name, Snapshot};
pub use clock::{Clock, SystemClock, rfc3339};
pub use data_dir::Identity;
pub use error::{Error, Kind, Result};
pub use metrics::{Metrics, OperationLabels};
pub use node::{Node, Parts, Seen};
pub use peers::{NoPeers, Peers};
#[cfg(feature = "qdrant")]
pub use points;
pub use records::consul::acl::DefaultPolicy;
pub use restore::{Body, Origin, Plan, RestoreRequest, Restored, Undone, Verified, body_of, body_of_file};
pub use save::{Capture, Consistency, Freshness};
#[cfg(feature = "qdrant")]
pub use scope::PointsScope;
pub use scope::Scope;
pub use secret::Secret;
pub use settings::Settings;
#[cfg(feature = "qdrant")]
pub use shelf::FileRefusal;
pub use tasks::{Failure, Step, Task, TaskKind, TaskState};
pub use variables::Renewal;
