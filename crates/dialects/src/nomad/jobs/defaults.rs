//! What a job says that it doesn't say: the defaults that genuine clients and servers set before they store it.
//!
//! Follows `hashicorp/nomad:api/{jobs,tasks,services,resources,consul}.go` (`Canonicalize`, what is merged into
//! what), `command/agent/job_endpoint.go` (what of the API reaches a record) and `Canonicalize` of
//! `nomad/structs`. The fixture of genuine records tells whether it still does.

use serde_json::{Value, json};

use super::read::Tree;
use super::services;

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

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Completes a job.
pub(super) fn complete(job: &mut Tree) {
    OF_THE_SERVER.iter().for_each(|name| drop(job.remove(*name)));
    let id = text(job, "ID").to_owned();
    fill(job, &json!({"Name": id, "Priority": 50, "Type": "service", "NodePool": ""}));
    if text(job, "NodePool").is_empty() {
        job.insert("NodePool".into(), "default".into());
    }
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
    let mut groups = job.remove("TaskGroups");
    for group in each(&mut groups) {
        task_group(job, &kind, group);
    }
    if let Some(groups) = groups {
        job.insert("TaskGroups".into(), groups);
    }
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
    fill(group, &json!({"Count": 1, "EphemeralDisk": {}}));
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
    let networks = &mut group.remove("Networks");
    each(networks).for_each(network);
    put_back(group, "Networks", networks.take());
    let name = text(group, "Name").to_owned();
    let mut found = group.remove("Services");
    each(&mut found).for_each(|service| services::complete(service, job, &name, None));
    put_back(group, "Services", found);
    let mut tasks = group.remove("Tasks");
    each(&mut tasks).for_each(|one| task(job, group, one));
    put_back(group, "Tasks", tasks);
    forget_empty(
        group,
        &["Meta", "Constraints", "Affinities", "Spreads", "Networks", "Services", "Volumes", "Tasks"],
    );
}

fn task(job: &Tree, group: &Tree, task: &mut Tree) {
    fill(task, &json!({"Resources": {}, "LogConfig": {}}));
    if let Some(found) = tree(task, "Resources") {
        resources(found);
    }
    if integer(task, "KillTimeout") == 0 {
        task.insert("KillTimeout".into(), (5 * SECOND).into());
    }
    if let Some(log) = tree(task, "LogConfig") {
        fill(log, &json!({"MaxFiles": 10, "MaxFileSizeMB": 10}));
    }
    if let Some(consul) = tree(task, "Consul") {
        fill_empty(consul, "Cluster", "default");
    }
    if let Some(plugin) = tree(task, "CSIPluginConfig") {
        fill_empty(plugin, "MountDir", "/csi");
        fill_empty(plugin, "StagePublishBaseDir", "/local/csi");
        if integer(plugin, "HealthTimeout") == 0 {
            plugin.insert("HealthTimeout".into(), (30 * SECOND).into());
        }
    }
    inherit(task, "RestartPolicy", group.get("RestartPolicy"));
    for (list, complete) in [
        ("Artifacts", artifact as fn(&mut Tree)),
        ("Templates", template),
        ("VolumeMounts", |mount| fill_empty(mount, "PropagationMode", "private")),
        ("Identities", identity),
    ] {
        let mut found = task.remove(list);
        each(&mut found).for_each(complete);
        put_back(task, list, found);
    }
    let (name, group_name) = (text(task, "Name").to_owned(), text(group, "Name"));
    let mut found = task.remove("Services");
    each(&mut found).for_each(|service| services::complete(service, job, group_name, Some(&name)));
    put_back(task, "Services", found);
    default_identity(task);
    weigh(task);
    forget_empty(
        task,
        &[
            "Meta",
            "Config",
            "Env",
            "Constraints",
            "Affinities",
            "VolumeMounts",
            "Services",
            "Artifacts",
            "Templates",
            "Actions",
            "Identities",
        ],
    );
}

fn resources(resources: &mut Tree) {
    if !resources.contains_key("Cores") {
        fill(resources, &json!({"CPU": 100}));
    }
    fill(resources, &json!({"MemoryMB": 300}));
    resources.remove("DiskMB");
    let mut devices = resources.remove("Devices");
    for device in each(&mut devices) {
        fill(device, &json!({"Count": 1}));
        weigh(device);
    }
    put_back(resources, "Devices", devices);
    let mut networks = resources.remove("Networks");
    each(&mut networks).for_each(network);
    put_back(resources, "Networks", networks);
    forget_empty(resources, &["Devices", "Networks"]);
}

