//! The only place that knows the Raft library: its types, and what stands between them and ours.
//!
//! [`log`] and [`machine`] are the library's storage, [`network`] its way out, [`serve`] the way in,
//! [`transfer`] moves snapshots, [`observe`] watches, [`config`] and [`convert`] translate.

pub(crate) mod config;
#[cfg(test)]
mod conformance;
pub(crate) mod convert;
#[cfg(test)]
mod hostile;
pub(crate) mod log;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod observe;
pub(crate) mod serve;
pub(crate) mod transfer;

use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_std;
use openraft::rt::deterministic_rng::DeterministicRng;
use openraft_rt_tokio::TokioRuntime;
use serde::{Deserialize, Serialize};

use crate::types::NodeId;

/// Tokio, with every random choice drawn from a seed. Tasks inherit it, so a group is started within
/// `Runtime::scope(seed, ..)`.
pub(crate) type Runtime = DeterministicRng<TokioRuntime>;

openraft::declare_raft_types!(
    /// One set of types for all groups; what differs between them is bytes to this crate.
    pub(crate) Types:
        D = Command,
        R = Reply,
        NodeId = NodeId,
        Node = Contact,
        Term = u64,
        LeaderId = leader_id_std::LeaderId<u64, NodeId>,
        AsyncRuntime = Runtime,
);

pub(crate) type Raft<S> = openraft::Raft<Types, machine::Machine<S>>;
pub(crate) type LogId = openraft::alias::LogIdOf<Types>;
pub(crate) type Vote = openraft::alias::VoteOf<Types>;
pub(crate) type RaftEntry = openraft::alias::EntryOf<Types>;
pub(crate) type StoredMembership = openraft::alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<Types>;
pub(crate) type Snapshot<S> = openraft::alias::SnapshotOf<Types, machine::Carried<S>>;

/// A member without its id, which the library keeps beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) address: String,
    pub(crate) name: String,
}

/// A command of the state machine; bytes to the library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command(pub(crate) Bytes);

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The state machine's reply; bytes to the library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply(pub(crate) Vec<u8>);

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
