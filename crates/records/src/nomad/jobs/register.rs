//! Registering a job, and stopping it.

use std::collections::BTreeMap;

use archive::msgpack::{Encoder, Time, Value};
use archive::nomad::{ChildrenSummary, GroupSummary, Job, JobSubmission, JobSummary, kinds};

use super::{JOB_SUMMARY, JOBS, NOT_SCHEDULED, Registration, decode, purge, version_id, versions};
use crate::nomad::indexes::touch;
use crate::nomad::refusal::{Failure, Refusal};
use crate::nomad::{DEFAULT_NAMESPACE, Reply, layout};
use crate::{Error, ID_BYTES_MAX, Read, Txn, error};

/// Pools that always exist.
const BUILT_IN_POOLS: [&str; 2] = ["default", "all"];

pub(super) fn register(txn: &mut Txn<'_>, registration: Registration) -> Result<Reply, Failure> {
    let Registration { mut job, submission, enforce_index } = registration;
    check_id(&job.namespace, &job.id)?;
    check_places(txn, &job)?;
    let key = layout::in_namespace(&job.namespace, job.id.as_bytes());
    let before = txn.get(kinds::JOB, &key)?.map(|bytes| decode(&bytes)).transpose()?;
    if let Some(expected) = enforce_index {
        enforce(expected, before.as_ref())?;
    }
    if let Some(before) = &before {
        check_kind(before, &job)?;
        if !has_changed(before, &job) {
            let index = before.modify_index;
            return Ok(Reply::Job { index, job_modify_index: index });
        }
    }
    job.dispatched = before.as_ref().is_some_and(|before| before.dispatched);
    job.stable = false;
    job.version = before.as_ref().map_or(0, |before| before.version.saturating_add(1));
    job.create_index = before.as_ref().map_or(txn.index(), |before| before.create_index);
    let bytes = put(txn, &mut job, |job| job.encode())?;
    versions::add(txn, &job, bytes)?;
    summarize(txn, &job)?;
    purge::scaling_policies(txn, &job.namespace, &job.id)?;
    if let Some(submission) = submission {
        versions::submit(txn, &job, submission)?;
    }
    if !job.periodic.is_nil() {
        remember_launch(txn, &job)?;
    }
    Ok(done(txn.index()))
}

pub(super) fn stop(txn: &mut Txn<'_>, namespace: &str, id: &str) -> Result<Reply, Failure> {
    let key = layout::in_namespace(namespace, id.as_bytes());
    let Some(before) = txn.get(kinds::JOB, &key)? else {
        return Ok(Reply::Job { index: 0, job_modify_index: 0 });
    };
    check_id(namespace, id)?;
    let mut job = decode(&before)?;
    let source = txn.get(kinds::JOB_SUBMISSION, &version_id(namespace, id, job.version))?;
    job.stop = true;
    job.version = job.version.saturating_add(1);
    let bytes = put(txn, &mut job, |job| job.encode_over(&before))?;
    versions::add(txn, &job, bytes)?;
    summarize(txn, &job)?;
    if let Some(source) = source {
        let source = JobSubmission::decode(&source).map_err(|e| error::stored("job submission", e))?;
        versions::submit(txn, &job, source)?;
    }
    Ok(done(txn.index()))
}

fn done(index: u64) -> Reply {
    Reply::Job { index, job_modify_index: index }
}

/// Stores the job with what a server sets at each change of it.
fn put(txn: &mut Txn<'_>, job: &mut Job, encode: impl Fn(&Job) -> Vec<u8>) -> Result<Vec<u8>, Error> {
    job.status = if job.stop { "dead" } else { "pending" }.to_owned();
    job.status_description = NOT_SCHEDULED.to_owned();
    job.submit_time_ns = i64::try_from(txn.at_ms()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    (job.modify_index, job.job_modify_index) = (txn.index(), txn.index());
    let bytes = encode(job);
    txn.put(kinds::JOB, &layout::in_namespace(&job.namespace, job.id.as_bytes()), bytes.clone().into())?;
    touch(txn, JOBS)?;
    Ok(bytes)
}

/// Genuine servers have no limit; ours is that of keys.
fn check_id(namespace: &str, id: &str) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::Failed(text.to_owned()));
    match version_id(namespace, id, 0).len() {
        _ if id.is_empty() => refuse("Missing job ID"),
        _ if id.contains('\0') => refuse("Job ID contains a null character"),
        ID_BYTES_MAX.. => refuse("Job ID is too long"),
        _ => Ok(()),
    }
}

