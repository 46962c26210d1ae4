//! The constraints that follow from what a job uses (`hashicorp/nomad:nomad/job_endpoint_hooks.go`,
//! `nomad/job_endpoint_hook_implicit_identities.go`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::defaults::{each, put_back, text};
use super::read::Tree;

/// Adds them to every group of a complete job.
pub(super) fn imply(job: &mut Tree) {
    let mut groups = job.remove("TaskGroups");
    each(&mut groups).for_each(group);
    put_back(job, "TaskGroups", groups);
}

fn group(group: &mut Tree) {
    let mut tasks = group.remove("Tasks");
    let signals: BTreeSet<String> = each(&mut tasks).flat_map(|task| signals(task)).collect();
    if !signals.is_empty() {
        let signals = signals.into_iter().collect::<Vec<_>>().join(",");
        add(group, "${attr.os.signals}", &signals, "set_contains", false);
    }
    let mut services: Vec<Tree> = list(group, "Services").cloned().collect();
    services.extend(each(&mut tasks).flat_map(|task| list(task, "Services").cloned().collect::<Vec<_>>()));
    let of = |provider: &'static str| move |service: &&Tree| text(service, "Provider") == provider;
    if services.iter().any(|service| of("nomad")(&service)) {
        add(group, "${attr.nomad.service_discovery}", "true", "=", false);
    }
    if services.iter().filter(of("nomad")).any(|service| service.contains_key("Checks")) {
        add(group, "${attr.nomad.version}", ">= 1.4.0", "semver", false);
    }
    if list(group, "Services").any(|service| text(service, "Provider") == "consul") {
        add(group, "${attr.consul.version}", ">= 1.8.0", "semver", true);
    }
    for task in each(&mut tasks) {
        if list(task, "Services").any(|service| text(service, "Provider") == "consul") {
            add(task, "${attr.consul.version}", ">= 1.8.0", "semver", true);
        }
    }
    if list(group, "Networks").any(|network| text(network, "Mode") == "bridge") {
        for plugin in ["bridge", "firewall", "host-local", "loopback", "portmap"] {
            add(group, &format!("${{attr.plugins.cni.version.{plugin}}}"), ">= 0.4.0", "semver", true);
        }
    }
    if each(&mut tasks).any(|task| task.contains_key("Identities")) {
        // Once more even if it is there already.
        push(group, constraint("${attr.nomad.version}", ">= 1.7.0-a", "semver"));
    }
    put_back(group, "Tasks", tasks);
}

/// The signals that a task must be able to get.
fn signals(task: &Tree) -> Vec<String> {
    let of_templates = list(task, "Templates").filter(|template| text(template, "ChangeMode") == "signal");
    let found = of_templates.map(|template| text(template, "ChangeSignal")).chain([text(task, "KillSignal")]);
    found.filter(|signal| !signal.is_empty()).map(str::to_owned).collect()
}

/// Adds a constraint unless there is an equal one, or one on the same attribute.
fn add(within: &mut Tree, attribute: &str, value: &str, operand: &str, is_by_attribute: bool) {
    let wanted = constraint(attribute, value, operand);
    let is_it =
        |found: &Value| *found == wanted || (is_by_attribute && found["LTarget"].as_str() == Some(attribute));
    let found = within.get("Constraints").and_then(Value::as_array);
    if !found.is_some_and(|constraints| constraints.iter().any(is_it)) {
        push(within, wanted);
    }
}

fn push(within: &mut Tree, constraint: Value) {
    if let Value::Array(constraints) = within.entry("Constraints").or_insert_with(|| json!([])) {
        constraints.push(constraint);
    }
}

fn constraint(attribute: &str, value: &str, operand: &str) -> Value {
    json!({"LTarget": attribute, "RTarget": value, "Operand": operand})
}

fn list<'a>(within: &'a Tree, name: &str) -> impl Iterator<Item = &'a Tree> {
    within.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}
