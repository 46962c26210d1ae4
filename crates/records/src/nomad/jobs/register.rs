//! Registering a job, and stopping it.

use std::collections::BTreeMap;

use archive::msgpack::{Encoder, Time, Value};
use archive::nomad::{ChildrenSummary, GroupSummary, Job, JobSubmission, JobSummary, kinds};

use super::{
    JOB_SUMMARY, JOBS, NOT_SCHEDULED, Registration, children, decode, groups, plugins, scaling, version_id,
    versions,
};
use crate::nomad::indexes::touch;
use crate::nomad::refusal::{Failure, Refusal};
use crate::nomad::{DEFAULT_NAMESPACE, Reply, layout, time_ns};
use crate::{Error, ID_BYTES_MAX, Read, Txn, error};

/// Pools that always exist.
pub(super) const BUILT_IN_POOLS: [&str; 2] = ["default", "all"];

pub(super) fn register(txn: &mut Txn<'_>, registration: Registration) -> Result<Reply, Failure> {
    let Registration { job, submission, enforce_index, preserve_counts, preserve_resources } = registration;
    let bytes = job.encode();
    let preserve = Preserve { counts: preserve_counts, resources: preserve_resources };
    apply(txn, *job, &bytes, Asked { submission, enforce_index, preserve })
}

/// What a job is to keep of its version before.
#[derive(Default)]
pub(super) struct Preserve {
    counts: bool,
    resources: bool,
}

/// What is asked for beside the job itself.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) submission: Option<JobSubmission>,
    pub(super) enforce_index: Option<u64>,
    pub(super) preserve: Preserve,
}

/// Registers a job as a new version of what there is. `bytes` is what its record is written over.
pub(super) fn apply(txn: &mut Txn<'_>, mut job: Job, bytes: &[u8], asked: Asked) -> Result<Reply, Failure> {
    check_id(&job.namespace, &job.id)?;
    check_places(txn, &job)?;
    let key = layout::in_namespace(&job.namespace, job.id.as_bytes());
    let before = txn.get(kinds::JOB, &key)?.map(|bytes| decode(&bytes)).transpose()?;
    if let Some(expected) = asked.enforce_index {
        enforce(expected, before.as_ref())?;
    }
    if let Some(before) = &before {
        check_kind(before, &job)?;
    }
    scaling::keep_ids(&mut job, before.as_ref())?;
    if let Some(before) = &before {
        if !has_changed(before, &job)? {
            let index = before.modify_index;
            return Ok(Reply::Job { index, job_modify_index: index });
        }
        if asked.preserve.counts {
            let counts: BTreeMap<String, i64> =
                groups::of(before).iter().map(|group| (group.name().to_owned(), group.count())).collect();
            groups::set_counts(&mut job, |group| counts.get(group).copied())?;
        }
        if asked.preserve.resources {
            groups::take_resources(&mut job, before)?;
        }
    }
    job.stable = false;
    job.version = before.as_ref().map_or(0, |before| before.version.saturating_add(1));
    store(txn, job, bytes, before.as_ref(), asked.submission)?;
    Ok(done(txn.index()))
}

pub(super) fn stop(txn: &mut Txn<'_>, namespace: &str, id: &str) -> Result<Reply, Failure> {
    let key = layout::in_namespace(namespace, id.as_bytes());
    let Some(before) = txn.get(kinds::JOB, &key)? else {
        return Ok(Reply::Job { index: 0, job_modify_index: 0 });
    };
    check_id(namespace, id)?;
    let mut job = decode(&before)?;
    job.stop = true;
    // Nobody is to scale what does not run.
    groups::change_scaling(&mut job, |policy| policy.enabled = false)?;
    update(txn, job, &before)?;
    Ok(done(txn.index()))
}

/// Stores a changed job as its next version, made from the same source.
pub(super) fn update(txn: &mut Txn<'_>, mut job: Job, before: &[u8]) -> Result<(), Error> {
    let source = txn.get(kinds::JOB_SUBMISSION, &version_id(&job.namespace, &job.id, job.version))?;
    let source = source.map(|bytes| JobSubmission::decode(&bytes)).transpose();
    let source = source.map_err(|e| error::stored("job submission", e))?;
    job.version = job.version.saturating_add(1);
    store(txn, job, before, Some(&decode(before)?), source)
}

/// Stores a version of a job, and what comes with it. `bytes` is what the record is written over.
pub(super) fn store(
    txn: &mut Txn<'_>,
    mut job: Job,
    bytes: &[u8],
    before: Option<&Job>,
    submission: Option<JobSubmission>,
) -> Result<(), Error> {
    job.create_index = before.map_or(txn.index(), |before| before.create_index);
    scaling::store(txn, &mut job)?;
    let bytes = put(txn, &mut job, |job| job.encode_over(bytes))?;
    versions::add(txn, &job, bytes)?;
    summarize(txn, &job)?;
    children::tell(txn, &job, before.map(|before| before.status.as_str()), &job.status)?;
    plugins::update(txn, before, &job)?;
    if let Some(submission) = submission {
        versions::submit(txn, &job, submission)?;
    }
    if !job.periodic.is_nil() {
        remember_launch(txn, &job)?;
    }
    Ok(())
}

