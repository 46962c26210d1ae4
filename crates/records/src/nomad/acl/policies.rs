//! Changes to policies.
//!
//! Follows `hashicorp/nomad:nomad/acl_endpoint.go` and `nomad/structs/acl.go`.

use archive::nomad::{AclPolicy, kinds};

use super::flaws::{self, Flaws};
use super::query::POLICIES_TABLE;
use super::rules::{Rules, UnknownKeys};
use super::store;
use crate::Txn;
use crate::nomad::indexes::touch;
use crate::nomad::refusal::{Failure, Refusal};

pub(super) fn upsert(txn: &mut Txn<'_>, policy: AclPolicy) -> Result<(), Failure> {
    check(&policy)?;
    // What the rules say is told by whoever reads them.
    let rules_json = Default::default();
    Ok(store::put_policy(txn, AclPolicy { rules_json, ..policy })?)
}

pub(super) fn delete(txn: &mut Txn<'_>, name: &str) -> Result<(), Failure> {
    txn.remove(kinds::ACL_POLICY, name.as_bytes())?;
    Ok(touch(txn, POLICIES_TABLE)?)
}

fn check(policy: &AclPolicy) -> Result<(), Refusal> {
    let mut flaws = Flaws::default();
    if !flaws::is_name(&policy.name) {
        flaws.add(format!("invalid name '{}'", policy.name));
    }
    if let Err(error) = Rules::parse(&policy.rules, UnknownKeys::Refused) {
        flaws.add(format!("failed to parse rules: {error}"));
    }
    flaws::of_description(&policy.description, &mut flaws);
    if let Some(job) = &policy.job_acl {
        let parts = [&job.namespace, &job.job_id, &job.group, &job.task].map(|part| !part.is_empty());
        let [namespace, id, group, task] = parts;
        flaws.add_if(id && !namespace, "namespace must be set to set job ID");
        flaws.add_if(group && !id, "job ID must be set to set group");
        flaws.add_if(task && !group, "group must be set to set task");
    }
    flaws.check("policy")
}