fn network(network: &mut Tree) {
    network.remove("Device");
    for list in ["DynamicPorts", "ReservedPorts"] {
        let mut ports = network.remove(list);
        each(&mut ports).for_each(|port| fill_empty(port, "HostNetwork", "default"));
        put_back(network, list, ports);
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

fn artifact(artifact: &mut Tree) {
    fill(artifact, &json!({"GetterMode": "any"}));
    forget_empty(artifact, &["GetterOptions", "GetterHeaders"]);
    let target = match text(artifact, "GetterMode") {
        "file" => {
            let source = text(artifact, "GetterSource").trim_end_matches('/');
            format!("local/{}", source.rsplit('/').next().unwrap_or_default())
        }
        _ => "local/".to_owned(),
    };
    artifact.entry("RelativeDest").or_insert(target.into());
}

fn template(template: &mut Tree) {
    fill(
        template,
        &json!({
            "ChangeMode": "restart", "Splay": 5 * SECOND, "Perms": "0644", "LeftDelim": "{{", "RightDelim": "}}",
        }),
    );
    let signal = match template.get("ChangeSignal").and_then(Value::as_str) {
        Some(signal) => signal.to_uppercase(),
        None if text(template, "ChangeMode") == "signal" => "SIGHUP".to_owned(),
        None => String::new(),
    };
    template.insert("ChangeSignal".into(), signal.into());
    if let Some(script) = tree(template, "ChangeScript") {
        fill(script, &json!({"Args": [], "Timeout": 5 * SECOND}));
    }
}

fn identity(identity: &mut Tree) {
    fill_empty(identity, "Name", "default");
    if text(identity, "Name") == "default" {
        identity.insert("Audience".into(), json!(["nomadproject.io"]));
    }
    let signal = text(identity, "ChangeSignal").to_uppercase();
    identity.insert("ChangeSignal".into(), signal.into());
    forget_empty(identity, &["Audience"]);
}

/// Every task has the identity for Nomad itself, in a field of its own.
fn default_identity(task: &mut Tree) {
    let mut own = task.remove("Identity");
    if let Some(Value::Array(identities)) = task.get_mut("Identities") {
        let is_default = |identity: &Value| identity["Name"] == "default";
        if let Some(at) = identities.iter().rposition(is_default) {
            own = Some(identities.remove(at));
        }
    }
    let mut own = own.unwrap_or_else(|| json!({}));
    if let Value::Object(own) = &mut own {
        identity(own);
    }
    task.insert("Identity".into(), own);
}

/// Affinities and spreads weigh 50.
fn weigh(within: &mut Tree) {
    for list in ["Affinities", "Spreads"] {
        let mut found = within.remove(list);
        each(&mut found).for_each(|one| fill(one, &json!({"Weight": 50})));
        put_back(within, list, found);
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

/// Takes over what is said further out and not here.
fn inherit(within: &mut Tree, name: &str, outer: Option<&Value>) {
    if let Some(outer) = outer {
        let own = within.entry(name).or_insert_with(|| json!({}));
        if let Value::Object(own) = own {
            fill(own, outer);
        }
    }
}

/// Sets what is not set.
pub(super) fn fill(within: &mut Tree, defaults: &Value) {
    for (name, value) in defaults.as_object().into_iter().flatten() {
        within.entry(name.as_str()).or_insert_with(|| value.clone());
    }
}

/// Sets a text that is not set, or empty.
pub(super) fn fill_empty(within: &mut Tree, name: &str, default: &str) {
    if text(within, name).is_empty() {
        within.insert(name.to_owned(), default.into());
    }
}

/// An empty list or map is as good as none.
pub(super) fn forget_empty(within: &mut Tree, names: &[&str]) {
    for name in names {
        if is_empty(within, name) {
            within.remove(*name);
        }
    }
}

fn is_empty(within: &Tree, name: &str) -> bool {
    match within.get(name) {
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(entries)) => entries.is_empty(),
        found => found.is_none(),
    }
}

/// Whether all of it is zero.
fn is_nothing(within: &Tree) -> bool {
    let is_zero = |value: &Value| *value == json!(0) || *value == json!("") || *value == json!(false);
    within.values().all(is_zero)
}

pub(super) fn put_back(within: &mut Tree, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        within.insert(name.to_owned(), value);
    }
}

pub(super) fn tree<'a>(within: &'a mut Tree, name: &str) -> Option<&'a mut Tree> {
    within.get_mut(name)?.as_object_mut()
}

/// The structures in a list.
pub(super) fn each(list: &mut Option<Value>) -> impl Iterator<Item = &mut Tree> {
    list.as_mut().and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

pub(super) fn text<'a>(within: &'a Tree, name: &str) -> &'a str {
    within.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn integer(within: &Tree, name: &str) -> i64 {
    within.get(name).and_then(Value::as_i64).unwrap_or_default()
}
