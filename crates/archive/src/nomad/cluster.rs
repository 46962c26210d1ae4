//! What is set for the whole cluster, field by field (`hashicorp/nomad:nomad/structs/{operator,node_pool,structs}.go`).

use std::collections::BTreeMap;

use crate::state::structure::{Bytes, Opaque, structure};

structure! { Nomad:
    /// A pool of nodes. `all` and `default` always are, without a hash.
    pub struct NodePool {
        /// No two pools share one.
        pub name: String = "Name",
        /// What people say about it.
        pub description: String = "Description",
        /// What people like to note.
        pub meta: Option<BTreeMap<String, String>> = "Meta",
        /// Of Nomad Enterprise.
        pub scheduler_configuration: Opaque = "SchedulerConfiguration",
        /// How long the identity of a node is valid, in nanoseconds.
        pub node_identity_ttl_ns: i64 = "NodeIdentityTTL",
        /// BLAKE2b-256 of what a change can change. A genuine restore makes it anew.
        pub hash: Option<Bytes> = "Hash",
        /// The index at which it was created.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// How allocations are placed.
    pub struct SchedulerConfiguration {
        /// `binpack` or `spread`.
        pub algorithm: String = "SchedulerAlgorithm",
        /// Which jobs may push others away.
        pub preemption: Preemption = "PreemptionConfig",
        /// Whether tasks may use more memory than they reserve.
        pub memory_oversubscription: bool = "MemoryOversubscriptionEnabled",
        /// Whether jobs are refused, but for management tokens.
        pub reject_job_registration: bool = "RejectJobRegistration",
        /// Whether evaluations wait.
        pub pause_eval_broker: bool = "PauseEvalBroker",
        /// The index at which it was first set.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it was last set.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// Which jobs may push others away.
    pub struct Preemption {
        /// Those of type `system`.
        pub system: bool = "SystemSchedulerEnabled",
        /// Those of type `sysbatch`.
        pub sysbatch: bool = "SysBatchSchedulerEnabled",
        /// Those of type `batch`.
        pub batch: bool = "BatchSchedulerEnabled",
        /// Those of type `service`.
        pub service: bool = "ServiceSchedulerEnabled",
    }

    /// What the cluster is known by.
    pub struct ClusterMetadata {
        /// A UUID.
        pub cluster_id: String = "ClusterID",
        /// When the cluster began, in nanoseconds since 1970.
        pub create_time_ns: i64 = "CreateTime",
    }
}
