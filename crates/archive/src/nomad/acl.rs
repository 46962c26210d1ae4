//! The records of Nomad's access control and namespaces, field by field (`hashicorp/nomad:nomad/structs/acl.go`,
//! `structs.go`).

use std::collections::BTreeMap;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};

use crate::msgpack::Time;
use crate::state::structure::{Bytes, Opaque, structure};

structure! { Nomad:
    /// A token: what its secret lets its bearer do.
    pub struct AclToken {
        /// A UUID by which people speak of the token.
        pub accessor_id: String = "AccessorID",
        /// What the bearer shows, in clear. A UUID.
        pub secret_id: String = "SecretID",
        /// What people call it.
        pub name: String = "Name",
        /// `client` or `management`.
        pub kind: String = "Type",
        /// The names of its policies.
        pub policies: Option<Vec<String>> = "Policies",
        /// The roles it is linked to.
        pub roles: Option<Vec<RoleLink>> = "Roles",
        /// Whether it is valid in every region.
        pub global: bool = "Global",
        /// [`AclToken::content_hash`] at the time of writing; 32 bytes.
        pub hash: Option<Bytes> = "Hash",
        /// When it was created.
        pub create_time: Time = "CreateTime",
        /// When it ends to be valid.
        pub expiration_time: Option<Time> = "ExpirationTime",
        /// How long it was asked to live, in nanoseconds.
        pub expiration_ttl_ns: i64 = "ExpirationTTL",
        /// The index at which it was created.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// Names a role. The id decides.
    pub struct RoleLink {
        /// A UUID.
        pub id: String = "ID",
        /// Empty in records; filled in when it is read.
        pub name: String = "Name",
    }

    /// Rules under a name.
    pub struct AclPolicy {
        /// No two policies share one.
        pub name: String = "Name",
        /// What people say about it.
        pub description: String = "Description",
        /// The rules, in HCL or JSON.
        pub rules: String = "Rules",
        /// The rules as they were parsed: nil in records, filled in when it is read.
        pub rules_json: Opaque = "RulesJSON",
        /// The job whose workloads have these rights.
        pub job_acl: Option<JobAcl> = "JobACL",
        /// [`AclPolicy::content_hash`] at the time of writing; 32 bytes.
        pub hash: Option<Bytes> = "Hash",
        /// The index at which it was created.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// The workloads that a policy belongs to: those of a job, of one of its groups, or of one of its tasks.
    pub struct JobAcl {
        /// The job's namespace.
        pub namespace: String = "Namespace",
        /// The job.
        pub job_id: String = "JobID",
        /// The group, or empty.
        pub group: String = "Group",
        /// The task, or empty.
        pub task: String = "Task",
    }

    /// Policies under a name, for tokens to link to.
    pub struct AclRole {
        /// A UUID.
        pub id: String = "ID",
        /// No two roles share one.
        pub name: String = "Name",
        /// What people say about it.
        pub description: String = "Description",
        /// The policies it is linked to.
        pub policies: Option<Vec<PolicyLink>> = "Policies",
        /// [`AclRole::content_hash`] at the time of writing; 32 bytes.
        pub hash: Option<Bytes> = "Hash",
        /// The index at which it was created.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// Names a policy.
    pub struct PolicyLink {
        /// The policy.
        pub name: String = "Name",
    }

    /// A namespace: a part of the cluster with jobs and variables of its own.
    pub struct Namespace {
        /// No two namespaces share one.
        pub name: String = "Name",
        /// What people say about it.
        pub description: String = "Description",
        /// Of Nomad Enterprise; the name of a quota.
        pub quota: String = "Quota",
        /// What its jobs may use.
        pub capabilities: Option<Capabilities> = "Capabilities",
        /// The node pools its jobs may run in.
        pub node_pools: Option<Choice> = "NodePoolConfiguration",
        /// The clusters of Vault its jobs may use.
        pub vault: Option<Choice> = "VaultConfiguration",
        /// The clusters of Consul its jobs may use.
        pub consul: Option<Choice> = "ConsulConfiguration",
        /// What people like to note.
        pub meta: Option<BTreeMap<String, String>> = "Meta",
        /// [`Namespace::content_hash`] at the time of writing; 32 bytes.
        pub hash: Option<Bytes> = "Hash",
        /// The index at which it was created.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// What the jobs of a namespace may use.
    pub struct Capabilities {
        /// These drivers alone, if there are any.
        pub enabled_task_drivers: Option<Vec<String>> = "EnabledTaskDrivers",
        /// Not these.
        pub disabled_task_drivers: Option<Vec<String>> = "DisabledTaskDrivers",
        /// These network modes alone, if there are any.
        pub enabled_network_modes: Option<Vec<String>> = "EnabledNetworkModes",
        /// Not these.
        pub disabled_network_modes: Option<Vec<String>> = "DisabledNetworkModes",
    }

    /// Which of several the jobs of a namespace may use.
    pub struct Choice {
        /// What they use if they don't say.
        pub default: String = "Default",
        /// These alone.
        pub allowed: Option<Vec<String>> = "Allowed",
        /// All but these.
        pub denied: Option<Vec<String>> = "Denied",
    }
}

impl AclToken {
    /// BLAKE2b-256 of what a change can change.
    pub fn content_hash(&self) -> Bytes {
        let mut hash = Hash::new(&[&self.name, &self.kind]);
        hash.list(&self.policies);
        hash.text(if self.global { "global" } else { "local" });
        self.roles.iter().flatten().for_each(|role| hash.text(&role.id));
        hash.finish()
    }
}

impl AclPolicy {
    /// BLAKE2b-256 of what a change can change.
    pub fn content_hash(&self) -> Bytes {
        let mut hash = Hash::new(&[&self.name, &self.description, &self.rules]);
        if let Some(job) = &self.job_acl {
            [&job.namespace, &job.job_id, &job.group, &job.task].into_iter().for_each(|part| hash.text(part));
        }
        hash.finish()
    }
}

impl AclRole {
    /// BLAKE2b-256 of what a change can change.
    pub fn content_hash(&self) -> Bytes {
        let mut hash = Hash::new(&[&self.name, &self.description]);
        self.policies.iter().flatten().for_each(|policy| hash.text(&policy.name));
        hash.finish()
    }
}

impl Namespace {
    /// BLAKE2b-256 of what a change can change.
    pub fn content_hash(&self) -> Bytes {
        let mut hash = Hash::new(&[&self.name, &self.description, &self.quota]);
        if let Some(capabilities) = &self.capabilities {
            hash.list(&capabilities.enabled_task_drivers);
            hash.list(&capabilities.disabled_task_drivers);
            hash.list(&capabilities.enabled_network_modes);
            hash.list(&capabilities.disabled_network_modes);
        }
        for choice in [&self.node_pools, &self.vault, &self.consul].into_iter().flatten() {
            hash.text(&choice.default);
            hash.list(&choice.allowed);
            hash.list(&choice.denied);
        }
        for (name, value) in self.meta.iter().flatten() {
            hash.text(name);
            hash.text(value);
        }
        hash.finish()
    }
}

/// Takes texts one after the other; nothing separates them.
struct Hash(Blake2b<U32>);

impl Hash {
    fn new(texts: &[&str]) -> Hash {
        let mut hash = Hash(Blake2b::new());
        texts.iter().for_each(|text| hash.text(text));
        hash
    }

    fn text(&mut self, text: &str) {
        self.0.update(text);
    }

    fn list(&mut self, texts: &Option<Vec<String>>) {
        texts.iter().flatten().for_each(|text| self.text(text));
    }

    fn finish(self) -> Bytes {
        Bytes(self.0.finalize().to_vec())
    }
}
