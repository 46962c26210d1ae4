//! What a job must be like: a part of `hashicorp/nomad:nomad/structs/structs.go` (`Validate`), in its words, and
//! what jobs can't have here.

use std::collections::BTreeSet;

use node::Kind;
use serde_json::Value;

use super::defaults::{integer, text};
use super::read::Tree;
use crate::http::Failure;

/// Refuses what would need more than to be kept: whoever registers it counts on what a genuine server does with
/// it then.
pub(super) fn is_served(job: &Tree) -> Result<(), Failure> {
    let refuse = |what: &str| Err(Failure::unserved(format!("Stillpoint does not serve jobs with {what}")));
    if job.contains_key("Multiregion") {
        return refuse("several regions");
    }
    if job.get("Payload").and_then(Value::as_str).is_some_and(|payload| !payload.is_empty()) {
        return Err(failed(&["job can't be submitted with a payload, only dispatched".into()]));
    }
    for group in list(job, "TaskGroups") {
        if group.contains_key("Scaling") {
            return refuse("scaling policies");
        }
        for task in list(group, "Tasks") {
            if task.contains_key("Vault") {
                // The one cluster that a server without configuration knows of.
                return Err(failed(&["Vault \"default\" not enabled but used in the job".into()]));
            }
            for (field, what) in [
                ("ScalingPolicies", "scaling policies"),
                ("Secrets", "secrets"),
                ("CSIPluginConfig", "CSI plugins"),
                ("Schedule", "schedules"),
            ] {
                if task.contains_key(field) {
                    return refuse(what);
                }
            }
            let resources = task.get("Resources").and_then(Value::as_object);
            if resources.is_some_and(|resources| resources.contains_key("NUMA")) {
                return Err(failed(&["numa scheduling requires Nomad Enterprise".into()]));
            }
        }
        let of_tasks = list(group, "Tasks").flat_map(|task| list(task, "Services"));
        for service in list(group, "Services").chain(of_tasks) {
            if service.contains_key("Connect") {
                return refuse("Consul Connect");
            }
            if service.contains_key("Identity") {
                return refuse("identities of services");
            }
            if list(service, "Checks").any(|check| check.get("Expose") == Some(&Value::Bool(true))) {
                return refuse("exposed checks");
            }
        }
    }
    Ok(())
}

/// Checks a complete job.
pub(super) fn job(job: &Tree) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    match text(job, "ID") {
        "" => wrong.push("Missing job ID".to_owned()),
        id if id.contains(' ') => wrong.push("Job ID contains a space".into()),
        id if id.contains('\0') => wrong.push("Job ID contains a null character".into()),
        _ => {}
    }
    match text(job, "Name") {
        "" => wrong.push("Missing job name".to_owned()),
        name if name.contains('\0') => wrong.push("Job Name contains a null character".into()),
        _ => {}
    }
    let kind = text(job, "Type");
    match kind {
        "service" | "batch" | "system" | "sysbatch" => {}
        "" => wrong.push("Missing job type".into()),
        other => wrong.push(format!("Invalid job type: {other:?}")),
    }
    let priority = integer(job, "Priority");
    if !(1..=100).contains(&priority) {
        wrong.push("Job priority must be between [1, 100]".into());
    }
    let datacenters = job.get("Datacenters").and_then(Value::as_array).into_iter().flatten();
    if datacenters.into_iter().any(|datacenter| datacenter == "") {
        wrong.push("Job datacenter must be non-empty string".into());
    }
    if list(job, "TaskGroups").next().is_none() {
        wrong.push("Missing job task groups".into());
    }
    for field in ["Affinities", "Spreads"] {
        if kind == "system" && job.contains_key(field) {
            let what = if field == "Spreads" { "a spread" } else { "an affinity" };
            wrong.push(format!("System jobs may not have {what} block"));
        }
    }
    let mut names: Vec<&str> = Vec::new();
    for (at, group) in list(job, "TaskGroups").enumerate() {
        let name = text(group, "Name");
        match names.iter().position(|known| *known == name) {
            _ if name.is_empty() => wrong.push(format!("Job task group {} missing name", at + 1)),
            Some(known) => {
                wrong.push(format!("Job task group {} redefines '{name}' from group {}", at + 1, known + 1));
            }
            None => {}
        }
        names.push(name);
        let count = integer(group, "Count");
        if kind == "system" && count > 1 {
            wrong.push(format!(
                "Job task group {name} has count {count}. Count cannot exceed 1 with system scheduler"
            ));
        }
    }
    for group in list(job, "TaskGroups") {
        let found = of_group(group);
        if !found.is_empty() {
            wrong.push(format!("Task group {} validation failed: {}", text(group, "Name"), told(&found)));
        }
    }
    for (field, what) in [("Periodic", "Periodic"), ("ParameterizedJob", "Parameterized job")] {
        if job.contains_key(field) && !matches!(kind, "batch" | "sysbatch") {
            wrong.push(format!("{what} can only be used with \"batch\" or \"sysbatch\" scheduler"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(failed(&wrong)) }
}

fn of_group(group: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    if text(group, "Name").is_empty() {
        wrong.push("Missing task group name".to_owned());
    }
    if integer(group, "Count") < 0 {
        wrong.push("Task group count can't be negative".into());
    }
    if list(group, "Tasks").next().is_none() {
        wrong.push("Missing tasks for task group".into());
    }
    let mut names = BTreeSet::new();
    for (at, task) in list(group, "Tasks").enumerate() {
        match text(task, "Name") {
            "" => wrong.push(format!("Task {} missing name", at + 1)),
            name if !names.insert(name) => wrong.push(format!("Task {} redefines '{name}'", at + 1)),
            name if text(task, "Driver").is_empty() => {
                wrong.push(format!(
                    "Task {name} validation failed: {}",
                    told(&["Missing task driver".into()])
                ));
            }
            _ => {}
        }
    }
    wrong
}

/// A refusal in the form in which genuine servers put errors together.
fn failed(wrong: &[String]) -> Failure {
    Failure::genuine(Kind::Invalid, told(wrong))
}

/// Several errors as `hashicorp/go-multierror:format.go` shows them.
fn told(wrong: &[String]) -> String {
    let points: String = wrong.iter().map(|one| format!("\t* {one}\n")).collect();
    let plural = if wrong.len() == 1 { "error" } else { "errors" };
    format!("{} {plural} occurred:\n{points}\n", wrong.len())
}

fn list<'a>(within: &'a Tree, name: &str) -> impl Iterator<Item = &'a Tree> {
    within.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}
