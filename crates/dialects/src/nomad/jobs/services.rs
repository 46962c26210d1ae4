//! The defaults of services and their checks (`hashicorp/nomad:api/services.go`, `nomad/structs/services.go`).

use serde_json::{Value, json};

use super::defaults::SECOND;
use super::read::Tree;
use super::tree::{each, fill, fill_empty, forget_empty, integer, text, tree};
use super::{connect, variables};

/// Completes a service of a group, or of a task.
pub(super) fn complete(service: &mut Tree, job: &Tree, group: &str, task: Option<&str>) {
    let job_name = text(job, "Name");
    let base = format!("{job_name}-{group}-{}", task.unwrap_or("group"));
    let name = match (text(service, "Name"), task) {
        ("", Some(task)) => format!("{job_name}-{group}-{task}"),
        ("", None) => format!("{job_name}-{group}"),
        (name, _) => name.to_owned(),
    };
    let name = variables::replaced(&name, |variable| match variable {
        "JOB" => Some(job_name.to_owned()),
        "TASKGROUP" => Some(group.to_owned()),
        "TASK" => Some(task.unwrap_or("group").to_owned()),
        "BASE" => Some(base.clone()),
        _ => None,
    });
    service.insert("Name".into(), name.as_str().into());
    fill_empty(service, "AddressMode", "auto");
    fill_empty(service, "OnUpdate", "require_healthy");
    fill_empty(service, "Provider", "consul");
    fill_empty(service, "Cluster", "default");
    if let Some(task) = task {
        fill_empty(service, "TaskName", task);
    }
    if let Some(weights) = tree(service, "Weights") {
        for weight in ["Passing", "Warning"] {
            if integer(weights, weight) <= 0 {
                weights.insert(weight.into(), 1.into());
            }
        }
    }
    let namespace = match text(service, "Provider") {
        "consul" => "default",
        "nomad" => text(job, "Namespace"),
        _ => "",
    };
    service.insert("Namespace".into(), namespace.into());
    let restart = service.remove("CheckRestart");
    let on_update = text(service, "OnUpdate").to_owned();
    let task_name = text(service, "TaskName").to_owned();
    each(service, "Checks", |one| {
        fill_empty(one, "OnUpdate", &on_update);
        if task.is_some() {
            one.remove("TaskName");
        }
        check(one, &name, &task_name, restart.as_ref());
    });
    if let Some(found) = tree(service, "Connect") {
        connect::complete(found);
    }
    forget_empty(service, &["Meta", "CanaryMeta", "TaggedAddresses", "Tags", "CanaryTags", "Checks"]);
}

fn check(check: &mut Tree, service: &str, task: &str, restart: Option<&Value>) {
    if let Some(Value::Object(outer)) = restart {
        let own = check.entry("CheckRestart").or_insert_with(|| json!({}));
        if let Value::Object(own) = own {
            // Zero counts as not set.
            own.retain(|name, value| name == "Grace" || (*value != json!(0) && *value != json!(false)));
            fill(own, &Value::Object(outer.clone()));
        }
    }
    if let Some(restart) = tree(check, "CheckRestart") {
        fill(restart, &json!({"Grace": SECOND}));
    }
    for count in ["SuccessBeforePassing", "FailuresBeforeCritical", "FailuresBeforeWarning"] {
        if integer(check, count) < 0 {
            check.remove(count);
        }
    }
    if let Some(header) = tree(check, "Header") {
        header.values_mut().filter(|values| **values == json!([])).for_each(|values| *values = Value::Null);
    }
    if text(check, "Name").is_empty() {
        check.insert("Name".into(), format!("service: {service:?} check").into());
    }
    if !task.is_empty() {
        fill_empty(check, "TaskName", task);
    }
    forget_empty(check, &["Args", "Header"]);
}
