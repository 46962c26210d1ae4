//! Jobs, as state: what is registered is kept in versions, and nothing runs it.
//!
//! Follows `hashicorp/nomad:nomad/job_endpoint.go`, `nomad/fsm.go` and `nomad/state/state_store.go`, but that no
//! evaluation is made: there is no scheduler, and the status of a job says so.

mod children;
mod groups;
mod plugins;
mod purge;
mod query;
mod register;
mod scaling;
mod versions;

use std::collections::BTreeMap;

use archive::nomad::{Job, JobSubmission};
use serde::{Deserialize, Serialize};

pub use query::{
    Listed, Places, Scale, has_of_job, job, job_scale, job_submission, job_summary, job_version,
    job_versions, jobs, places, scaling_policies, scaling_policy,
};
pub use scaling::namespace_of;

use super::{Reply, layout};
use crate::nomad::refusal::Failure;
use crate::{Error, Txn, error, wire};

/// What the status of every job that was registered here says of itself.
pub const NOT_SCHEDULED: &str = "kept as registered: nothing is scheduled here";

const JOBS: &str = "jobs";
const JOB_VERSION: &str = "job_version";
const JOB_SUMMARY: &str = "job_summary";

/// A change to jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Registers a job, or a new version of it. Answered with [`Reply::Job`].
    Register(Registration),
    /// Stops a job, or removes all of it. Answered with [`Reply::Job`].
    Deregister {
        /// The job's namespace.
        namespace: String,
        /// The job.
        id: String,
        /// Whether nothing is kept.
        purge: bool,
    },
    /// Makes an older version the current one. Answered with [`Reply::Job`].
    Revert(Revert),
    /// Says whether a version is stable. Answered with [`Reply::Done`].
    SetStable {
        /// The job's namespace.
        namespace: String,
        /// The job.
        id: String,
        /// The version.
        version: u64,
        /// Whether it is.
        stable: bool,
    },
    /// Tags a version, or takes a tag away. Answered with [`Reply::Done`].
    Tag {
        /// The job's namespace.
        namespace: String,
        /// The job.
        id: String,
        /// What the tag is called.
        name: String,
        /// What is tagged; the tag goes, if nothing is.
        tagged: Option<Tagged>,
    },
    /// Changes how many instances a group has, or notes why not. Answered with [`Reply::Job`].
    Scale(ScaleRequest),
    /// Makes a job of a parameterized one. Answered with [`Reply::Child`].
    Dispatch(Dispatch),
    /// Makes a job of a periodic one. Answered with [`Reply::Child`].
    ForcePeriodic {
        /// The job's namespace.
        namespace: String,
        /// The job.
        id: String,
    },
}

/// A job to register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// What it is to be. Status, version, times and indexes are not looked at.
    #[serde(with = "wire")]
    pub job: Box<Job>,
    /// The source it was made from.
    #[serde(with = "wire::option")]
    pub submission: Option<JobSubmission>,
    /// The `JobModifyIndex` that it must have before; 0 if it must not exist.
    pub enforce_index: Option<u64>,
    /// Whether its groups have as many instances as before, whatever it says.
    #[serde(default)]
    pub preserve_counts: bool,
    /// Whether its tasks have the resources that they had before.
    #[serde(default)]
    pub preserve_resources: bool,
}

/// Which version of a job is to be the current one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revert {
    /// The job's namespace.
    pub namespace: String,
    /// The job.
    pub id: String,
    /// What it is to be again.
    pub version: u64,
    /// The version that it must have before.
    pub enforce_prior_version: Option<u64>,
    /// The accessor of the token that asks for it; that of the version, if none does.
    pub nomad_token_id: Option<String>,
}

/// What is tagged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tagged {
    /// The version.
    pub version: u64,
    /// What is said of it.
    pub description: String,
}

/// How a group is scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaleRequest {
    /// The job's namespace.
    pub namespace: String,
    /// The job.
    pub id: String,
    /// The group.
    pub group: String,
    /// To how many, unless something is only to be noted.
    pub count: Option<i64>,
    /// What is noted.
    pub message: String,
    /// Whether it is about an error.
    pub error: bool,
    /// What an autoscaler notes: one msgpack value.
    #[serde(with = "serde_bytes")]
    pub meta: Vec<u8>,
    /// The `JobModifyIndex` that it must have before, unless 0.
    pub job_modify_index: u64,
}

/// A job to make of a parameterized one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// The namespace of both.
    pub namespace: String,
    /// The parameterized job.
    pub id: String,
    /// What the payload takes before it is compressed.
    pub payload_bytes: usize,
    /// The payload, compressed by Snappy.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
    /// What is noted beside what the parameterized job notes.
    pub meta: BTreeMap<String, String>,
    /// Whoever says the same one twice gets the same job.
    pub idempotency_token: String,
    /// What the id has before the time.
    pub id_prefix_template: String,
    /// What the id ends with.
    pub suffix: String,
    /// That of the parameterized job, if 0.
    pub priority: i64,
}

pub(super) fn apply(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Failure> {
    match command {
        Command::Register(registration) => register::register(txn, registration),
        Command::Deregister { namespace, id, purge: true } => purge::purge(txn, &namespace, &id),
        Command::Deregister { namespace, id, purge: false } => register::stop(txn, &namespace, &id),
        Command::Revert(request) => versions::revert(txn, request),
        Command::SetStable { namespace, id, version, stable } => {
            versions::set_stable(txn, &namespace, &id, version, stable)
        }
        Command::Tag { namespace, id, name, tagged } => versions::tag(txn, &namespace, &id, &name, tagged),
        Command::Scale(request) => scaling::scale(txn, request),
        Command::Dispatch(request) => children::dispatch(txn, request),
        Command::ForcePeriodic { namespace, id } => children::force(txn, &namespace, &id),
    }
}

/// Where a version of a job is stored. It is also where its submission is.
fn version_id(namespace: &str, id: &str, version: u64) -> Vec<u8> {
    [&versions_of(namespace, id), version.to_be_bytes().as_slice()].concat()
}

/// What the ids of a job's versions begin with.
fn versions_of(namespace: &str, id: &str) -> Vec<u8> {
    layout::in_namespace(namespace, &[id.as_bytes(), &[0]].concat())
}

/// Fails on a job whose groups could not be changed later.
pub(super) fn check(job: &Job) -> Result<(), Error> {
    groups::check(job)
}

fn decode(bytes: &[u8]) -> Result<Job, Error> {
    Job::decode(bytes).map_err(|e| error::stored("job", e))
}
