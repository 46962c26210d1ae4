//! Jobs, as state: what is registered is kept in versions, and nothing runs it.
//!
//! Follows `hashicorp/nomad:nomad/job_endpoint.go`, `nomad/fsm.go` and `nomad/state/state_store.go`, but that no
//! evaluation is made: there is no scheduler, and the status of a job says so.

mod purge;
mod query;
mod register;
mod versions;

use archive::nomad::{Job, JobSubmission};
use serde::{Deserialize, Serialize};

pub use query::{Listed, has_of_job, job, job_submission, job_summary, job_versions, jobs};

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
}

pub(super) fn apply(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Failure> {
    match command {
        Command::Register(registration) => register::register(txn, registration),
        Command::Deregister { namespace, id, purge: true } => purge::purge(txn, &namespace, &id),
        Command::Deregister { namespace, id, purge: false } => register::stop(txn, &namespace, &id),
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

fn decode(bytes: &[u8]) -> Result<Job, Error> {
    Job::decode(bytes).map_err(|e| error::stored("job", e))
}
