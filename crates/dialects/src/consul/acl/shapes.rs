//! What access control keeps as JSON (`hashicorp/consul:agent/structs/{acl,acl_templated_policy}.go`).

use archive::consul::{
    AclPolicy, AclRole, AclToken, Link, NodeIdentity, ServiceIdentity, TemplateVariables, TemplatedPolicy,
};
use serde::Serialize;

use crate::http::shape::{Shown, shapes};

shapes! {
    AclToken {
        "AccessorID": accessor_id always,
        "SecretID": secret_id always,
        "Description": description always,
        "Policies": policies unless_empty,
        "Roles": roles unless_empty,
        "ServiceIdentities": service_identities unless_empty,
        "NodeIdentities": node_identities unless_empty,
        "TemplatedPolicies": templated_policies unless_empty,
        "Local": local always,
        "AuthMethod": auth_method unless_empty,
        "ExpirationTime": expiration_time unless_empty,
        "ExpirationTTL": expiration_ttl_ns nanos,
        "CreateTime": create_time always,
        "Hash": hash always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    AclPolicy {
        "ID": id always,
        "Name": name always,
        "Description": description always,
        "Rules": rules always,
        "Datacenters": datacenters unless_empty,
        "Hash": hash always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    AclRole {
        "ID": id always,
        "Name": name always,
        "Description": description always,
        "Policies": policies unless_empty,
        "ServiceIdentities": service_identities unless_empty,
        "NodeIdentities": node_identities unless_empty,
        "TemplatedPolicies": templated_policies unless_empty,
        "Hash": hash always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    Link { "ID": id always, "Name": name always, }

    ServiceIdentity { "ServiceName": service_name always, "Datacenters": datacenters unless_empty, }

    NodeIdentity { "NodeName": node_name always, "Datacenter": datacenter always, }

    TemplatedPolicy {
        "TemplateID": template_id unless_empty,
        "TemplateName": template_name unless_empty,
        "TemplateVariables": variables unless_empty,
        "Datacenters": datacenters unless_empty,
    }

    TemplateVariables { "name": name unless_empty, }
}

/// The answer to a bootstrap: older clients look for the secret under another name.
#[derive(Serialize)]
pub(super) struct Bootstrapped<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    #[serde(flatten)]
    token: Shown<'a, AclToken>,
}

impl<'a> Bootstrapped<'a> {
    pub(super) fn new(token: &'a AclToken) -> Bootstrapped<'a> {
        Bootstrapped { id: &token.secret_id, token: Shown(token) }
    }
}

/// A policy as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListedPolicy<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    description: &'a str,
    datacenters: &'a Option<Vec<String>>,
    hash: Shown<'a, Option<Vec<u8>>>,
    create_index: u64,
    modify_index: u64,
}

impl<'a> ListedPolicy<'a> {
    pub(super) fn new(policy: &'a AclPolicy) -> ListedPolicy<'a> {
        ListedPolicy {
            id: &policy.id,
            name: &policy.name,
            description: &policy.description,
            datacenters: &policy.datacenters,
            hash: Shown(&policy.hash),
            create_index: policy.create_index,
            modify_index: policy.modify_index,
        }
    }
}
