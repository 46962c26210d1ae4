//! The versions of a job that are kept, and the sources they were made from.

use archive::nomad::{Job, JobSubmission, kinds};

use super::{JOB_VERSION, decode, version_id, versions_of};
use crate::nomad::indexes::touch;
use crate::{Error, Read, Txn, error};

/// So many versions are kept, and those with a tag besides.
const TRACKED_VERSIONS: usize = 6;

/// Keeps a version; its record is the job's.
pub(super) fn add(txn: &mut Txn<'_>, job: &Job, bytes: Vec<u8>) -> Result<(), Error> {
    txn.put(kinds::JOB_VERSION, &version_id(&job.namespace, &job.id, job.version), bytes.into())?;
    touch(txn, JOB_VERSION)?;
    let mut kept = all(txn, &job.namespace, &job.id)?;
    kept.retain(|version| version.version_tag.is_nil());
    kept.reverse();
    if kept.len() <= TRACKED_VERSIONS {
        return Ok(());
    }
    // The latest stable version is what a failed deployment goes back to.
    if kept.iter().position(|version| version.stable) == Some(TRACKED_VERSIONS) {
        kept.swap(TRACKED_VERSIONS - 1, TRACKED_VERSIONS);
    }
    let last = version_id(&job.namespace, &job.id, kept[TRACKED_VERSIONS].version);
    txn.remove(kinds::JOB_VERSION, &last).map(drop)
}

/// The versions of a job, the oldest first.
fn all(txn: &Txn<'_>, namespace: &str, id: &str) -> Result<Vec<Job>, Error> {
    let versions = txn.scan(kinds::JOB_VERSION, &versions_of(namespace, id));
    versions.map(|entry| decode(&entry?.1)).collect()
}

/// Keeps the source of a version, unless it has one.
pub(super) fn submit(txn: &mut Txn<'_>, job: &Job, submission: JobSubmission) -> Result<(), Error> {
    let key = version_id(&job.namespace, &job.id, job.version);
    if txn.get(kinds::JOB_SUBMISSION, &key)?.is_some() {
        return Ok(());
    }
    let submission = JobSubmission {
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        version: job.version,
        job_modify_index: txn.index(),
        ..submission
    };
    txn.put(kinds::JOB_SUBMISSION, &key, submission.encode().into())?;
    let mut kept = txn
        .scan(kinds::JOB_SUBMISSION, &versions_of(&job.namespace, &job.id))
        .map(|entry| JobSubmission::decode(&entry?.1).map_err(|e| error::stored("job submission", e)))
        .map(|submission| submission.map(|submission| (submission.job_modify_index, submission.version)))
        .collect::<Result<Vec<_>, Error>>()?;
    kept.sort_unstable();
    let outdated = kept.len().saturating_sub(TRACKED_VERSIONS);
    for (_, version) in kept.into_iter().take(outdated) {
        txn.remove(kinds::JOB_SUBMISSION, &version_id(&job.namespace, &job.id, version))?;
    }
    Ok(())
}
