//! Checks that are exposed through the sidecar of their service: the paths and ports that a server adds for them
//! (`hashicorp/nomad:nomad/job_endpoint_hook_expose_check.go`).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use records::GoDuration;
use serde_json::{Value, json};

use super::read::Tree;
use super::tree::{aside, each, each_of, integer, is_set, list, part, text, texts, tree};
use super::validate::network_mode;
use super::{connect, variables};

/// Adds them to a complete job. The error is a sentence.
pub(super) fn inject(job: &mut Tree) -> Result<(), String> {
    let mut outcome = Ok(());
    each(job, "TaskGroups", |group| {
        if outcome.is_ok() {
            outcome = inject_into(group);
        }
    });
    outcome
}

fn inject_into(group: &mut Tree) -> Result<(), String> {
    let mut outcome = Ok(());
    let mut services = group.remove("Services");
    for service in each_of(&mut services).filter(|service| has_sidecar(service)) {
        let mut checks = service.remove("Checks");
        for (at, check) in each_of(&mut checks).enumerate().filter(|(_, check)| is_exposed(check)) {
            outcome = outcome.and_then(|()| expose(group, service, check, at));
        }
        service.extend(checks.map(|checks| ("Checks".to_owned(), checks)));
    }
    group.extend(services.map(|services| ("Services".to_owned(), services)));
    outcome
}

fn has_sidecar(service: &Tree) -> bool {
    part(service, "Connect").is_some_and(|connect| connect.contains_key("SidecarService"))
}

/// Whether it wants to be, and can.
fn is_exposed(check: &Tree) -> bool {
    let kind = text(check, "Type").to_lowercase();
    is_set(check, "Expose")
        && matches!(kind.as_str(), "grpc" | "http")
        && text(check, "Path").starts_with('/')
}

fn expose(group: &mut Tree, service: &mut Tree, check: &mut Tree, at: usize) -> Result<(), String> {
    network_mode(group, "connect expose check", false)?;
    let name = text(service, "Name").to_owned();
    if text(check, "PortLabel").is_empty() {
        let label = format!("svc_{name}_ck_{}", &hash(check, &format!("{name}_{at}"))[..6]);
        connect::add_port(group, &label);
        check.insert("PortLabel".into(), label.into());
    }
    let label = text(service, "PortLabel");
    let port = match variables::port(group, label) {
        0 => label.parse().unwrap_or_default(),
        port => port,
    };
    if port <= 0 {
        return Err(format!(
            "unable to determine local service port for service check {}->{name}->{}",
            text(group, "Name"),
            text(check, "Name")
        ));
    }
    let path = json!({
        "Path": text(check, "Path"), "Protocol": text(check, "Protocol"), "LocalPathPort": port,
        "ListenerPort": text(check, "PortLabel"),
    });
    aside(service, "Connect", |_, connect| {
        let sidecar = connect.as_mut().and_then(|connect| connect.get_mut("SidecarService"));
        if let Some(sidecar) = sidecar.and_then(Value::as_object_mut) {
            let proxy = sidecar.entry("Proxy").or_insert_with(|| json!({}));
            if let Some(proxy) = proxy.as_object_mut() {
                add_path(proxy, path);
            }
        }
    });
    Ok(())
}

fn add_path(proxy: &mut Tree, path: Value) {
    proxy.entry("Expose").or_insert_with(|| json!({}));
    if let Some(expose) = tree(proxy, "Expose") {
        let same = |found: &Tree| {
            let texts = ["Path", "Protocol", "ListenerPort"];
            texts.iter().all(|field| Some(text(found, field)) == path[*field].as_str())
                && Some(integer(found, "LocalPathPort")) == path["LocalPathPort"].as_i64()
        };
        if !list(expose, "Paths").any(same) {
            connect::push(expose, "Paths", path);
        }
    }
}

/// What tells a check from the others of its service (`hashicorp/nomad:nomad/structs/services.go`).
fn hash(check: &Tree, service: &str) -> String {
    let mut input = service.to_owned();
    let duration = |name| GoDuration(integer(check, name)).to_string();
    let mut add = |text: &str| input.push_str(text);
    ["Name", "Type", "Command"].iter().for_each(|name| add(text(check, name)));
    texts(check, "Args").for_each(&mut add);
    ["Path", "Protocol", "PortLabel"].iter().for_each(|name| add(text(check, name)));
    ["Interval", "Timeout"].iter().for_each(|name| add(&duration(name)));
    ["Method", "Body", "OnUpdate", "Notes"].iter().for_each(|name| add(text(check, name)));
    if is_set(check, "TLSSkipVerify") {
        add("true");
    }
    add(text(check, "TLSServerName"));
    let mut headers: Vec<String> = part(check, "Header").into_iter().flatten().map(header).collect();
    headers.sort();
    headers.iter().for_each(|header| add(header));
    ["AddressMode", "GRPCService"].iter().for_each(|name| add(text(check, name)));
    if is_set(check, "GRPCUseTLS") {
        add("true");
    }
    for (word, name) in [
        ("success", "SuccessBeforePassing"),
        ("failures", "FailuresBeforeCritical"),
        ("failures-before-warning", "FailuresBeforeWarning"),
    ] {
        let count = integer(check, name);
        if count != 0 {
            add(&format!("{word}:{count}"));
        }
    }
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, input.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn header((name, values): (&String, &Value)) -> String {
    let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
    values.fold(name.clone(), |header, value| header + value)
}
