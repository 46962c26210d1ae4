//! What a job must be like, in the words of genuine servers: their admission controllers
//! (`hashicorp/nomad:nomad/job_endpoint_hook*.go`) and `Validate` of `nomad/structs`, in their order.
//!
//! Expressions of `regexp` constraints are taken as they come.

mod blocks;
mod connect;
mod cron;
mod faults;
mod group;
mod places;
mod policies;
mod services;
mod task;
mod versions;
mod warnings;

pub(super) use connect::network_mode;
pub(super) use faults::Faults;
pub(super) use places::places;
pub(super) use warnings::{merged, warnings};

use std::collections::BTreeMap;

use super::read::Tree;
use super::tree::{integer, is_empty, is_set, list, part, text, texts};

/// Checks a complete job. `places` is what is wrong with where it is to be.
pub(super) fn job(job: &Tree, places: Faults) -> Faults {
    let mut faults = Faults::default();
    faults.check(connect::groups(job));
    faults.check(connect::exposed(job));
    faults.check(vault(job));
    faults.check(consul(job));
    faults.extend(places);
    faults.extend(structure(job));
    let is_core = text(job, "Type") == "core";
    faults.add_if(is_core, "job type cannot be core");
    let is_dispatched = !text(job, "Payload").is_empty();
    faults.add_if(is_dispatched, "job can't be submitted with a payload, only dispatched");
    let priority = integer(job, "Priority");
    faults.add_if(!(1..=100).contains(&priority), "job priority must be between [1, 100]");
    workloads(job, &mut faults);
    let total: i64 = counts(job).fold(0, i64::saturating_add);
    if total > COUNT_MAX {
        faults.add(format!("total count was greater than configured job_max_count: {total} > {COUNT_MAX}"));
    }
    let numas = tasks(job).filter_map(|task| part(part(task, "Resources")?, "NUMA"));
    let is_bound = numas.into_iter().any(|numa| text(numa, "Affinity") != "none");
    faults.add_if(is_bound, "numa scheduling requires Nomad Enterprise");
    let is_scheduled = tasks(job).any(|task| task.contains_key("Schedule"));
    faults.add_if(is_scheduled, "task schedules requires Nomad Enterprise");
    faults
}

/// What genuine servers are configured with (`job_max_count`).
pub(super) const COUNT_MAX: i64 = 50_000;

/// What identities services and tasks have to have.
fn workloads(job: &Tree, faults: &mut Faults) {
    let of_services = |within: &Tree, owner: &str, faults: &mut Faults| {
        for service in list(within, "Services") {
            if part(service, "Identity").is_some_and(|identity| text(identity, "Name").is_empty()) {
                let name = text(service, "Name");
                faults.add(format!("Service {name} in {owner} has an identity with an empty name"));
            }
        }
    };
    for group in list(job, "TaskGroups") {
        of_services(group, &format!("task group {}", text(group, "Name")), faults);
        for task in list(group, "Tasks") {
            let name = text(task, "Name");
            of_services(task, &format!("task {name}"), faults);
            let cluster = part(task, "Vault").map(|vault| text(vault, "Cluster")).unwrap_or("default");
            let wanted = format!("vault_{cluster}");
            let has_it = list(task, "Identities").any(|identity| text(identity, "Name") == wanted);
            if cluster != "default" && !has_it {
                faults.add(format!(
                    "Task {name} uses Vault cluster {cluster} but does not have an identity named {wanted} and no default identity is provided in agent configuration"
                ));
            }
        }
    }
}

fn counts(job: &Tree) -> impl Iterator<Item = i64> {
    list(job, "TaskGroups").map(|group| integer(group, "Count"))
}

fn tasks(job: &Tree) -> impl Iterator<Item = &Tree> {
    list(job, "TaskGroups").flat_map(|group| list(group, "Tasks"))
}

/// Of Vault there is the default cluster, as where nothing else is configured.
fn vault(job: &Tree) -> Result<(), String> {
    let blocks = || tasks(job).filter_map(|task| part(task, "Vault"));
    if let Some(other) = blocks().map(|block| text(block, "Cluster")).find(|cluster| *cluster != "default") {
        return Err(format!("Vault {other:?} not enabled but used in the job"));
    }
    let mut namespaces: Vec<&str> =
        blocks().map(|block| text(block, "Namespace")).filter(|namespace| !namespace.is_empty()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    match namespaces.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "multiple Vault namespaces requires Nomad Enterprise, Namespaces: {}",
            namespaces.join(", ")
        )),
    }
}