fn check_places(txn: &Txn<'_>, job: &Job) -> Result<(), Failure> {
    let refuse = |what: String| Failure::from(Refusal::Failed(format!("job {:?} is in {what}", job.id)));
    let is_default = job.namespace == DEFAULT_NAMESPACE;
    if !is_default && txn.get(kinds::NAMESPACE, job.namespace.as_bytes())?.is_none() {
        return Err(refuse(format!("nonexistent namespace {:?}", job.namespace)));
    }
    let is_built_in = BUILT_IN_POOLS.contains(&job.node_pool.as_str());
    if !is_built_in && txn.get(kinds::NODE_POOL, job.node_pool.as_bytes())?.is_none() {
        return Err(refuse(format!("nonexistent node pool {:?}", job.node_pool)));
    }
    Ok(())
}

fn enforce(expected: u64, before: Option<&Job>) -> Result<(), Refusal> {
    let refuse = |text: String| Err(Refusal::Failed(format!("Enforcing job modify index {text}")));
    match (expected, before) {
        (0, Some(_)) => refuse("0: job already exists".into()),
        (_, Some(before)) if expected != before.job_modify_index => refuse(format!(
            "{expected}: job exists with conflicting job modify index: {}",
            before.job_modify_index
        )),
        (1.., None) => refuse(format!("{expected}: job does not exist")),
        _ => Ok(()),
    }
}

fn check_kind(before: &Job, job: &Job) -> Result<(), Refusal> {
    let refuse = |text: String| Err(Refusal::Failed(text));
    if before.kind != job.kind {
        return refuse(format!("cannot update job from type {:?} to {:?}", before.kind, job.kind));
    }
    for (name, was, is) in [
        ("periodic", !before.periodic.is_nil(), !job.periodic.is_nil()),
        ("parameterized", !before.parameterized_job.is_nil(), !job.parameterized_job.is_nil()),
    ] {
        match (was, is) {
            (true, false) => return refuse(format!("cannot update {name} job to being non-{name}")),
            (false, true) => return refuse(format!("cannot update non-{name} job to being {name}")),
            _ => {}
        }
    }
    Ok(())
}

/// Whether anything differs that clients say.
fn has_changed(before: &Job, job: &Job) -> bool {
    let mut same = job.clone();
    same.status.clone_from(&before.status);
    same.status_description.clone_from(&before.status_description);
    same.stable = before.stable;
    same.dispatched = before.dispatched;
    same.version = before.version;
    same.submit_time_ns = before.submit_time_ns;
    same.create_index = before.create_index;
    same.modify_index = before.modify_index;
    same.job_modify_index = before.job_modify_index;
    same != *before
}

/// Every job has a summary, and every group of it an entry there.
fn summarize(txn: &mut Txn<'_>, job: &Job) -> Result<(), Error> {
    let key = layout::in_namespace(&job.namespace, job.id.as_bytes());
    let before = txn.get(kinds::JOB_SUMMARY, &key)?;
    let mut summary = match &before {
        Some(bytes) => JobSummary::decode(bytes).map_err(|e| error::stored("job summary", e))?,
        None => JobSummary {
            job_id: job.id.clone(),
            namespace: job.namespace.clone(),
            children: Some(ChildrenSummary::default()),
            create_index: txn.index(),
            ..JobSummary::default()
        },
    };
    let groups = summary.summary.get_or_insert_with(BTreeMap::new);
    let known = groups.len();
    for name in group_names(job) {
        groups.entry(name).or_insert_with(GroupSummary::default);
    }
    if before.is_some() && groups.len() == known {
        return Ok(());
    }
    summary.modify_index = txn.index();
    let bytes = summary.encode_over(before.as_deref().unwrap_or_default());
    txn.put(kinds::JOB_SUMMARY, &key, bytes.into())?;
    touch(txn, JOB_SUMMARY)
}

fn group_names(job: &Job) -> Vec<String> {
    let groups = job.task_groups.value();
    let names = groups.as_array().unwrap_or_default().iter().filter_map(|group| group.get("Name"));
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A genuine server that restores a periodic job without a launch does not become leader. The first launch is
/// the time of the registration.
fn remember_launch(txn: &mut Txn<'_>, job: &Job) -> Result<(), Error> {
    let key = layout::in_namespace(&job.namespace, job.id.as_bytes());
    if txn.get(kinds::PERIODIC_LAUNCH, &key)?.is_some() {
        return Ok(());
    }
    let (at_ms, index) = (txn.at_ms(), txn.index());
    let nanos = u32::try_from(at_ms % 1000).unwrap_or_default() * 1_000_000;
    let launch = Time::from_unix(i64::try_from(at_ms / 1000).unwrap_or(i64::MAX), nanos);
    let mut out = Encoder::with_signed_codes();
    out.map(5).raw("ID").raw(&job.id).raw("Namespace").raw(&job.namespace).raw("Launch").time(launch);
    out.raw("CreateIndex").uint(index).raw("ModifyIndex").uint(index);
    txn.put(kinds::PERIODIC_LAUNCH, &key, out.into_bytes().into())?;
    touch(txn, "periodic_launch")
}
