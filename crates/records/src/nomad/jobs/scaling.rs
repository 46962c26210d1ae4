//! Scaling: the policies that come and go with a job, and changes of how many instances a group has
//! (`hashicorp/nomad:nomad/job_endpoint.go`, `nomad/state/state_store.go`).

use std::collections::BTreeMap;

use archive::nomad::{Job, JobScalingEvents, ScalingEvent, ScalingPolicy, kinds};
use archive::state::Opaque;

use super::{ScaleRequest, decode, groups, register};
use crate::nomad::indexes::touch;
use crate::nomad::refusal::{Failure, Refusal};
use crate::nomad::{Reply, layout, time_ns};
use crate::{Error, ID_BYTES_MAX, Read, Txn, error};

const POLICIES: &str = "scaling_policy";
const EVENTS: &str = "scaling_event";

/// So many events are kept of each group.
const TRACKED_EVENTS: usize = 20;

/// What tells the policies of a job apart: the type, the group, the task.
fn key(policy: &ScalingPolicy) -> [String; 3] {
    [policy.kind.clone(), target(policy, "Group").to_owned(), target(policy, "Task").to_owned()]
}

fn target<'a>(policy: &'a ScalingPolicy, what: &str) -> &'a str {
    policy.target.as_ref().and_then(|target| target.get(what)).map(String::as_str).unwrap_or_default()
}

/// Whether a policy is of a job.
pub(super) fn is_of(policy: &ScalingPolicy, namespace: &str, id: &str) -> bool {
    target(policy, "Namespace") == namespace && target(policy, "Job") == id
}

/// The namespace that a policy is in.
pub fn namespace_of(policy: &ScalingPolicy) -> &str {
    target(policy, "Namespace")
}

/// Gives the policies of a job the ids that they have had before.
pub(super) fn keep_ids(job: &mut Job, before: Option<&Job>) -> Result<(), Error> {
    let Some(before) = before else { return Ok(()) };
    let before = groups::scaling(before)?;
    // An archive may bring anything for an id.
    let fitting = before.into_iter().filter(|policy| (1..=ID_BYTES_MAX).contains(&policy.id.len()));
    let known: BTreeMap<[String; 3], String> = fitting.map(|policy| (key(&policy), policy.id)).collect();
    groups::change_scaling(job, |policy| {
        if let Some(id) = known.get(&key(policy)) {
            policy.id.clone_from(id);
        }
    })
}

/// Stores the policies of a job, and removes those that it has no longer. What is stored for the first time, or
/// changed, has its indexes in the job too.
pub(super) fn store(txn: &mut Txn<'_>, job: &mut Job) -> Result<(), Error> {
    let before: BTreeMap<[String; 3], ScalingPolicy> =
        of_job(txn, &job.namespace, &job.id)?.into_iter().map(|policy| (key(&policy), policy)).collect();
    let index = txn.index();
    let mut changed = Vec::new();
    let mut wanted = Vec::new();
    groups::change_scaling(job, |policy| {
        (policy.create_index, policy.modify_index) = (0, 0);
        let before = before.get(&key(policy));
        wanted.push(key(policy));
        let as_before = |before: &ScalingPolicy| ScalingPolicy {
            id: before.id.clone(),
            create_index: before.create_index,
            modify_index: before.modify_index,
            ..policy.clone()
        };
        if before.is_some_and(|before| as_before(before) == *before) {
            return;
        }
        if let Some(before) = before {
            policy.id.clone_from(&before.id);
        }
        policy.create_index = before.map_or(index, |before| before.create_index);
        policy.modify_index = index;
        changed.push(policy.clone());
    })?;
    let gone: Vec<_> = before.iter().filter(|(key, _)| !wanted.contains(key)).collect();
    for (_, policy) in &gone {
        txn.remove(kinds::SCALING_POLICY, policy.id.as_bytes())?;
    }
    for policy in changed.iter().filter(|policy| (1..=ID_BYTES_MAX).contains(&policy.id.len())) {
        let before = txn.get(kinds::SCALING_POLICY, policy.id.as_bytes())?;
        let bytes = policy.encode_over(before.as_deref().unwrap_or_default());
        txn.put(kinds::SCALING_POLICY, policy.id.as_bytes(), bytes.into())?;
    }
    if gone.is_empty() && changed.is_empty() { Ok(()) } else { touch(txn, POLICIES) }
}

/// Removes the policies of a job.
pub(super) fn remove(txn: &mut Txn<'_>, namespace: &str, id: &str) -> Result<(), Error> {
    let found = of_job(txn, namespace, id)?;
    for policy in &found {
        txn.remove(kinds::SCALING_POLICY, policy.id.as_bytes())?;
    }
    if found.is_empty() { Ok(()) } else { touch(txn, POLICIES) }
}