fn consul(job: &Tree) -> Result<(), String> {
    for group in list(job, "TaskGroups") {
        let of_group = part(group, "Consul");
        of_group.map_or(Ok(()), default_cluster)?;
        services_of_default_cluster(group)?;
        let partition = of_group.map(|consul| text(consul, "Partition")).unwrap_or_default();
        for task in list(group, "Tasks") {
            services_of_default_cluster(task)?;
            let Some(consul) = part(task, "Consul") else { continue };
            let own = text(consul, "Partition");
            if !own.is_empty() && !partition.is_empty() && own != partition {
                return Err(format!(
                    "task.consul.partition {own:?} must match group.consul.partition {partition:?} if both are set"
                ));
            }
            default_cluster(consul)?;
        }
    }
    Ok(())
}

fn services_of_default_cluster(within: &Tree) -> Result<(), String> {
    let mut services = list(within, "Services").filter(|service| text(service, "Provider") == "consul");
    services.try_for_each(default_cluster)
}

fn default_cluster(of: &Tree) -> Result<(), String> {
    match text(of, "Cluster") {
        "default" => Ok(()),
        _ => Err("non-default Consul cluster requires Nomad Enterprise".into()),
    }
}

fn structure(job: &Tree) -> Faults {
    let mut faults = Faults::default();
    match text(job, "ID") {
        "" => faults.add("Missing job ID"),
        id if id.contains(' ') => faults.add("Job ID contains a space"),
        id if id.contains('\0') => faults.add("Job ID contains a null character"),
        _ => {}
    }
    match text(job, "Name") {
        "" => faults.add("Missing job name"),
        name if name.contains('\0') => faults.add("Job Name contains a null character"),
        _ => {}
    }
    let kind = text(job, "Type");
    match kind {
        "core" | "service" | "batch" | "system" | "sysbatch" => {}
        "" => faults.add("Missing job type"),
        other => faults.add(format!("Invalid job type: {other:?}")),
    }
    for _ in texts(job, "Datacenters").filter(|datacenter| datacenter.is_empty()) {
        faults.add("Job datacenter must be non-empty string");
    }
    faults.add_if(is_empty(job, "TaskGroups"), "Missing job task groups");
    blocks::constraints(job, &mut faults);
    blocks::affinities(job, kind, &mut faults);
    blocks::spreads(job, kind, &mut faults);
    let description = part(job, "UI").map(|ui| text(ui, "Description").len()).unwrap_or_default();
    if description > DESCRIPTION_BYTES_MAX {
        faults.add(format!("UI description must be under 1000 characters, currently {description}"));
    }
    let description = part(job, "VersionTag").map(|tag| text(tag, "Description").len()).unwrap_or_default();
    if description > DESCRIPTION_BYTES_MAX {
        faults.add(format!(
            "Tagged version description must be under 1000 characters, currently {description}"
        ));
    }
    names_of_groups(job, kind, &mut faults);
    for group in list(job, "TaskGroups") {
        faults.nest_as(
            &format!("Task group {} validation failed", text(group, "Name")),
            group::faults(job, group),
        );
    }
    let can_repeat = matches!(kind, "batch" | "sysbatch");
    if let Some(periodic) = part(job, "Periodic").filter(|periodic| is_set(periodic, "Enabled")) {
        faults.add_if(!can_repeat, "Periodic can only be used with \"batch\" or \"sysbatch\" scheduler");
        faults.nest(policies::periodic(periodic));
    }
    if let Some(parameterized) = part(job, "ParameterizedJob") {
        faults.add_if(
            !can_repeat,
            "Parameterized job can only be used with \"batch\" or \"sysbatch\" scheduler",
        );
        faults.nest(policies::parameterized(parameterized));
    }
    faults.add_if(job.contains_key("Multiregion"), "Multiregion jobs are unlicensed.");
    faults
}

const DESCRIPTION_BYTES_MAX: usize = 1000;

fn names_of_groups(job: &Tree, kind: &str, faults: &mut Faults) {
    let mut names = BTreeMap::new();
    for (at, group) in list(job, "TaskGroups").enumerate() {
        let name = text(group, "Name");
        match names.get(name).copied() {
            _ if name.is_empty() => faults.add(format!("Job task group {} missing name", at + 1)),
            Some(known) => {
                faults.add(format!("Job task group {} redefines '{name}' from group {}", at + 1, known + 1));
            }
            None => drop(names.insert(name, at)),
        }
        faults.add_if(integer(group, "ShutdownDelay") < 0, "ShutdownDelay must be a positive value");
        let count = integer(group, "Count");
        if kind == "system" && count > 1 {
            faults.add(format!(
                "Job task group {name} has count {count}. Count cannot exceed 1 with system scheduler"
            ));
        }
    }
}
