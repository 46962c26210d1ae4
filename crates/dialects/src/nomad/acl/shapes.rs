//! How tokens, policies and roles look in JSON.

use archive::nomad::{AclPolicy, AclRole, AclToken, JobAcl, PolicyLink, RoleLink};

use crate::http::shape::{Shown, shapes};
use records::nomad::acl::Spelled;
use serde::Serialize;

use super::rules::Rules;

shapes! {
    AclToken {
        [lenient]
        // This one is first, for the genuine server writes it by hand.
        "ExpirationTTL": expiration_ttl_ns words,
        "AccessorID": accessor_id always,
        "SecretID": secret_id always,
        "Name": name always,
        "Type": kind always,
        "Policies": policies always,
        "Roles": roles always,
        "Global": global always,
        "Hash": hash always,
        "CreateTime": create_time always,
        "ExpirationTime": expiration_time always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    RoleLink {
        [lenient]
        "ID": id always,
        "Name": name always,
    }

    // As it is written; it is read as [`ReadPolicy`].
    AclPolicy {
        [lenient]
        "Name": name always,
        "Description": description always,
        "Rules": rules always,
        "JobACL": job_acl always,
        "Hash": hash always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    JobAcl {
        [lenient]
        "Namespace": namespace always,
        "JobID": job_id always,
        "Group": group always,
        "Task": task always,
    }

    AclRole {
        [lenient]
        "ID": id always,
        "Name": name always,
        "Description": description always,
        "Policies": policies always,
        "Hash": hash always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    PolicyLink {
        [lenient]
        "Name": name always,
    }
}

/// A token as it is listed: without its secret.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListedToken<'a> {
    #[serde(rename = "AccessorID")]
    accessor_id: &'a str,
    name: &'a str,
    #[serde(rename = "Type")]
    kind: &'a str,
    policies: &'a Option<Vec<String>>,
    roles: Shown<'a, Option<Vec<RoleLink>>>,
    global: bool,
    hash: Shown<'a, Option<archive::state::Bytes>>,
    create_time: Shown<'a, archive::msgpack::Time>,
    expiration_time: Shown<'a, Option<archive::msgpack::Time>>,
    create_index: u64,
    modify_index: u64,
}

impl<'a> ListedToken<'a> {
    pub(super) fn new(token: &'a AclToken) -> ListedToken<'a> {
        ListedToken {
            accessor_id: &token.accessor_id,
            name: &token.name,
            kind: &token.kind,
            policies: &token.policies,
            roles: Shown(&token.roles),
            global: token.global,
            hash: Shown(&token.hash),
            create_time: Shown(&token.create_time),
            expiration_time: Shown(&token.expiration_time),
            create_index: token.create_index,
            modify_index: token.modify_index,
        }
    }
}

/// A policy as it is read: with its rules spelled out.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReadPolicy<'a> {
    name: &'a str,
    description: &'a str,
    rules: &'a str,
    #[serde(rename = "RulesJSON")]
    spelled: Rules<'a>,
    #[serde(rename = "JobACL")]
    job_acl: Shown<'a, Option<JobAcl>>,
    hash: Shown<'a, Option<archive::state::Bytes>>,
    create_index: u64,
    modify_index: u64,
}

impl<'a> ReadPolicy<'a> {
    pub(super) fn new(policy: &'a AclPolicy, spelled: &'a Spelled) -> ReadPolicy<'a> {
        ReadPolicy {
            name: &policy.name,
            description: &policy.description,
            rules: &policy.rules,
            spelled: Rules::new(&policy.rules, spelled),
            job_acl: Shown(&policy.job_acl),
            hash: Shown(&policy.hash),
            create_index: policy.create_index,
            modify_index: policy.modify_index,
        }
    }
}

/// A policy as it is listed: without its rules.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListedPolicy<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(rename = "JobACL")]
    job_acl: Shown<'a, Option<JobAcl>>,
    hash: Shown<'a, Option<archive::state::Bytes>>,
    create_index: u64,
    modify_index: u64,
}

impl<'a> ListedPolicy<'a> {
    pub(super) fn new(policy: &'a AclPolicy) -> ListedPolicy<'a> {
        ListedPolicy {
            name: &policy.name,
            description: &policy.description,
            job_acl: Shown(&policy.job_acl),
            hash: Shown(&policy.hash),
            create_index: policy.create_index,
            modify_index: policy.modify_index,
        }
    }
}
