//! What a group must be like (`hashicorp/nomad:nomad/structs/structs.go`, `structs/volumes.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::super::read::Tree;
use super::super::tree::{entries, integer, is_empty, is_set, list, part, text};
use super::super::variables;
use super::faults::Faults;
use super::{blocks, policies, services, task};

const PORT_MAX: i64 = 65_535;

pub(super) fn faults(job: &Tree, group: &Tree) -> Faults {
    let mut faults = Faults::default();
    let kind = text(job, "Type");
    let name = text(group, "Name");
    faults.add_if(name.is_empty(), "Missing task group name");
    faults.add_if(name.contains('\0'), "Task group name contains null character");
    faults.add_if(integer(group, "Count") < 0, "Task group count can't be negative");
    faults.add_if(is_empty(group, "Tasks"), "Missing tasks for task group");
    if let Some(disconnect) = part(group, "Disconnect") {
        faults.extend(policies::disconnect(disconnect, kind));
    }
    blocks::constraints(group, &mut faults);
    blocks::affinities(group, kind, &mut faults);
    part(group, "RestartPolicy").into_iter().for_each(|policy| faults.extend(policies::restart(policy)));
    blocks::spreads(group, kind, &mut faults);
    match part(group, "ReschedulePolicy") {
        Some(_) if matches!(kind, "system" | "sysbatch") => {
            faults.add("System or sysbatch jobs should not have a reschedule policy");
        }
        Some(policy) => faults.extend(policies::reschedule(policy)),
        None => {}
    }
    let disk = part(group, "EphemeralDisk").map(|disk| integer(disk, "SizeMB")).unwrap_or_default();
    if disk < 10 {
        faults.add(format!("minimum DiskMB value is 10; got {disk}"));
    }
    if let Some(update) = part(group, "Update") {
        if !matches!(kind, "service" | "system") {
            faults.add(format!("Job type {kind:?} does not allow update block"));
        }
        faults.extend(policies::update(update));
    }
    match part(group, "Migrate") {
        Some(migrate) if kind == "service" => faults.extend(policies::migrate(migrate)),
        Some(_) => faults.add(format!("Job type {kind:?} does not allow migrate block")),
        None => {}
    }
    names_of_tasks(group, &mut faults);
    let canaries = part(group, "Update").map(|update| integer(update, "Canary")).unwrap_or_default();
    for (name, request) in entries(group, "Volumes") {
        let found = volume(request, kind, integer(group, "Count"), canaries);
        faults.nest_as(&format!("Task group volume validation for {name} failed"), found);
    }
    faults.nest_as("Task group network validation failed", networks(group));
    faults.nest_as("Task group service validation failed", services::of_group(group));
    faults.nest_as("Task group service check validation failed", services::scripts(group));
    if let Some(policy) = part(group, "Scaling") {
        let found = policies::scaling(policy, integer(group, "Count"));
        faults.nest_as("Task group scaling policy validation failed", found);
    }
    for one in list(group, "Tasks") {
        let found = task::faults(kind, group, one);
        faults.nest_as(&format!("Task {} validation failed", text(one, "Name")), found);
    }
    faults
}

fn names_of_tasks(group: &Tree, faults: &mut Faults) {
    let mut names = BTreeMap::new();
    for (at, task) in list(group, "Tasks").enumerate() {
        let name = text(task, "Name");
        match names.get(name).copied() {
            _ if name.is_empty() => faults.add(format!("Task {} missing name", at + 1)),
            Some(known) => faults.add(format!("Task {} redefines '{name}' from task {}", at + 1, known + 1)),
            None => drop(names.insert(name, at)),
        }
    }
    let leaders = list(group, "Tasks").filter(|task| is_set(task, "Leader")).count();
    faults.add_if(leaders > 1, "Only one task may be marked as leader");
}

fn volume(request: &Tree, kind: &str, count: i64, canaries: i64) -> Faults {
    let mut faults = Faults::default();
    let is_read_only = is_set(request, "ReadOnly");
    let is_per_alloc = is_set(request, "PerAlloc");
    let (access, attachment) = (text(request, "AccessMode"), text(request, "AttachmentMode"));
    faults.add_if(text(request, "Source").is_empty(), "volume has an empty source");
    if is_per_alloc {
        let is_everywhere = matches!(kind, "system" | "sysbatch");
        faults.add_if(is_everywhere, "volume cannot be per_alloc for system or sysbatch jobs");
        faults.add_if(canaries > 0, "volume cannot be per_alloc when canaries are in use");
        let is_sticky = is_set(request, "Sticky");
        faults.add_if(is_sticky, "volume cannot be per_alloc and sticky at the same time");
    }
    let has_options = request.contains_key("MountOptions");
    let needs_read_only = !is_read_only;
    if text(request, "Type") == "host" {
        faults.add_if(has_options, "host volumes cannot have mount options");
        match access {
            "single-node-reader-only" => {
                faults.add_if(needs_read_only, "single-node-reader-only volumes must be read-only");
            }
            "" | "single-node-writer" | "single-node-single-writer" | "single-node-multi-writer" => {}
            other => faults.add(format!("host volumes cannot be mounted with {other} access mode")),
        }
        return faults;
    }
    match attachment {
        "" => faults.add("CSI volumes must have an attachment mode"),
        "block-device" => faults.add_if(has_options, "block devices cannot have mount options"),
        _ => {}
    }
    let are_several = count > 1 && !is_per_alloc;
    let mut only_one = |is_too_many: bool, what: &str| {
        if is_too_many {
            faults.add(format!("volume with {access} access mode allows only one {what}"));
        }
    };
    match access {
        "single-node-writer" => only_one(are_several, "reader or writer"),
        "multi-node-single-writer" => only_one(needs_read_only && are_several, "writer"),
        "" => faults.add("CSI volumes must have an access mode"),
        "single-node-reader-only" | "multi-node-reader-only" => {
            if needs_read_only {
                faults.add(format!("{access} volumes must be read-only"));
            }
            if access == "single-node-reader-only" && are_several {
                faults.add(format!("volume with {access} access mode allows only one reader"));
            }
        }
        _ => {}
    }
    faults
}

