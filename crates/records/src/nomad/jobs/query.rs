//! Reads of jobs. Where a job's record itself is answered it comes as its bytes: whoever shows it knows its fields.

use archive::msgpack::Value;
use archive::nomad::{
    Job, JobScalingEvents, JobSubmission, JobSummary, Namespace, NodePool, ScalingPolicy,
    SchedulerConfiguration, kinds,
};
use bytes::Bytes;

use super::purge::is_of;
use super::{JOB_SUMMARY, JOB_VERSION, JOBS, decode, register, scaling, version_id, versions_of};
use crate::nomad::{Answer, DEFAULT_NAMESPACE, indexes, layout};
use crate::{Error, Read, error};

/// A job in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The job.
    pub job: Job,
    /// Its summary, which every job of a sound archive has.
    pub summary: Option<JobSummary>,
}

/// A job, as its record.
pub fn job(read: &dyn Read, namespace: &str, id: &str) -> Result<Answer<Option<Bytes>>, Error> {
    let found = read.get(kinds::JOB, &layout::in_namespace(namespace, id.as_bytes()))?;
    let index = match &found {
        Some(bytes) => decode(bytes)?.modify_index,
        None => table(read, JOBS)?,
    };
    Ok(answer(read, index, found))
}

/// The jobs of a namespace, or of all, whose ids begin with `prefix`.
pub fn jobs(read: &dyn Read, namespace: Option<&str>, prefix: &str) -> Result<Answer<Vec<Listed>>, Error> {
    let start = namespace.map(|namespace| layout::in_namespace(namespace, prefix.as_bytes()));
    let mut found = Vec::new();
    for entry in read.scan(kinds::JOB, start.as_deref().unwrap_or_default()) {
        let (key, bytes) = entry?;
        let job = decode(&bytes)?;
        if job.id.starts_with(prefix) {
            found.push(Listed { job, summary: summary(read, &key)? });
        }
    }
    let index = table(read, JOBS)?.max(table(read, JOB_SUMMARY)?);
    Ok(answer(read, index, found))
}

/// The versions of a job, as their records, the latest first.
pub fn job_versions(read: &dyn Read, namespace: &str, id: &str) -> Result<Answer<Vec<Bytes>>, Error> {
    let versions = read.scan(kinds::JOB_VERSION, &versions_of(namespace, id)).map(|entry| Ok(entry?.1));
    let mut found = versions.collect::<Result<Vec<_>, Error>>()?;
    found.reverse();
    let index = match found.first() {
        Some(bytes) => decode(bytes)?.modify_index,
        None => table(read, JOB_VERSION)?,
    };
    Ok(answer(read, index, found))
}

/// A version of a job, as its record.
pub fn job_version(read: &dyn Read, namespace: &str, id: &str, version: u64) -> Result<Option<Bytes>, Error> {
    read.get(kinds::JOB_VERSION, &version_id(namespace, id, version))
}

/// How many allocations of a job are in which state.
pub fn job_summary(read: &dyn Read, namespace: &str, id: &str) -> Result<Answer<Option<JobSummary>>, Error> {
    let found = summary(read, &layout::in_namespace(namespace, id.as_bytes()))?;
    let index = match &found {
        Some(summary) => summary.modify_index,
        None => table(read, JOB_SUMMARY)?,
    };
    Ok(answer(read, index, found))
}

/// The source of a version of a job.
pub fn job_submission(
    read: &dyn Read,
    namespace: &str,
    id: &str,
    version: u64,
) -> Result<Answer<Option<JobSubmission>>, Error> {
    let found = read.get(kinds::JOB_SUBMISSION, &version_id(namespace, id, version))?;
    let found = found.map(|bytes| JobSubmission::decode(&bytes)).transpose();
    let found = found.map_err(|e| error::stored("job submission", e))?;
    // These have no index of their own.
    let index = match &found {
        Some(submission) => submission.job_modify_index,
        None => table(read, JOBS)?,
    };
    Ok(answer(read, index, found))
}

/// A job and how it was scaled, both as their records.
pub type Scale = (Bytes, Option<Bytes>);

