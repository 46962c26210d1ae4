//! How Nomad's records are stored: their keys, and what is derived from them.
//!
//! What is in a namespace is stored under the namespace, a zero byte and its id there: all namespaces are served.
//!
//! Derived keys that begin with 10, 12 or 13 are those of [`super::acl`]; those with 20 tell which variables are locked.

use std::fmt::Display;

use archive::msgpack::{self, Cursor};
use archive::nomad::{
    CsiPlugin, Job, JobScalingEvents, JobSubmission, JobSummary, Namespace, RootKey, ScalingPolicy, Variable,
    VariablesQuota, identity, kinds,
};
use archive::state::Id;

use super::{acl, indexes, jobs, variables};
use crate::ID_BYTES_MAX;
use crate::key::{Derived, Key};

/// Derived keys that begin so are told by no record: one-time tokens.
pub(crate) const NOTES: &[u8] = &[9];

/// Where a record is stored.
pub(crate) fn key(kind: u8, bytes: &[u8]) -> Result<Key, String> {
    let Id { tenancy, id } = identity(kind, bytes).map_err(text)?;
    let id = if tenancy.is_empty() { id } else { in_namespace(&tenancy, &id) };
    match id.len() {
        0..=ID_BYTES_MAX => Ok(Key::new(kinds::rank(kind), kind, "", &id)),
        found => Err(format!("its id has {found} bytes, at most {ID_BYTES_MAX} can be stored")),
    }
}

/// The id of a thing in a namespace.
pub(super) fn in_namespace(namespace: &str, id: &[u8]) -> Vec<u8> {
    [namespace.as_bytes(), &[0], id].concat()
}

/// What is derived from a record. Fails on records that queries could not decode later.
pub(crate) fn derived(kind: u8, bytes: &[u8]) -> Result<Derived, String> {
    let mut keys = Vec::new();
    let index = match kind {
        kinds::INDEX => indexes::entry(bytes).map_err(text)?.value,
        kinds::NAMESPACE => {
            let namespace = Namespace::decode(bytes).map_err(text)?;
            namespace.create_index.max(namespace.modify_index)
        }
        kinds::ACL_TOKEN | kinds::ACL_POLICY | kinds::ACL_ROLE => return acl::derived::of(kind, bytes),
        kinds::VARIABLE => {
            let variable = Variable::decode(bytes).map_err(text)?;
            keys = variables::derived(&variable);
            variable.create_index.max(variable.modify_index)
        }
        kinds::VARIABLES_QUOTA => {
            let quota = VariablesQuota::decode(bytes).map_err(text)?;
            quota.create_index.max(quota.modify_index)
        }
        kinds::ROOT_KEY => {
            let root_key = RootKey::decode(bytes).map_err(text)?;
            root_key.create_index.max(root_key.modify_index)
        }
        kinds::JOB | kinds::JOB_VERSION => {
            let job = Job::decode(bytes).map_err(text)?;
            jobs::check(&job).map_err(text)?;
            job.create_index.max(job.modify_index).max(job.job_modify_index)
        }
        kinds::JOB_SUMMARY => {
            let summary = JobSummary::decode(bytes).map_err(text)?;
            summary.create_index.max(summary.modify_index)
        }
        kinds::SCALING_POLICY => {
            let policy = ScalingPolicy::decode(bytes).map_err(text)?;
            policy.create_index.max(policy.modify_index)
        }
        kinds::SCALING_EVENTS => JobScalingEvents::decode(bytes).map_err(text)?.modify_index,
        kinds::CSI_PLUGIN => {
            let plugin = CsiPlugin::decode(bytes).map_err(text)?;
            plugin.create_index.max(plugin.modify_index)
        }
        kinds::JOB_SUBMISSION => JobSubmission::decode(bytes).map_err(text)?.job_modify_index,
        _ => highest_index(kind, bytes).map_err(text)?,
    };
    Ok(Derived { keys, index })
}

/// The highest index among the fields that carry one; 0 for records that are not known to be such maps.
fn highest_index(kind: u8, bytes: &[u8]) -> Result<u64, msgpack::Error> {
    if !kinds::is_known(kind) || kind == kinds::TIME_TABLE {
        return Ok(0);
    }
    let mut highest = 0;
    let mut cursor = Cursor::new(bytes);
    cursor.fields(|field, value| {
        if let b"CreateIndex" | b"ModifyIndex" | b"JobModifyIndex" = field {
            highest = value.uint()?.max(highest);
        }
        Ok(())
    })?;
    cursor.finish()?;
    Ok(highest)
}

fn text(error: impl Display) -> String {
    error.to_string()
}
