//! The versions of a job that are kept, and the sources they were made from.

use archive::msgpack::{Encoder, Value};
use archive::nomad::{Job, JobSubmission, kinds};
use archive::state::Opaque;

use super::register::{self, Asked};
use super::{JOB_VERSION, JOBS, Revert, Tagged, decode, version_id, versions_of};
use crate::nomad::indexes::touch;
use crate::nomad::refusal::{Failure, Refusal};
use crate::nomad::{Reply, layout, time_ns};
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

/// Goes back to an older version, as a new one.
pub(super) fn revert(txn: &mut Txn<'_>, request: Revert) -> Result<Reply, Failure> {
    let refuse = |text: String| Err(Failure::from(Refusal::Failed(text)));
    let Revert { namespace, id, version, enforce_prior_version, nomad_token_id } = request;
    let key = layout::in_namespace(&namespace, id.as_bytes());
    let Some(current) = txn.get(kinds::JOB, &key)? else { return refuse(format!("job {id:?} not found")) };
    let current = decode(&current)?;
    if current.version == version {
        return refuse("can't revert to current version".into());
    }
    let Some(bytes) = txn.get(kinds::JOB_VERSION, &version_id(&namespace, &id, version))? else {
        return Err(missing(&namespace, &id, version).into());
    };
    if let Some(expected) = enforce_prior_version.filter(|expected| *expected != current.version) {
        return refuse(format!("Current job has version {}; enforcing version {expected}", current.version));
    }
    let mut job = decode(&bytes)?;
    // The tag stays where it is.
    job.version_tag = Opaque::default();
    if let Some(accessor) = nomad_token_id {
        job.nomad_token_id = accessor;
    }
    let source = txn.get(kinds::JOB_SUBMISSION, &version_id(&namespace, &id, version))?;
    let submission = source.map(|bytes| JobSubmission::decode(&bytes)).transpose();
    let submission = submission.map_err(|e| error::stored("job submission", e))?;
    register::apply(txn, job, &bytes, Asked { submission, ..Asked::default() })
}

fn missing(namespace: &str, id: &str, version: u64) -> Refusal {
    Refusal::Failed(format!("job {id:?} in namespace {namespace:?} at version {version} not found"))
}

/// Says whether a version is stable.
pub(super) fn set_stable(
    txn: &mut Txn<'_>,
    namespace: &str,
    id: &str,
    version: u64,
    stable: bool,
) -> Result<Reply, Failure> {
    let Some(bytes) = txn.get(kinds::JOB_VERSION, &version_id(namespace, id, version))? else {
        return Err(missing(namespace, id, version).into());
    };
    let mut job = decode(&bytes)?;
    if job.stable != stable {
        job.stable = stable;
        change(txn, job, &bytes)?;
    }
    Ok(Reply::Done { index: txn.index() })
}

/// Tags a version, or takes the tag called `name` away.
pub(super) fn tag(
    txn: &mut Txn<'_>,
    namespace: &str,
    id: &str,
    name: &str,
    tagged: Option<Tagged>,
) -> Result<Reply, Failure> {
    let refuse = |text: String| Err(Failure::from(Refusal::Failed(text)));
    let kept = all(txn, namespace, id)?;
    let bears_it = |job: &&Job| {
        let tag = job.version_tag.value();
        tag.get("Name").and_then(Value::as_str) == Some(name)
    };
    let bearer = kept.iter().find(bears_it);
    let (version, tag) = match tagged {
        None => match bearer {
            Some(bearer) => (bearer.version, Opaque::default()),
            None => return refuse(format!("tag {name:?} not found on job {id:?}")),
        },
        Some(Tagged { version, description }) => {
            if bearer.is_some_and(|bearer| bearer.version != version) {
                return refuse(format!("tag {name:?} already exists on a different version of job {id:?}"));
            }
            let mut out = Encoder::with_signed_codes();
            out.map(3).raw("Name").raw(name).raw("Description").raw(&description);
            out.raw("TaggedTime").int(time_ns(txn.at_ms()));
            let tag = Opaque::new(out.into_bytes()).map_err(|e| error::stored("tag", e))?;
            (version, tag)
        }
    };
    let Some(bytes) = txn.get(kinds::JOB_VERSION, &version_id(namespace, id, version))? else {
        return refuse(format!("job {id:?} version {version} not found"));
    };
    let mut job = decode(&bytes)?;
    job.version_tag = tag;
    change(txn, job, &bytes)?;
    Ok(Reply::Done { index: txn.index() })
}

/// Changes what is no part of the specification: the version stays, and the job with it if it is the current one.
fn change(txn: &mut Txn<'_>, mut job: Job, before: &[u8]) -> Result<(), Error> {
    job.modify_index = txn.index();
    let bytes = job.encode_over(before);
    let key = layout::in_namespace(&job.namespace, job.id.as_bytes());
    let current = txn.get(kinds::JOB, &key)?.map(|bytes| decode(&bytes)).transpose()?;
    if current.is_some_and(|current| current.version == job.version) {
        txn.put(kinds::JOB, &key, bytes.clone().into())?;
        touch(txn, JOBS)?;
    }
    add(txn, &job, bytes)
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
