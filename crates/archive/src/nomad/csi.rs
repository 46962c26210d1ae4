//! CSI plugins, as far as jobs make them (`hashicorp/nomad:nomad/structs/csi.go`).

use std::collections::BTreeMap;

use crate::state::structure::{Opaque, structure};

/// Jobs by namespaces and ids.
pub type JobDescriptions = BTreeMap<String, BTreeMap<String, JobDescription>>;

structure! { Nomad:
    /// A plugin: what jobs run it, and what nodes have it.
    pub struct CsiPlugin {
        /// No two share one.
        pub id: String = "ID",
        /// What the plugin says that it is.
        pub provider: String = "Provider",
        /// The version that the plugin says.
        pub version: String = "Version",
        /// Whether it works only with a controller.
        pub controller_required: bool = "ControllerRequired",
        /// Controllers, by nodes.
        pub controllers: Opaque = "Controllers",
        /// Node plugins, by nodes.
        pub nodes: Opaque = "Nodes",
        /// Never stored.
        pub allocations: Opaque = "Allocations",
        /// The jobs that run controllers.
        pub controller_jobs: Option<JobDescriptions> = "ControllerJobs",
        /// The jobs that run node plugins.
        pub node_jobs: Option<JobDescriptions> = "NodeJobs",
        /// How many controllers are well.
        pub controllers_healthy: i64 = "ControllersHealthy",
        /// How many there are to be.
        pub controllers_expected: i64 = "ControllersExpected",
        /// How many node plugins are well.
        pub nodes_healthy: i64 = "NodesHealthy",
        /// How many there are to be.
        pub nodes_expected: i64 = "NodesExpected",
        /// The index at which it came.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it last changed.
        pub modify_index: u64 = "ModifyIndex",
        /// When it came, in nanoseconds since 1970.
        pub create_time_ns: i64 = "CreateTime",
        /// When it last changed.
        pub modify_time_ns: i64 = "ModifyTime",
    }

    /// How many instances of a plugin a job is to run.
    pub struct JobDescription {
        /// The job's namespace.
        pub namespace: String = "Namespace",
        /// The job.
        pub id: String = "ID",
        /// So many.
        pub expected: i64 = "Expected",
    }
}
