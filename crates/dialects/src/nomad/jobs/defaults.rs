//! What a job says that it doesn't say: the defaults that genuine clients and servers set before they store it.
//!
//! Follows `hashicorp/nomad:api/{jobs,tasks,services,resources,consul}.go` (`Canonicalize`, what is merged into
//! what), `command/agent/job_endpoint.go` (what of the API reaches a record) and `Canonicalize` of
//! `nomad/structs`. The fixture of genuine records tells whether it still does.

use serde_json::{Value, json};

use super::read::Tree;
use super::services;
use super::tasks;
use super::tree::{
    aside, each, each_of, fill, fill_empty, forget_empty, inherit, integer, is_empty, is_nothing, part, text,
    tree,
};

/// What only a server sets: clients may send it, and it is dropped.
const OF_THE_SERVER: [&str; 13] = [
    "ParentID",
    "Dispatched",
    "DispatchIdempotencyToken",
    "ConsulNamespace",
    "NomadTokenID",
    "Status",
    "StatusDescription",
    "Stable",
    "Version",
    "SubmitTime",
    "CreateIndex",
    "ModifyIndex",
    "JobModifyIndex",
];

pub(super) const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Completes a job.
pub(super) fn complete(job: &mut Tree) {
    let consul_namespace = text(job, "ConsulNamespace").to_owned();
    OF_THE_SERVER.iter().for_each(|name| drop(job.remove(*name)));
    let id = text(job, "ID").to_owned();
    fill(job, &json!({"Name": id, "Type": "service"}));
    if integer(job, "Priority") == 0 {
        job.insert("Priority".into(), 50.into());
    }
    fill_empty(job, "NodePool", "default");
    if let Some(periodic) = tree(job, "Periodic") {
        fill(periodic, &json!({"Enabled": true, "Specs": [], "SpecType": "cron"}));
        fill_empty(periodic, "TimeZone", "UTC");
    }
    if let Some(parameterized) = tree(job, "ParameterizedJob") {
        fill_empty(parameterized, "Payload", "optional");
    }
    if let Some(ui) = tree(job, "UI") {
        forget_empty(ui, &["Links"]);
    }
    let kind = text(job, "Type").to_owned();
    if matches!(kind.as_str(), "service" | "system") {
        job.entry("Update").or_insert_with(|| json!({}));
    }
    if let Some(update) = tree(job, "Update") {
        fill(update, &update_strategy());
    }
    weigh(job);
    forget_empty(job, &["Meta", "Constraints", "Affinities", "Spreads", "TaskGroups"]);
    if is_empty(job, "Datacenters") {
        job.insert("Datacenters".into(), json!(["*"]));
    }
    aside(job, "TaskGroups", |job, groups| {
        for group in each_of(groups) {
            if let Some(consul) = tree(group, "Consul") {
                fill_empty(consul, "Namespace", &consul_namespace);
            }
            task_group(job, &kind, group);
        }
    });
    let update =
        tree(job, "Update").map(|update| (integer(update, "Stagger"), integer(update, "MaxParallel")));
    match update {
        // The rest of it is in the groups.
        Some((stagger, parallel)) if parallel > 0 => {
            job.insert("Update".into(), json!({"Stagger": stagger, "MaxParallel": parallel}));
        }
        _ => drop(job.remove("Update")),
    }
}