/// A job, and how it was scaled.
pub fn job_scale(read: &dyn Read, namespace: &str, id: &str) -> Result<Answer<Option<Scale>>, Error> {
    let key = layout::in_namespace(namespace, id.as_bytes());
    let Some(job) = read.get(kinds::JOB, &key)? else { return Ok(answer(read, read.index(), None)) };
    let events = read.get(kinds::SCALING_EVENTS, &key)?;
    let of_events = match &events {
        Some(bytes) => {
            let events = JobScalingEvents::decode(bytes).map_err(|e| error::stored("scaling events", e))?;
            events.modify_index
        }
        None => 0,
    };
    let index = decode(&job)?.modify_index.max(of_events);
    Ok(answer(read, index, Some((job, events))))
}

/// The scaling policies whose ids begin with `prefix`.
pub fn scaling_policies(read: &dyn Read, prefix: &str) -> Result<Answer<Vec<ScalingPolicy>>, Error> {
    let found = scaling::all(read, prefix)?;
    Ok(answer(read, table(read, "scaling_policy")?, found))
}

/// A scaling policy, as its record.
pub fn scaling_policy(read: &dyn Read, id: &str) -> Result<Answer<Option<Bytes>>, Error> {
    let found = read.get(kinds::SCALING_POLICY, id.as_bytes())?;
    let index = match &found {
        Some(bytes) => {
            ScalingPolicy::decode(bytes).map_err(|e| error::stored("scaling policy", e))?.modify_index
        }
        None => table(read, "scaling_policy")?,
    };
    Ok(answer(read, index, found))
}

/// What the state says about where a job is to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    /// The namespace, if there is one.
    pub namespace: Option<Namespace>,
    /// Whether there is such a node pool.
    pub has_pool: bool,
    /// Whether tasks there may use more memory than they ask for.
    pub oversubscribes: bool,
    /// Whether jobs are refused, but for management tokens.
    pub rejects: bool,
}

/// What the state says about a namespace and a node pool.
pub fn places(read: &dyn Read, namespace: &str, pool: &str) -> Result<Places, Error> {
    // The default one is there before its record is.
    let is_default = namespace == DEFAULT_NAMESPACE;
    let built_in = || Namespace { name: namespace.to_owned(), ..Namespace::default() };
    let found = crate::nomad::namespace(read, namespace)?.value;
    let namespace = found.or_else(|| is_default.then(built_in));
    let found = read.get(kinds::NODE_POOL, pool.as_bytes())?;
    let config = read.get(kinds::SCHEDULER_CONFIG, b"")?;
    let config = config.map(|bytes| SchedulerConfiguration::decode(&bytes)).transpose();
    let config = config.map_err(|e| error::stored("scheduler configuration", e))?.unwrap_or_default();
    let found = found.map(|bytes| NodePool::decode(&bytes)).transpose();
    let found = found.map_err(|e| error::stored("node pool", e))?;
    let own = found.as_ref().and_then(|pool| {
        let own = pool.scheduler_configuration.value();
        own.get("MemoryOversubscriptionEnabled").and_then(Value::as_bool)
    });
    Ok(Places {
        namespace,
        has_pool: found.is_some() || register::BUILT_IN_POOLS.contains(&pool),
        oversubscribes: own.unwrap_or(config.memory_oversubscription),
        rejects: config.reject_job_registration,
    })
}

/// Whether there is a record of this type, one of those that name a job in fields, for a job.
pub fn has_of_job(read: &dyn Read, kind: u8, namespace: &str, id: &str) -> Result<Answer<bool>, Error> {
    let mut found = false;
    for entry in read.scan(kind, b"") {
        let (_, bytes) = entry?;
        found |= is_of(&bytes, namespace, id);
    }
    let name = match kind {
        kinds::EVAL => "evals",
        kinds::ALLOC => "allocs",
        kinds::SERVICE_REGISTRATION => "service_registrations",
        _ => "deployment",
    };
    Ok(answer(read, table(read, name)?, found))
}

fn summary(read: &dyn Read, key: &[u8]) -> Result<Option<JobSummary>, Error> {
    let found = read.get(kinds::JOB_SUMMARY, key)?;
    found.map(|bytes| JobSummary::decode(&bytes)).transpose().map_err(|e| error::stored("job summary", e))
}

fn table(read: &dyn Read, name: &str) -> Result<u64, Error> {
    Ok(indexes::of(read, name)?.unwrap_or_default())
}

fn answer<T>(read: &dyn Read, index: u64, value: T) -> Answer<T> {
    Answer { index: index.max(read.floor()), value }
}
