//! What Consul Connect asks of groups and services (`hashicorp/nomad:nomad/job_endpoint_hook_connect.go`,
//! `nomad/job_endpoint_hook_expose_check.go`, `nomad/structs/{services,connect}.go`). The first fault ends it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::connect::named_task;
use super::super::read::Tree;
use super::super::tree::{entries, integer, is_empty, is_set, list, part, text, texts};
use super::faults::Faults;

/// The groups of a job.
pub(super) fn groups(job: &Tree) -> Result<(), String> {
    list(job, "TaskGroups").try_for_each(of_group)
}

fn of_group(group: &Tree) -> Result<(), String> {
    for service in list(group, "Services") {
        let Some(block) = part(service, "Connect") else { continue };
        if block.contains_key("SidecarService") {
            network_mode(group, "connect sidecar", false)?;
            is_lowercase(group, service)?;
        } else if is_set(block, "Native") {
            named_task(service, group)?;
        } else if block.contains_key("Gateway") {
            network_mode(group, "connect gateway", true)?;
        }
    }
    upstreams(group)
}

/// Consul takes names for lower case without a check.
fn is_lowercase(group: &Tree, service: &Tree) -> Result<(), String> {
    let (group_name, name) = (text(group, "Name"), text(service, "Name"));
    let is_lower = |name: &str| name == name.to_lowercase();
    match (is_lower(name), is_lower(group_name)) {
        (false, _) => Err(format!(
            "Consul Connect service name {name:?} in group {group_name:?} must not contain uppercase characters"
        )),
        (_, false) => Err(format!(
            "Consul Connect group {group_name:?} with service {name:?} must not contain uppercase characters"
        )),
        _ => Ok(()),
    }
}

/// There must be one network, of a mode in which a proxy can be reached.
pub(in super::super) fn network_mode(group: &Tree, what: &str, allows_host: bool) -> Result<(), String> {
    let name = text(group, "Name");
    let modes: Vec<&str> = list(group, "Networks").map(|network| text(network, "Mode")).collect();
    let [mode] = modes[..] else {
        return Err(format!(
            "{what}: must have exactly one network for Consul Connect: group {name:?} has {} networks",
            modes.len()
        ));
    };
    if mode == "bridge" || (allows_host && mode == "host") || mode.starts_with("cni/") {
        return Ok(());
    }
    let allowed = if allows_host { "\"bridge\", \"host\", or \"cni/*\"" } else { "\"bridge\" or \"cni/*\"" };
    Err(format!(
        "{what}: invalid network mode for Consul Connect: group {name:?} uses network mode {mode:?}; must be {allowed}"
    ))
}

fn upstreams(group: &Tree) -> Result<(), String> {
    let mut listeners: BTreeMap<String, &str> = BTreeMap::new();
    let blocks = list(group, "Services").filter(|service| service.contains_key("Connect")).count();
    let mut is_transparent = false;
    for service in list(group, "Services") {
        let Some(proxy) = proxy(service) else { continue };
        let name = text(service, "Name");
        for upstream in list(proxy, "Upstreams") {
            let listener = match text(upstream, "LocalBindSocketPath") {
                "" => address(text(upstream, "LocalBindAddress"), integer(upstream, "LocalBindPort")),
                path => path.to_owned(),
            };
            if let Some(other) = listeners.get(&listener) {
                return Err(format!(
                    "Consul Connect services {name:?} and {other:?} in group {:?} using same address for upstreams ({listener})",
                    text(group, "Name")
                ));
            }
            listeners.insert(listener, name);
        }
        if let Some(transparent) = part(proxy, "TransparentProxy") {
            is_transparent = true;
            excludes(group, transparent)?;
        }
    }
    match is_transparent && blocks > 1 {
        true => Err("Consul Connect transparent proxy requires there is only one connect block".into()),
        false => Ok(()),
    }
}

fn proxy(service: &Tree) -> Option<&Tree> {
    part(part(part(service, "Connect")?, "SidecarService")?, "Proxy")
}

