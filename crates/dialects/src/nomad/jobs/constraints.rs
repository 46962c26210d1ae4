//! The constraints that follow from what a job uses, and the identities of its services
//! (`hashicorp/nomad:nomad/job_endpoint_hooks.go`, `nomad/job_endpoint_hook_{consul,implicit_identities}.go`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::read::Tree;
use super::tree::{each, is_empty, list, part, text, tree};

const NOMAD_VERSION: &str = "${attr.nomad.version}";
const CONSUL_VERSION: &str = "${attr.consul.version}";

/// Adds those that come before anything is added to the groups of a complete job.
pub(super) fn partition(job: &mut Tree) {
    each(job, "TaskGroups", |group| {
        of_partition(group);
        each(group, "Tasks", of_partition);
    });
}

fn of_partition(within: &mut Tree) {
    let partition = part(within, "Consul").map(|consul| text(consul, "Partition")).unwrap_or_default();
    if !partition.is_empty() {
        push(within, constraint("${attr.consul.partition}", partition, "="));
    }
}

/// Adds the others, and the identities.
pub(super) fn imply(job: &mut Tree) {
    let groups = list(job, "TaskGroups").flat_map(|group| list(group, "Tasks"));
    let secrets = groups.flat_map(|task| list(task, "Secrets"));
    let mut seen = BTreeSet::new();
    let providers = secrets.map(|secret| text(secret, "Provider").to_owned());
    let providers: Vec<String> = providers.filter(|provider| seen.insert(provider.clone())).collect();
    each(job, "TaskGroups", |group| {
        imply_in(group, &providers);
        identify(group);
    });
}

fn imply_in(group: &mut Tree, providers: &[String]) {
    if list(group, "Tasks").any(|task| task.contains_key("Vault")) {
        add(group, "${attr.vault.version}", ">= 0.6.1", "semver", true);
    }
    // Of the secrets of all groups.
    for provider in providers {
        add(group, &format!("${{attr.plugins.secrets.{provider}.version}}"), "", "is_set", true);
    }
    let signals: BTreeSet<String> = list(group, "Tasks").flat_map(signals).collect();
    if !signals.is_empty() {
        let signals = signals.into_iter().collect::<Vec<_>>().join(",");
        add(group, "${attr.os.signals}", &signals, "set_contains", false);
    }
    let of_tasks = list(group, "Tasks").flat_map(|task| list(task, "Services"));
    let of_nomad: Vec<bool> = list(group, "Services")
        .chain(of_tasks)
        .filter(|service| text(service, "Provider") == "nomad")
        .map(|service| !is_empty(service, "Checks"))
        .collect();
    if !of_nomad.is_empty() {
        add(group, "${attr.nomad.service_discovery}", "true", "=", false);
    }
    if of_nomad.contains(&true) {
        add(group, NOMAD_VERSION, ">= 1.4.0", "semver", false);
    }
    of_consul(group);
    each(group, "Tasks", of_consul);
    if list(group, "Networks").any(|network| text(network, "Mode") == "bridge") {
        for plugin in ["bridge", "firewall", "host-local", "loopback", "portmap"] {
            add(group, &format!("${{attr.plugins.cni.version.{plugin}}}"), ">= 0.4.0", "semver", true);
        }
    }
    if list(group, "Services").any(has_transparent_proxy) {
        add(group, "${attr.plugins.cni.version.consul-cni}", ">= 1.4.2", "semver", true);
        add(group, NOMAD_VERSION, ">= 1.8.0-dev", "semver", true);
    }
}

fn of_consul(within: &mut Tree) {
    if list(within, "Services").any(|service| text(service, "Provider") == "consul") {
        add(within, CONSUL_VERSION, ">= 1.8.0", "semver", true);
    }
}

fn has_transparent_proxy(service: &Tree) -> bool {
    let proxy = part(service, "Connect").and_then(|connect| part(part(connect, "SidecarService")?, "Proxy"));
    proxy.is_some_and(|proxy| proxy.contains_key("TransparentProxy"))
}

/// Names the identities of services with Consul, and asks for nodes that know of identities.
fn identify(group: &mut Tree) {
    each(group, "Services", name_identity);
    each(group, "Tasks", |task| each(task, "Services", name_identity));
    let is_of_service = |service: &Tree| service.contains_key("Identity");
    let has_any = list(group, "Services").any(is_of_service)
        || list(group, "Tasks")
            .any(|task| !is_empty(task, "Identities") || list(task, "Services").any(is_of_service));
    if has_any {
        // Once more even if it is there already.
        push(group, constraint(NOMAD_VERSION, ">= 1.7.0-a", "semver"));
    }
}

fn name_identity(service: &mut Tree) {
    let (service_name, port) = (text(service, "Name").to_owned(), text(service, "PortLabel"));
    let name = match text(service, "TaskName") {
        "" => format!("consul-service_{service_name}-{port}"),
        task => format!("consul-service_{task}-{service_name}-{port}"),
    };
    if text(service, "Provider") == "consul"
        && let Some(identity) = tree(service, "Identity")
    {
        identity.insert("Name".into(), name.into());
        identity.insert("ServiceName".into(), service_name.into());
    }
}

/// The signals that a task must be able to get.
fn signals(task: &Tree) -> Vec<String> {
    let asking = list(task, "Templates").chain(part(task, "Vault"));
    let asking = asking.filter(|block| text(block, "ChangeMode") == "signal");
    let of_blocks = asking.map(|block| text(block, "ChangeSignal").to_owned());
    of_blocks.chain(Some(text(task, "KillSignal").to_owned()).filter(|signal| !signal.is_empty())).collect()
}

/// Adds a constraint unless there is an equal one, or one on the same attribute.
fn add(within: &mut Tree, attribute: &str, value: &str, operand: &str, is_by_attribute: bool) {
    let is_it = |found: &Tree| {
        text(found, "LTarget") == attribute
            && (is_by_attribute || (text(found, "RTarget") == value && text(found, "Operand") == operand))
    };
    if !list(within, "Constraints").any(is_it) {
        push(within, constraint(attribute, value, operand));
    }
}

fn push(within: &mut Tree, constraint: Value) {
    super::connect::push(within, "Constraints", constraint);
}

fn constraint(attribute: &str, value: &str, operand: &str) -> Value {
    json!({"LTarget": attribute, "RTarget": value, "Operand": operand})
}
