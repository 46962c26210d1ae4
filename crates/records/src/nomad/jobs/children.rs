//! Jobs that are made of others: dispatched from parameterized jobs, launched from periodic ones
//! (`hashicorp/nomad:nomad/job_endpoint.go`, `nomad/periodic.go`, `nomad/state/state_store.go`).

use std::collections::BTreeSet;

use archive::msgpack::Value;
use archive::nomad::{Job, JobSummary, kinds};
use archive::state::{Bytes, Opaque};

use super::{Dispatch, JOB_SUMMARY, decode, register};
use crate::nomad::indexes::touch;
use crate::nomad::refusal::{Failure, Refusal};
use crate::nomad::{Reply, layout};
use crate::{Error, Read, Txn, error};

/// What a payload may take before it is compressed.
const PAYLOAD_BYTES_MAX: usize = 16 << 10;

/// Tells the summary of a job's parent what became of its status.
pub(super) fn tell(txn: &mut Txn<'_>, job: &Job, before: Option<&str>, after: &str) -> Result<(), Error> {
    if job.parent_id.is_empty() || before == Some(after) {
        return Ok(());
    }
    let key = layout::in_namespace(&job.namespace, job.parent_id.as_bytes());
    let Some(bytes) = txn.get(kinds::JOB_SUMMARY, &key)? else { return Ok(()) };
    let mut summary = JobSummary::decode(&bytes).map_err(|e| error::stored("job summary", e))?;
    let children = summary.children.get_or_insert_default();
    for (status, change) in [(before.unwrap_or_default(), -1), (after, 1)] {
        match status {
            "pending" => children.pending = children.pending.saturating_add(change),
            "running" => children.running = children.running.saturating_add(change),
            "dead" => children.dead = children.dead.saturating_add(change),
            _ => {}
        }
    }
    summary.modify_index = txn.index();
    txn.put(kinds::JOB_SUMMARY, &key, summary.encode_over(&bytes).into())?;
    touch(txn, JOB_SUMMARY)
}

/// Makes a job of a parameterized one.
pub(super) fn dispatch(txn: &mut Txn<'_>, request: Dispatch) -> Result<Reply, Failure> {
    let refuse = |text: String| Err(Failure::from(Refusal::Failed(text)));
    let key = layout::in_namespace(&request.namespace, request.id.as_bytes());
    let Some(bytes) = txn.get(kinds::JOB, &key)? else {
        return refuse("parameterized job not found".into());
    };
    let parent = decode(&bytes)?;
    if parent.parameterized_job.is_nil() || parent.dispatched {
        return refuse(format!("Specified job {:?} is not a parameterized job", request.id));
    }
    if parent.stop {
        return refuse(format!("Specified job {:?} is stopped", request.id));
    }
    let priority = if request.priority == 0 { parent.priority } else { request.priority };
    check(&parent, &request)?;
    if !(1..=100).contains(&priority) {
        return refuse("dispatch job priority must be between [1, 100]".into());
    }
    if !request.idempotency_token.is_empty()
        && let Some(found) = dispatched_by(txn, &parent, &request.idempotency_token)?
    {
        let (index, create_index) = (found.modify_index, found.create_index);
        return Ok(Reply::Child { index, create_index, id: found.id });
    }
    let at = txn.at_ms() / 1000;
    let template = match request.id_prefix_template.as_str() {
        "" => String::new(),
        template => format!("{template}-"),
    };
    let mut child = Job {
        id: format!("{}/dispatch-{template}{at}-{}", parent.id, request.suffix),
        dispatched: true,
        dispatch_idempotency_token: request.idempotency_token,
        priority,
        payload: Some(Bytes(request.payload)),
        ..parent.clone()
    };
    child.meta.get_or_insert_default().extend(request.meta);
    child.meta = child.meta.filter(|meta| !meta.is_empty());
    make(txn, parent, child, &bytes)
}

