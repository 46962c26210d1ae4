//! Reads of jobs. Where a job's record itself is answered it comes as its bytes: whoever shows it knows its fields.

use archive::nomad::{Job, JobSubmission, JobSummary, kinds};
use bytes::Bytes;

use super::purge::is_of;
use super::{JOB_SUMMARY, JOB_VERSION, JOBS, decode, version_id, versions_of};
use crate::nomad::{Answer, indexes, layout};
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
