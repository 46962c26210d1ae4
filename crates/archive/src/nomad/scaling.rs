//! How groups of jobs may be scaled, and how they were (`hashicorp/nomad:nomad/structs/structs.go`).

use std::collections::BTreeMap;

use crate::state::structure::{Opaque, structure};

structure! { Nomad:
    /// Within what bounds a group may be scaled.
    pub struct ScalingPolicy {
        /// A UUID.
        pub id: String = "ID",
        /// `horizontal`, but in Nomad Enterprise.
        pub kind: String = "Type",
        /// What it is of: `Namespace`, `Job`, `Group`.
        pub target: Option<BTreeMap<String, String>> = "Target",
        /// What an autoscaler is to know.
        pub policy: Opaque = "Policy",
        /// At least so many.
        pub min: i64 = "Min",
        /// At most so many.
        pub max: i64 = "Max",
        /// Whether an autoscaler is to heed it.
        pub enabled: bool = "Enabled",
        /// The index at which it came.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it last changed.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// How a job was scaled.
    pub struct JobScalingEvents {
        /// The job's namespace.
        pub namespace: String = "Namespace",
        /// The job.
        pub job_id: String = "JobID",
        /// Of each group, the latest first.
        pub events: Option<BTreeMap<String, Vec<ScalingEvent>>> = "ScalingEvents",
        /// The index of the latest.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// How a group was scaled once, or why it was not.
    pub struct ScalingEvent {
        /// When, in nanoseconds since 1970.
        pub time_ns: i64 = "Time",
        /// To how many, if it was.
        pub count: Option<i64> = "Count",
        /// From how many.
        pub previous_count: i64 = "PreviousCount",
        /// What is said of it.
        pub message: String = "Message",
        /// Whether something went wrong.
        pub error: bool = "Error",
        /// What an autoscaler notes.
        pub meta: Opaque = "Meta",
        /// The evaluation that was made of it.
        pub eval_id: Option<String> = "EvalID",
        /// The index at which it came.
        pub create_index: u64 = "CreateIndex",
    }
}