fn done(index: u64) -> Reply {
    Reply::Job { index, job_modify_index: index }
}

/// Stores the job with what a server sets at each change of it.
fn put(txn: &mut Txn<'_>, job: &mut Job, encode: impl Fn(&Job) -> Vec<u8>) -> Result<Vec<u8>, Error> {
    job.status = if job.stop { "dead" } else { "pending" }.to_owned();
    job.status_description = NOT_SCHEDULED.to_owned();
    job.submit_time_ns = time_ns(txn.at_ms());
    (job.modify_index, job.job_modify_index) = (txn.index(), txn.index());
    let bytes = encode(job);
    txn.put(kinds::JOB, &layout::in_namespace(&job.namespace, job.id.as_bytes()), bytes.clone().into())?;
    touch(txn, JOBS)?;
    Ok(bytes)
}

/// Genuine servers have no limit; ours is that of keys.
pub(super) fn check_id(namespace: &str, id: &str) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::Failed(text.to_owned()));
    match version_id(namespace, id, 0).len() {
        _ if id.is_empty() => refuse("Missing job ID"),
        _ if id.contains('\0') => refuse("Job ID contains a null character"),
        ID_BYTES_MAX.. => refuse("Job ID is too long"),
        _ => Ok(()),
    }
}

fn check_places(txn: &Txn<'_>, job: &Job) -> Result<(), Failure> {
    let refuse = |what: String| {
        let fault = format!("1 error occurred:\n\t* job {:?} is in {what}\n\n", job.id);
        Failure::from(Refusal::Failed(fault))
    };
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

pub(super) fn enforce(expected: u64, before: Option<&Job>) -> Result<(), Refusal> {
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
    match before.dispatched == job.dispatched {
        true => Ok(()),
        false => refuse("field 'Dispatched' is read-only".into()),
    }
}

/// Whether anything differs that clients say.
fn has_changed(before: &Job, job: &Job) -> Result<bool, Error> {
    let plain = |job: &Job| {
        let mut plain = Job {
            status: String::new(),
            status_description: String::new(),
            stable: false,
            version: 0,
            submit_time_ns: 0,
            create_index: 0,
            modify_index: 0,
            job_modify_index: 0,
            ..job.clone()
        };
        // In genuine servers these count, but not as anything that somebody said.
        groups::change_scaling(&mut plain, |policy| (policy.create_index, policy.modify_index) = (0, 0))?;
        Ok::<_, Error>(plain)
    };
    Ok(plain(before)? != plain(job)?)
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
    let summaries = summary.summary.get_or_insert_with(BTreeMap::new);
    let known = summaries.len();
    for group in groups::of(job) {
        summaries.entry(group.name().to_owned()).or_insert_with(GroupSummary::default);
    }
    if before.is_some() && summaries.len() == known {
        return Ok(());
    }
    summary.modify_index = txn.index();
    let bytes = summary.encode_over(before.as_deref().unwrap_or_default());
    txn.put(kinds::JOB_SUMMARY, &key, bytes.into())?;
    touch(txn, JOB_SUMMARY)
}

/// A genuine server that restores a periodic job without a launch does not become leader. The first launch is
/// the time of the registration.
fn remember_launch(txn: &mut Txn<'_>, job: &Job) -> Result<(), Error> {
    let key = layout::in_namespace(&job.namespace, job.id.as_bytes());
    match txn.get(kinds::PERIODIC_LAUNCH, &key)? {
        Some(_) => Ok(()),
        None => launch(txn, &job.namespace, &job.id),
    }
}

/// Notes that a periodic job is launched now.
pub(super) fn launch(txn: &mut Txn<'_>, namespace: &str, id: &str) -> Result<(), Error> {
    let key = layout::in_namespace(namespace, id.as_bytes());
    let (at_ms, index) = (txn.at_ms(), txn.index());
    let created = match txn.get(kinds::PERIODIC_LAUNCH, &key)? {
        Some(bytes) => Value::decode(&bytes).ok().and_then(|launch| launch.get("CreateIndex")?.as_u64()),
        None => None,
    };
    let nanos = u32::try_from(at_ms % 1000).unwrap_or_default() * 1_000_000;
    let launch = Time::from_unix(i64::try_from(at_ms / 1000).unwrap_or(i64::MAX), nanos);
    let mut out = Encoder::with_signed_codes();
    out.map(5).raw("ID").raw(id).raw("Namespace").raw(namespace).raw("Launch").time(launch);
    out.raw("CreateIndex").uint(created.unwrap_or(index)).raw("ModifyIndex").uint(index);
    txn.put(kinds::PERIODIC_LAUNCH, &key, out.into_bytes().into())?;
    touch(txn, "periodic_launch")
}