fn address(host: &str, port: i64) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn excludes(group: &Tree, transparent: &Tree) -> Result<(), String> {
    let has_dns = list(group, "Networks")
        .filter_map(|network| part(network, "DNS"))
        .any(|dns| ["Servers", "Searches", "Options"].iter().any(|field| !is_empty(dns, field)));
    if has_dns && !is_set(transparent, "NoDNS") {
        return Err(
            "Consul Connect transparent proxy cannot be used with network.dns unless no_dns=true".into()
        );
    }
    let reserved = || list(group, "Networks").flat_map(|network| list(network, "ReservedPorts"));
    for label in texts(transparent, "ExcludeInboundPorts") {
        if label.parse::<u16>().is_err() && !reserved().any(|port| text(port, "Label") == label) {
            return Err(format!(
                "Consul Connect transparent proxy port {label:?} must be numeric or one of network.port labels"
            ));
        }
    }
    Ok(())
}

/// What is asked of groups with exposed checks.
pub(super) fn exposed(job: &Tree) -> Result<(), String> {
    let is_exposed = |check: &&Tree| is_set(check, "Expose");
    for group in list(job, "TaskGroups") {
        let name = text(group, "Name");
        let has_any = |service: &Tree| list(service, "Checks").any(|check| is_set(check, "Expose"));
        if list(group, "Services").any(has_any) {
            network_mode(group, "connect expose check", false)?;
        }
        for service in list(group, "Services") {
            let has_sidecar =
                part(service, "Connect").is_some_and(|connect| connect.contains_key("SidecarService"));
            if let Some(check) = list(service, "Checks").find(is_exposed).filter(|_| !has_sidecar) {
                return Err(format!(
                    "exposed service check {name}->{}->{} requires use of sidecar_proxy",
                    text(service, "Name"),
                    text(check, "Name")
                ));
            }
        }
        for task in list(group, "Tasks") {
            for service in list(task, "Services") {
                if let Some(check) = list(service, "Checks").find(is_exposed) {
                    return Err(format!(
                        "exposed service check {name}[{}]->{}->{} is not a task-group service",
                        text(task, "Name"),
                        text(service, "Name"),
                        text(check, "Name")
                    ));
                }
            }
        }
    }
    Ok(())
}

/// A `Connect` block by itself.
pub(super) fn block(block: &Tree) -> Result<(), String> {
    let sidecar = part(block, "SidecarService");
    let gateway = part(block, "Gateway");
    let proxy = sidecar.and_then(|sidecar| part(sidecar, "Proxy"));
    if let Some(transparent) = proxy.and_then(|proxy| part(proxy, "TransparentProxy")) {
        transparent_proxy(transparent)?;
    }
    let count = usize::from(sidecar.is_some())
        + usize::from(is_set(block, "Native"))
        + usize::from(gateway.is_some());
    if count != 1 {
        return Err(
            "Consul Connect must be exclusively native, make use of a sidecar, or represent a Gateway".into(),
        );
    }
    gateway.map_or(Ok(()), of_gateway)
}

fn transparent_proxy(transparent: &Tree) -> Result<(), String> {
    let mut found = Vec::new();
    for range in texts(transparent, "ExcludeOutboundCIDRs") {
        found.extend(prefix(range).err().map(|why| {
            format!("could not parse transparent proxy excluded outbound CIDR as network prefix: {why}")
        }));
    }
    let id = |raw: &str| {
        let is_digits = !raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_digit());
        let why = if is_digits { "value out of range" } else { "invalid syntax" };
        match raw.parse::<u16>() {
            Ok(_) if is_digits => None,
            _ => Some(format!("invalid user ID {raw:?}: {why}")),
        }
    };
    let own = Some(text(transparent, "UID")).filter(|uid| !uid.is_empty());
    found.extend(own.and_then(id).map(|why| format!("transparent proxy block has invalid UID field: {why}")));
    for why in texts(transparent, "ExcludeUIDs").filter_map(id) {
        found.push(format!("transparent proxy block has invalid ExcludeUIDs field: {why}"));
    }
    match found.len() {
        0 => Ok(()),
        1 => Err(found.remove(0)),
        _ => {
            let mut faults = Faults::default();
            found.into_iter().for_each(|fault| faults.add(fault));
            Err(faults.to_string())
        }
    }
}