fn of_job(read: &dyn Read, namespace: &str, id: &str) -> Result<Vec<ScalingPolicy>, Error> {
    let mut found = all(read, "")?;
    found.retain(|policy| is_of(policy, namespace, id));
    Ok(found)
}

/// The policies whose ids begin with `prefix`.
pub(super) fn all(read: &dyn Read, prefix: &str) -> Result<Vec<ScalingPolicy>, Error> {
    let records = read.scan(kinds::SCALING_POLICY, prefix.as_bytes());
    let policies = records.map(|entry| ScalingPolicy::decode(&entry?.1).map_err(stored));
    policies.collect()
}

fn stored(malformed: archive::msgpack::Error) -> Error {
    error::stored("scaling policy", malformed)
}

/// Scales a group, or notes why it was not.
pub(super) fn scale(txn: &mut Txn<'_>, request: ScaleRequest) -> Result<Reply, Failure> {
    let invalid = |text: &str| Err(Failure::from(Refusal::Invalid(text.to_owned())));
    let ScaleRequest { namespace, id, group, count, message, error, meta, job_modify_index } = request;
    if group.is_empty() {
        return invalid("missing task group name for scaling action");
    }
    match count {
        Some(..0) => return invalid("scaling action count can't be negative"),
        Some(_) if error => return invalid("scaling action should not contain count if error is true"),
        _ => {}
    }
    let key = layout::in_namespace(&namespace, id.as_bytes());
    let Some(before) = txn.get(kinds::JOB, &key)? else {
        return Err(Refusal::NotFound(format!("job {id:?} not found")).into());
    };
    let mut job = decode(&before)?;
    if job.kind == "system" && count > Some(1) {
        return invalid("jobs of type \"system\" can only be scaled between 0 and 1");
    }
    let counts: Vec<(String, i64)> =
        groups::of(&job).iter().map(|group| (group.name().to_owned(), group.count())).collect();
    let Some((_, previous)) = counts.iter().find(|(name, _)| *name == group) else {
        return invalid(&format!("task group {group:?} specified for scaling does not exist in job"));
    };
    let mut changed = job.modify_index;
    if let Some(count) = count {
        check(&job, &group, count)?;
        let total =
            counts.iter().map(|(_, count)| *count).fold(count.saturating_sub(*previous), i64::saturating_add);
        if total > COUNT_MAX {
            let text =
                format!("total count was greater than configured job_max_count: {total} > {COUNT_MAX}");
            return Err(Refusal::Failed(text).into());
        }
        if job_modify_index > 0 {
            register::enforce(job_modify_index, Some(&job))?;
        }
        groups::set_counts(&mut job, |name| (name == group).then_some(count))?;
        register::update(txn, job, &before)?;
        changed = txn.index();
    }
    let event = ScalingEvent {
        time_ns: time_ns(txn.at_ms()),
        count,
        previous_count: *previous,
        message,
        error,
        meta: Opaque::new(meta).map_err(|e| Refusal::Invalid(e.to_string()))?,
        eval_id: None,
        create_index: txn.index(),
    };
    note(txn, &key, &namespace, &id, group, event)?;
    Ok(Reply::Job { index: txn.index(), job_modify_index: changed })
}

/// What genuine servers are configured with.
const COUNT_MAX: i64 = 50_000;

/// The bounds that the group's policy sets.
fn check(job: &Job, group: &str, count: i64) -> Result<(), Failure> {
    let policies = groups::scaling(job)?;
    let Some(policy) = policies.iter().find(|policy| target(policy, "Group") == group) else { return Ok(()) };
    let text = match (policy.min, policy.max) {
        (min, _) if count < min => {
            format!("group count was less than scaling policy minimum: {count} < {min}")
        }
        (_, max) if max < count => {
            format!("group count was greater than scaling policy maximum: {count} > {max}")
        }
        _ => return Ok(()),
    };
    Err(Refusal::Invalid(text).into())
}

fn note(
    txn: &mut Txn<'_>,
    key: &[u8],
    namespace: &str,
    id: &str,
    group: String,
    event: ScalingEvent,
) -> Result<(), Error> {
    let before = txn.get(kinds::SCALING_EVENTS, key)?;
    let mut events = match &before {
        Some(bytes) => JobScalingEvents::decode(bytes).map_err(|e| error::stored("scaling events", e))?,
        None => JobScalingEvents {
            namespace: namespace.to_owned(),
            job_id: id.to_owned(),
            ..JobScalingEvents::default()
        },
    };
    events.modify_index = txn.index();
    let of_group = events.events.get_or_insert_default().entry(group).or_default();
    of_group.insert(0, event);
    of_group.truncate(TRACKED_EVENTS);
    let bytes = events.encode_over(before.as_deref().unwrap_or_default());
    txn.put(kinds::SCALING_EVENTS, key, bytes.into())?;
    touch(txn, EVENTS)
}
