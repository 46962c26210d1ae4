//! Jobs and what is told of them, as far as a server has to understand them that runs none: what they are made of
//! stays as it is (`hashicorp/nomad:nomad/structs/structs.go`).

use std::collections::BTreeMap;

use crate::state::structure::{Bytes, Opaque, structure};

structure! { Nomad:
    /// A job, or a version of one.
    pub struct Job {
        /// Whether it was stopped.
        pub stop: bool = "Stop",
        /// The region it runs in.
        pub region: String = "Region",
        /// The namespace it is in.
        pub namespace: String = "Namespace",
        /// No two jobs of a namespace share one.
        pub id: String = "ID",
        /// The periodic or parameterized job that made it, or empty.
        pub parent_id: String = "ParentID",
        /// What people call it.
        pub name: String = "Name",
        /// `service`, `batch`, `system` or `sysbatch`.
        pub kind: String = "Type",
        /// 1 to 100.
        pub priority: i64 = "Priority",
        /// Whether all of it is placed or nothing.
        pub all_at_once: bool = "AllAtOnce",
        /// Where it may run.
        pub datacenters: Option<Vec<String>> = "Datacenters",
        /// The pool of nodes it runs in.
        pub node_pool: String = "NodePool",
        /// What nodes must satisfy.
        pub constraints: Opaque = "Constraints",
        /// What nodes should satisfy.
        pub affinities: Opaque = "Affinities",
        /// Over what it is spread.
        pub spreads: Opaque = "Spreads",
        /// What it consists of.
        pub task_groups: Opaque = "TaskGroups",
        /// How a new version replaces an old one.
        pub update: UpdateStrategy = "Update",
        /// Of Nomad Enterprise.
        pub multiregion: Opaque = "Multiregion",
        /// When it is launched, if it is periodic.
        pub periodic: Opaque = "Periodic",
        /// What it is dispatched with, if it is parameterized.
        pub parameterized_job: Opaque = "ParameterizedJob",
        /// Whether it was dispatched from a parameterized job.
        pub dispatched: bool = "Dispatched",
        /// Of the dispatch.
        pub dispatch_idempotency_token: String = "DispatchIdempotencyToken",
        /// Of the dispatch, compressed by Snappy.
        pub payload: Option<Bytes> = "Payload",
        /// What people like to note.
        pub meta: Option<BTreeMap<String, String>> = "Meta",
        /// Of Consul Enterprise.
        pub consul_namespace: String = "ConsulNamespace",
        /// Of Vault Enterprise.
        pub vault_namespace: String = "VaultNamespace",
        /// The accessor of the token that registered it.
        pub nomad_token_id: String = "NomadTokenID",
        /// `pending`, `running` or `dead`.
        pub status: String = "Status",
        /// Why.
        pub status_description: String = "StatusDescription",
        /// Whether this version was deployed with success.
        pub stable: bool = "Stable",
        /// Counts from 0.
        pub version: u64 = "Version",
        /// When it was registered, in nanoseconds since 1970.
        pub submit_time_ns: i64 = "SubmitTime",
        /// The index at which its first version was registered.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it, or its status, last changed.
        pub modify_index: u64 = "ModifyIndex",
        /// The index at which it was last registered.
        pub job_modify_index: u64 = "JobModifyIndex",
        /// What is shown beside it.
        pub ui: Opaque = "UI",
        /// The tag of this version, if it has one.
        pub version_tag: Opaque = "VersionTag",
    }

    /// How a new version replaces an old one. Times are nanoseconds.
    pub struct UpdateStrategy {
        /// Time between two groups of replacements.
        pub stagger_ns: i64 = "Stagger",
        /// How many at once.
        pub max_parallel: i64 = "MaxParallel",
        /// How health is told.
        pub health_check: String = "HealthCheck",
        /// How long one must be healthy to count.
        pub min_healthy_time_ns: i64 = "MinHealthyTime",
        /// Until when one must be healthy.
        pub healthy_deadline_ns: i64 = "HealthyDeadline",
        /// Until when there must be progress.
        pub progress_deadline_ns: i64 = "ProgressDeadline",
        /// Whether a failure goes back to the last stable version.
        pub auto_revert: bool = "AutoRevert",
        /// Whether healthy canaries are promoted.
        pub auto_promote: bool = "AutoPromote",
        /// How many canaries.
        pub canary: i64 = "Canary",
    }

    /// How many allocations of a job are in which state.
    pub struct JobSummary {
        /// The job.
        pub job_id: String = "JobID",
        /// The job's namespace.
        pub namespace: String = "Namespace",
        /// Of each task group.
        pub summary: Option<BTreeMap<String, GroupSummary>> = "Summary",
        /// Of the jobs it made, if it is periodic or parameterized.
        pub children: Option<ChildrenSummary> = "Children",
        /// The index at which the job was registered.
        pub create_index: u64 = "CreateIndex",
        /// The index at which a number last changed.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// How many allocations of a task group are in which state.
    pub struct GroupSummary {
        /// Not yet placed.
        pub queued: i64 = "Queued",
        /// Done.
        pub complete: i64 = "Complete",
        /// Failed.
        pub failed: i64 = "Failed",
        /// Running.
        pub running: i64 = "Running",
        /// Placed, not yet running.
        pub starting: i64 = "Starting",
        /// On lost nodes.
        pub lost: i64 = "Lost",
        /// On nodes that don't answer.
        pub unknown: i64 = "Unknown",
    }

    /// How many jobs that a job made are in which state.
    pub struct ChildrenSummary {
        /// Not yet placed.
        pub pending: i64 = "Pending",
        /// Running.
        pub running: i64 = "Running",
        /// Done.
        pub dead: i64 = "Dead",
    }

    /// The source from which a version of a job was made.
    pub struct JobSubmission {
        /// The text.
        pub source: String = "Source",
        /// `hcl2`, `hcl1` or `json`.
        pub format: String = "Format",
        /// Variables of the command line.
        pub variable_flags: Option<BTreeMap<String, String>> = "VariableFlags",
        /// The file of variables.
        pub variables: String = "Variables",
        /// The job's namespace.
        pub namespace: String = "Namespace",
        /// The job.
        pub job_id: String = "JobID",
        /// The version.
        pub version: u64 = "Version",
        /// The index at which that version was registered.
        pub job_modify_index: u64 = "JobModifyIndex",
    }
}
