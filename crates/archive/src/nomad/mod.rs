//! Nomad's records: their types, what each is about, and the fields of those that are understood
//! (`hashicorp/nomad:nomad/fsm.go`). Framing and checks are [`crate::state`]'s; the format is described in
//! `docs/formats/nomad.md`.

pub mod kinds;

mod acl;
mod cluster;
mod csi;
mod jobs;
mod scaling;
mod variables;

mod identity;

pub(crate) mod inspect;

use std::io::Read;

pub use acl::{AclPolicy, AclRole, AclToken, Capabilities, Choice, JobAcl, Namespace, PolicyLink, RoleLink};
pub use cluster::{ClusterMetadata, NodePool, Preemption, SchedulerConfiguration};
pub use csi::{CsiPlugin, JobDescription, JobDescriptions};
pub use identity::identity;
pub use jobs::{ChildrenSummary, GroupSummary, Job, JobSubmission, JobSummary, UpdateStrategy};
pub use scaling::{JobScalingEvents, ScalingEvent, ScalingPolicy};
pub use variables::{Blob, KeyInfo, RootKey, Variable, VariableLock, VariablesQuota, WrappedKey};

/// The last index of a table: the same two fields as Consul's, in the same order.
pub use crate::consul::IndexEntry;
use crate::state::{self, Error, Fault, Id, Options, Product, Verdict};

/// Reads an archive of Nomad's to its end, see [`state::verify`].
pub fn verify(archive: impl Read, options: Options) -> Result<Verdict, Error> {
    state::verify(archive, Some(Product::Nomad), options)
}

/// Decodes the record as far as its structure is known and says what it is about.
pub(crate) fn decode(kind: u8, bytes: &[u8]) -> Result<Id, Fault> {
    match kind {
        kinds::INDEX => IndexEntry::decode(bytes).map(drop)?,
        kinds::JOB | kinds::JOB_VERSION => Job::decode(bytes).map(drop)?,
        kinds::JOB_SUMMARY => JobSummary::decode(bytes).map(drop)?,
        kinds::JOB_SUBMISSION => JobSubmission::decode(bytes).map(drop)?,
        kinds::SCALING_POLICY => ScalingPolicy::decode(bytes).map(drop)?,
        kinds::SCALING_EVENTS => JobScalingEvents::decode(bytes).map(drop)?,
        kinds::CSI_PLUGIN => CsiPlugin::decode(bytes).map(drop)?,
        kinds::ACL_POLICY => AclPolicy::decode(bytes).map(drop)?,
        kinds::ACL_TOKEN => AclToken::decode(bytes).map(drop)?,
        kinds::ACL_ROLE => AclRole::decode(bytes).map(drop)?,
        kinds::NAMESPACE => Namespace::decode(bytes).map(drop)?,
        kinds::NODE_POOL => NodePool::decode(bytes).map(drop)?,
        kinds::SCHEDULER_CONFIG => SchedulerConfiguration::decode(bytes).map(drop)?,
        kinds::CLUSTER_METADATA => ClusterMetadata::decode(bytes).map(drop)?,
        kinds::VARIABLE => Variable::decode(bytes).map(drop)?,
        kinds::VARIABLES_QUOTA => VariablesQuota::decode(bytes).map(drop)?,
        kinds::ROOT_KEY => RootKey::decode(bytes).map(drop)?,
        _ => {}
    }
    identity(kind, bytes)
}