/// Why a text is no range of addresses (`golang/go:src/net/netip/netip.go`).
fn prefix(range: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("netip.ParsePrefix({range:?}): {why}"));
    let Some((address, bits)) = range.rsplit_once('/') else { return refuse("no '/'") };
    let Ok(address) = address.parse::<IpAddr>() else {
        return refuse(&format!("ParseAddr({address:?}): unable to parse IP"));
    };
    let max = if address.is_ipv4() { 32 } else { 128 };
    let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = bits.len() > 1 && bits.starts_with('0');
    match bits.parse::<u32>() {
        Ok(bits) if is_number && !is_padded && bits <= max => Ok(()),
        Ok(_) if is_number && !is_padded => refuse("prefix length out of range"),
        _ => refuse(&format!("bad bits after slash: {bits:?}")),
    }
}

fn of_gateway(gateway: &Tree) -> Result<(), String> {
    let refuse = |why: &str| Err(why.to_owned());
    if let Some(proxy) = part(gateway, "Proxy") {
        if !proxy.contains_key("ConnectTimeout") {
            return refuse("Consul Gateway Proxy connection_timeout must be set");
        }
        if !matches!(text(proxy, "EnvoyDNSDiscoveryType"), "" | "STRICT_DNS" | "LOGICAL_DNS") {
            return refuse("Consul Gateway Proxy Envoy DNS Discovery type must be STRICT_DNS or LOGICAL_DNS");
        }
        for (_, bound) in entries(proxy, "EnvoyGatewayBindAddresses") {
            let port = integer(bound, "Port");
            if text(bound, "Address").is_empty() {
                return refuse("Consul Gateway Bind Address must be set");
            }
            if port <= 0 && port != -1 {
                return refuse("Consul Gateway Bind Address must set valid Port");
            }
        }
    }
    part(gateway, "Ingress").map_or(Ok(()), ingress)?;
    if let Some(terminating) = part(gateway, "Terminating") {
        if is_empty(terminating, "Services") {
            return refuse("Consul Terminating Gateway requires at least one service");
        }
        list(terminating, "Services").try_for_each(linked)?;
    }
    let kinds = ["Ingress", "Terminating", "Mesh"];
    match kinds.iter().filter(|kind| gateway.contains_key(**kind)).count() {
        1 => Ok(()),
        _ => refuse("One Consul Gateway Configuration must be set"),
    }
}

fn ingress(ingress: &Tree) -> Result<(), String> {
    let refuse = |why: &str| Err(why.to_owned());
    if is_empty(ingress, "Listeners") {
        return refuse("Consul Ingress Gateway requires at least one listener");
    }
    for listener in list(ingress, "Listeners") {
        let protocol = text(listener, "Protocol");
        if integer(listener, "Port") <= 0 {
            return refuse("Consul Ingress Listener requires valid Port");
        }
        if !matches!(protocol, "tcp" | "http" | "http2" | "grpc") {
            return Err(format!(
                "Consul Ingress Listener requires protocol of tcp, http, http2, grpc, got {protocol:?}"
            ));
        }
        if is_empty(listener, "Services") {
            return refuse("Consul Ingress Listener requires one or more services");
        }
        for service in list(listener, "Services") {
            let (name, has_hosts) = (text(service, "Name"), !is_empty(service, "Hosts"));
            match (name, protocol) {
                ("", _) => return refuse("Consul Ingress Service requires a name"),
                ("*", "tcp") => {
                    return refuse(
                        "Consul Ingress Service doesn't support wildcard name for \"tcp\" protocol",
                    );
                }
                (_, "tcp") if has_hosts => {
                    return refuse(
                        "Consul Ingress Service doesn't support associating hosts to a service for the \"tcp\" protocol",
                    );
                }
                ("*", _) if has_hosts => {
                    return refuse(
                        "Consul Ingress Service with a wildcard \"*\" service name can not also specify hosts",
                    );
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn linked(service: &Tree) -> Result<(), String> {
    let has = |field: &str| !text(service, field).is_empty();
    let why = if !has("Name") {
        "Consul Linked Service requires Name"
    } else if (has("CertFile") || has("KeyFile")) && !has("CAFile") {
        "Consul Linked Service TLS requires CAFile"
    } else if has("CertFile") != has("KeyFile") {
        "Consul Linked Service TLS Cert and Key must both be set"
    } else if has("SNI") && !has("CAFile") {
        "Consul Linked Service TLS SNI requires CAFile"
    } else {
        return Ok(());
    };
    Err(why.into())
}