fn task_group(job: &Tree, kind: &str, group: &mut Tree) {
    let of_servers = ["StopAfterClientDisconnect", "MaxClientDisconnect", "PreventRescheduleOnLost"];
    of_servers.iter().for_each(|name| drop(group.remove(*name)));
    let count = part(group, "Scaling").and_then(|scaling| scaling.get("Min")).cloned();
    fill(group, &json!({"Count": count.unwrap_or_else(|| 1.into()), "EphemeralDisk": {}}));
    if let Some(disk) = tree(group, "EphemeralDisk") {
        fill(disk, &json!({"SizeMB": 300}));
    }
    if let Some(consul) = tree(group, "Consul") {
        fill_empty(consul, "Cluster", "default");
    }
    if job.get("Update").and_then(Value::as_object).is_some_and(|update| !is_nothing(update)) {
        inherit(group, "Update", job.get("Update"));
    }
    if let Some(update) = tree(group, "Update") {
        fill(update, &update_strategy());
    }
    inherit(group, "ReschedulePolicy", job.get("Reschedule"));
    if !matches!(kind, "system" | "sysbatch") {
        group.entry("ReschedulePolicy").or_insert_with(|| json!({}));
    }
    if let Some(policy) = tree(group, "ReschedulePolicy") {
        fill(policy, &reschedule_policy(kind));
    }
    inherit(group, "Migrate", job.get("Migrate"));
    if kind == "service" {
        group.entry("Migrate").or_insert_with(|| json!({}));
    }
    if let Some(migrate) = tree(group, "Migrate") {
        fill(migrate, &migrate_strategy());
    }
    group.entry("RestartPolicy").or_insert_with(|| json!({}));
    if let Some(policy) = tree(group, "RestartPolicy") {
        fill(policy, &restart_policy(kind));
    }
    if let Some(disconnect) = tree(group, "Disconnect") {
        fill(disconnect, &json!({"Replace": true}));
        fill_empty(disconnect, "Reconcile", "best_score");
    }
    weigh(group);
    volumes(group);
    each(group, "Networks", network);
    aside(group, "Scaling", |group, scaling| {
        if let Some(scaling) = scaling.as_mut().and_then(Value::as_object_mut) {
            scaling_policy(job, group, None, scaling);
        }
    });
    let name = text(group, "Name").to_owned();
    each(group, "Services", |service| services::complete(service, job, &name, None));
    aside(group, "Tasks", |group, tasks| each_of(tasks).for_each(|task| tasks::complete(task, job, group)));
    forget_empty(
        group,
        &["Meta", "Constraints", "Affinities", "Spreads", "Networks", "Services", "Volumes", "Tasks"],
    );
}

/// Of which group or task a policy is, the server says; its ID and indexes too.
pub(super) fn scaling_policy(job: &Tree, group: &Tree, task: Option<&str>, policy: &mut Tree) {
    for of_the_server in ["ID", "CreateIndex", "ModifyIndex"] {
        policy.remove(of_the_server);
    }
    let count = if task.is_none() { integer(group, "Count") } else { 0 };
    // Whoever leaves out the maximum is told so by the validation.
    fill(policy, &json!({"Enabled": true, "Min": count, "Max": -1}));
    fill_empty(policy, "Type", "horizontal");
    let mut target =
        json!({"Namespace": text(job, "Namespace"), "Job": text(job, "ID"), "Group": text(group, "Name")});
    if let Some(task) = task {
        target["Task"] = task.into();
    }
    policy.insert("Target".into(), target);
}

pub(super) fn network(network: &mut Tree) {
    network.remove("Device");
    for list in ["DynamicPorts", "ReservedPorts"] {
        each(network, list, |port| fill_empty(port, "HostNetwork", "default"));
    }
}

/// Other volumes than these two are passed over.
fn volumes(group: &mut Tree) {
    if let Some(volumes) = tree(group, "Volumes") {
        volumes.retain(|_, volume| {
            volume.as_object().is_some_and(|volume| matches!(text(volume, "Type"), "host" | "csi"))
        });
    }
}

/// Affinities and spreads weigh 50.
pub(super) fn weigh(within: &mut Tree) {
    for list in ["Affinities", "Spreads"] {
        each(within, list, |one| fill(one, &json!({"Weight": 50})));
    }
}

fn update_strategy() -> Value {
    json!({
        "Stagger": 30 * SECOND, "MaxParallel": 1, "HealthCheck": "checks", "MinHealthyTime": 10 * SECOND,
        "HealthyDeadline": 5 * MINUTE, "ProgressDeadline": 10 * MINUTE,
    })
}

fn migrate_strategy() -> Value {
    json!({
        "MaxParallel": 1, "HealthCheck": "checks", "MinHealthyTime": 10 * SECOND, "HealthyDeadline": 5 * MINUTE,
    })
}

fn reschedule_policy(kind: &str) -> Value {
    match kind {
        "service" => json!({
            "Delay": 30 * SECOND, "DelayFunction": "exponential", "MaxDelay": HOUR, "Unlimited": true,
        }),
        "batch" => {
            json!({"Attempts": 1, "Interval": 24 * HOUR, "Delay": 5 * SECOND, "DelayFunction": "constant"})
        }
        _ => json!({}),
    }
}

fn restart_policy(kind: &str) -> Value {
    let (attempts, interval) =
        if matches!(kind, "service" | "system") { (2, HOUR / 2) } else { (3, 24 * HOUR) };
    json!({"Attempts": attempts, "Interval": interval, "Delay": 15 * SECOND, "Mode": "fail"})
}