/// The ports that are taken, by host network.
type Taken = BTreeMap<String, BTreeMap<i64, String>>;

fn networks(group: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (mut labels, mut taken, mut arguments) = (BTreeSet::new(), Taken::new(), BTreeSet::new());
    for network in list(group, "Networks") {
        let mode = text(network, "Mode");
        for port in ports(network) {
            let label = text(port, "Label");
            if !labels.insert(label) {
                faults.add(format!("Port label {label} already in use by taskgroup network"));
            }
            let by = format!("taskgroup network:{label}");
            take(&mut taken, port, by, is_set(port, "IgnoreCollision"), &mut faults);
            match integer(port, "To") {
                to if to < -1 => {
                    faults.add(format!("Port {label:?} cannot be mapped to negative value {to}"))
                }
                to if to > PORT_MAX => faults
                    .add(format!("Port {label:?} cannot be mapped to a port ({to}) greater than {PORT_MAX}")),
                _ => {}
            }
            if is_set(port, "IgnoreCollision") && !matches!(mode, "" | "host") {
                faults.add(format!(
                    "Port {label:?} collision may not be ignored on non-host network mode {mode:?}"
                ));
            }
        }
        let of_cni = part(network, "CNI").and_then(|cni| part(cni, "Args")).into_iter().flatten();
        for (key, value) in of_cni {
            if !arguments.insert(key) {
                faults.add(format!("duplicate CNI arg {key:?}"));
            }
            if key.contains(';') {
                faults.add(format!("invalid ';' character in CNI arg key {key:?}"));
            }
            if let Some(value) = value.as_str().filter(|value| value.contains(';')) {
                faults.add(format!("invalid ';' character in CNI arg value {value:?}"));
            }
        }
        let host = text(network, "Hostname");
        let is_wrong = !host.is_empty() && !host.contains("${") && !is_domain(host);
        faults.add_if(is_wrong, "Hostname is not a valid DNS name");
    }
    for task in list(group, "Tasks") {
        let networks = part(task, "Resources").into_iter().flat_map(|resources| list(resources, "Networks"));
        for port in networks.flat_map(ports) {
            let label = text(port, "Label");
            if labels.contains(label) {
                faults.add(format!("Port label {label} already in use by taskgroup network"));
            }
            take(&mut taken, port, format!("{}:{label}", text(task, "Name")), false, &mut faults);
        }
    }
    faults
}

/// The ports of a network.
pub(super) fn ports(network: &Tree) -> impl Iterator<Item = &Tree> {
    list(network, "ReservedPorts").chain(list(network, "DynamicPorts"))
}

fn take(taken: &mut Taken, port: &Tree, by: String, may_collide: bool, faults: &mut Faults) {
    let (value, label) = (integer(port, "Value"), text(port, "Label"));
    if value == 0 {
        return;
    }
    let of_host = match text(port, "HostNetwork") {
        "" => "default",
        other => other,
    };
    let of_host = taken.entry(of_host.to_owned()).or_default();
    match of_host.get(&value) {
        Some(_) if may_collide => {}
        Some(other) => faults.add(format!("Static port {value} already reserved by {other}")),
        None if value > PORT_MAX => {
            faults.add(format!("Port {label} ({value}) cannot be greater than {PORT_MAX}"));
        }
        None => drop(of_host.insert(value, by)),
    }
}

/// Whether the labels are not too long (`miekg/dns:defaults.go`).
fn is_domain(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() < 255 && name.split('.').all(|label| (1..64).contains(&label.len()))
}

/// Whether a service name is one, its variables aside.
pub(super) fn is_service_name(name: &str) -> bool {
    let plain = variables::replaced(name, |_| Some("ENV-VAR".into()));
    let is_inner = plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (1..=63).contains(&plain.len()) && is_inner && !plain.starts_with('-') && !plain.ends_with('-')
}