/// Whether the request is what the parameterized job asks for.
fn check(parent: &Job, request: &Dispatch) -> Result<(), Refusal> {
    let refuse = |text: String| Err(Refusal::Failed(text));
    let config = parent.parameterized_job.value();
    let payload = config.get("Payload").and_then(Value::as_str).unwrap_or_default();
    match (payload, request.payload_bytes) {
        ("required", 0) => return refuse("Payload is not provided but required by parameterized job".into()),
        ("forbidden", 1..) => return refuse("Payload provided but forbidden by parameterized job".into()),
        (_, bytes) if bytes > PAYLOAD_BYTES_MAX => {
            return refuse(format!("Payload exceeds maximum size; {bytes} > {PAYLOAD_BYTES_MAX}"));
        }
        _ => {}
    }
    let keys = |field| -> BTreeSet<&str> {
        let keys = config.get(field).and_then(Value::as_array).unwrap_or_default();
        keys.iter().filter_map(Value::as_str).collect()
    };
    let (required, optional) = (keys("MetaRequired"), keys("MetaOptional"));
    let given: BTreeSet<&str> = request.meta.keys().map(String::as_str).collect();
    let told = |keys: Vec<&str>| keys.join(" ");
    let unpermitted: Vec<&str> =
        given.iter().filter(|key| !required.contains(**key) && !optional.contains(**key)).copied().collect();
    if !unpermitted.is_empty() {
        return refuse(format!(
            "Dispatch request included unpermitted metadata keys: [{}]",
            told(unpermitted)
        ));
    }
    let missing: Vec<&str> = required.difference(&given).copied().collect();
    if !missing.is_empty() {
        return refuse(format!("Dispatch did not provide required meta keys: [{}]", told(missing)));
    }
    Ok(())
}

/// What was dispatched before with the same token.
fn dispatched_by(read: &dyn Read, parent: &Job, token: &str) -> Result<Option<Job>, Error> {
    let begin = layout::in_namespace(&parent.namespace, parent.id.as_bytes());
    for entry in read.scan(kinds::JOB, &begin) {
        let job = decode(&entry?.1)?;
        if job.parent_id == parent.id && job.dispatch_idempotency_token == token {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Makes a job of a periodic one, as at the time of a launch.
pub(super) fn force(txn: &mut Txn<'_>, namespace: &str, id: &str) -> Result<Reply, Failure> {
    let refuse = |text: String| Err(Failure::from(Refusal::Failed(text)));
    let key = layout::in_namespace(namespace, id.as_bytes());
    let Some(bytes) = txn.get(kinds::JOB, &key)? else { return refuse("job not found".into()) };
    let parent = decode(&bytes)?;
    if parent.periodic.is_nil() {
        return refuse("can't force launch non-periodic job".into());
    }
    let is_enabled = parent.periodic.value().get("Enabled").and_then(Value::as_bool).unwrap_or_default();
    let is_template = !parent.parameterized_job.is_nil() && !parent.dispatched;
    if !is_enabled || parent.stop || is_template {
        return refuse(format!(
            "force launch for job {id:?} failed: can't force run non-tracked job {id:?} ({namespace})"
        ));
    }
    let child = Job {
        id: format!("{id}/periodic-{}", txn.at_ms() / 1000),
        periodic: Opaque::default(),
        ..parent.clone()
    };
    register::launch(txn, namespace, id)?;
    make(txn, parent, child, &bytes)
}

/// Stores a child: the parent, but for what it is called. A second one of the same name is its next version.
fn make(txn: &mut Txn<'_>, parent: Job, mut child: Job, bytes: &[u8]) -> Result<Reply, Failure> {
    child.name.clone_from(&child.id);
    child.parent_id.clone_from(&parent.id);
    register::check_id(&child.namespace, &child.id)?;
    // Policies belong to the parent alone.
    child.task_groups = super::groups::without_scaling(&child)?;
    let key = layout::in_namespace(&child.namespace, child.id.as_bytes());
    let before = txn.get(kinds::JOB, &key)?.map(|bytes| decode(&bytes)).transpose()?;
    if let Some(before) = &before {
        child.version = before.version.saturating_add(1);
    }
    let id = child.id.clone();
    register::store(txn, child, bytes, before.as_ref(), None)?;
    let index = txn.index();
    Ok(Reply::Child { index, create_index: before.map_or(index, |before| before.create_index), id })
}
