//! What services and their checks must be like (`hashicorp/nomad:nomad/structs/services.go`, `structs/structs.go`).

use std::collections::BTreeSet;

use records::GoDuration;

use super::super::read::Tree;
use super::super::tree::{integer, is_empty, is_set, list, part, text};
use super::faults::Faults;
use super::{connect, group};

const SECOND: i64 = 1_000_000_000;

/// Of the services of a group, and of those of its tasks what concerns the group.
pub(super) fn of_group(group: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (mut ids, mut twice) = (BTreeSet::new(), BTreeSet::new());
    let mut providers = BTreeSet::new();
    let tasks: BTreeSet<&str> = list(group, "Tasks").map(|task| text(task, "Name")).collect();
    let mut meet = |service: &Tree, owner: &str| {
        let id = [owner, text(service, "Name"), text(service, "PortLabel")].map(str::to_owned);
        if !ids.insert(id.clone()) {
            twice.insert(id);
        }
        providers.insert(text(service, "Provider").to_owned());
    };
    for task in list(group, "Tasks") {
        let name = text(task, "Name");
        for service in list(task, "Services") {
            let own = text(service, "TaskName");
            if !own.is_empty() && own != name {
                faults.add(format!(
                    "Service {} is invalid: may only specify task the service belongs to, got {own:?}",
                    text(service, "Name")
                ));
            }
            for check in list(service, "Checks") {
                let own = text(check, "TaskName");
                if !own.is_empty() && own != name {
                    faults.add(format!(
                        "Check {} is invalid: may only specify task the check belongs to, got {own:?}",
                        text(check, "Name")
                    ));
                }
            }
            meet(service, name);
        }
    }
    for (at, one) in list(group, "Services").enumerate() {
        meet(one, "group");
        let name = text(one, "Name");
        let found = service(one);
        if !found.is_empty() {
            faults.nest_as(&format!("Service[{at}] {name} validation failed"), found);
            continue;
        }
        if text(one, "AddressMode") == "driver" {
            faults.add(format!(
                "service {name:?} cannot use address_mode=\"driver\", only services defined in a \"task\" block can use this mode"
            ));
        }
        for check in list(one, "Checks").filter(|check| !text(check, "TaskName").is_empty()) {
            if text(check, "AddressMode") == "driver" {
                faults.add(format!(
                    "Check {name:?} invalid: cannot use address_mode=\"driver\", only checks defined in a \"task\" service block can use this mode"
                ));
            }
            if !tasks.contains(text(check, "TaskName")) {
                faults.add(format!(
                    "Check {} invalid: refers to non-existent task {}",
                    text(check, "Name"),
                    text(check, "TaskName")
                ));
            }
        }
    }
    if !twice.is_empty() {
        let shown = twice.iter().map(|[owner, name, port]| match port.as_str() {
            "" => format!("{owner}->{name}"),
            port => format!("{owner}->{name}:{port}"),
        });
        faults.add(format!("Services are not unique: [{}]", shown.collect::<Vec<_>>().join(" ")));
    }
    let are_several = providers.len() > 1;
    faults.add_if(
        are_several,
        "Multiple service providers used: task group services must use the same provider",
    );
    faults
}

/// Of checks that run a script: somebody must say where.
pub(super) fn scripts(group: &Tree) -> Faults {
    let mut faults = Faults::default();
    for service in list(group, "Services").filter(|service| text(service, "TaskName").is_empty()) {
        let is_homeless =
            |check: &&Tree| text(check, "Type") == "script" && text(check, "TaskName").is_empty();
        for check in list(service, "Checks").filter(is_homeless) {
            faults.add(format!(
                "Service [{}]->{} or Check {} must specify task parameter",
                text(group, "Name"),
                text(service, "Name"),
                text(check, "Name")
            ));
        }
    }
    faults
}

/// A service of a group or a task.
pub(super) fn service(service: &Tree) -> Faults {
    let mut faults = Faults::default();
    let name = text(service, "Name");
    if !group::is_service_name(name) {
        faults.add(format!(
            "Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes and must be no longer than 63 characters: {name:?}"
        ));
    }
    match text(service, "AddressMode") {
        "" | "auto" => {}
        "host" | "driver" | "alloc" | "alloc_ipv6" => faults.add_if(
            !text(service, "Address").is_empty(),
            "Service address_mode must be \"auto\" if address is set",
        ),
        other => faults
            .add(format!("Service address_mode must be \"auto\", \"host\", or \"driver\"; not {other:?}")),
    }
    match text(service, "OnUpdate") {
        "" | "ignore" | "require_healthy" | "ignore_warnings" => {}
        other => faults.add(format!(
            "Service on_update must be \"require_healthy\", \"ignore_warnings\", or \"ignore\"; not {other:?}"
        )),
    }
    match text(service, "Provider") {
        "consul" => of_consul(service, &mut faults),
        "nomad" => of_nomad(service, &mut faults),
        other => {
            faults.add(format!("Service provider must be \"consul\", or \"nomad\"; not {other:?}"));
        }
    }
    let is_aimless = part(service, "Identity").is_some_and(|identity| is_empty(identity, "Audience"));
    faults.add_if(is_aimless, "Service identity must provide at least one target aud value");
    faults
}

/// Whether a check is of a service that it can ask.
pub(super) fn requires_port(check: &Tree) -> bool {
    matches!(text(check, "Type"), "grpc" | "http" | "tcp")
}

fn lacks_port(service: &Tree, check: &Tree) -> Option<String> {
    let has_port = !text(service, "PortLabel").is_empty() || !text(check, "PortLabel").is_empty();
    (!has_port && requires_port(check)).then(|| {
        format!(
            "Check {} invalid: check requires a port but neither check nor service {:?} have a port",
            text(check, "Name"),
            text(service, "Name")
        )
    })
}

fn of_consul(service: &Tree, faults: &mut Faults) {
    let name = text(service, "Name");
    let block = part(service, "Connect");
    let has_sidecar = block.is_some_and(|connect| connect.contains_key("SidecarService"));
    for check in list(service, "Checks") {
        let called = text(check, "Name");
        if let Some(fault) = lacks_port(service, check) {
            faults.add(fault);
        } else if text(check, "Type") == "tcp" && has_sidecar {
            faults.add(format!(
                "Check {called} invalid: tcp checks are not valid for Connect enabled services"
            ));
        } else {
            faults.check(check_of_consul(check).map_err(|why| format!("Check {called} invalid: {why}")));
        }
    }
    let kind = text(service, "Kind");
    if !matches!(kind, "" | "api-gateway" | "ingress-gateway" | "mesh-gateway" | "terminating-gateway") {
        faults.add(format!("Service {name} kind must be one of consul service kind or empty"));
    }
    if let Some(block) = block {
        faults.check(connect::block(block));
        if is_set(block, "Native") {
            if text(service, "TaskName").is_empty() {
                faults.add(format!("Service {name} is Connect Native and requires setting the task"));
            }
            if text(service, "PortLabel").is_empty() {
                faults.add(format!("Service {name} is Connect Native and requires setting the port"));
            }
        }
    }
}

fn of_nomad(service: &Tree, faults: &mut Faults) {
    for check in list(service, "Checks") {
        match lacks_port(service, check) {
            Some(fault) => faults.add(fault),
            None => faults.check(check_of_nomad(check)),
        }
    }
    let connects = service.contains_key("Connect");
    faults.add_if(connects, "Service with provider nomad cannot include Connect blocks");
}

fn check_of_consul(check: &Tree) -> Result<(), String> {
    any_check(check, &["grpc", "tcp", "http", "script"])?;
    let kind = text(check, "Type");
    if is_set(check, "Expose") && !matches!(kind.to_lowercase().as_str(), "grpc" | "http") {
        return Err("expose may only be set on HTTP or gRPC checks".into());
    }
    for (field, word) in [
        ("SuccessBeforePassing", "success_before_passing"),
        ("FailuresBeforeCritical", "failures_before_critical"),
        ("FailuresBeforeWarning", "failures_before_warning"),
    ] {
        let count = integer(check, field);
        if count < 0 {
            return Err(format!("{word} must be non-negative"));
        }
        if count > 0 && !matches!(kind, "tcp" | "http" | "grpc") {
            return Err(format!("{word} not supported for check of type {kind:?}"));
        }
    }
    match text(check, "Notes").len() {
        256.. => Err("notes must not be longer than 255 characters".into()),
        _ => Ok(()),
    }
}

fn check_of_nomad(check: &Tree) -> Result<(), String> {
    any_check(check, &["tcp", "http"])?;
    let method = text(check, "Method");
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"];
    let is_unknown = !method.is_empty() && !known.contains(&method.to_uppercase().as_str());
    let restart = part(check, "CheckRestart");
    for (is_so, why) in [
        (is_set(check, "Expose"), "expose may only be set for Consul service checks"),
        (
            text(check, "OnUpdate") == "ignore_warnings",
            "on_update may only be set to ignore_warnings for Consul service checks",
        ),
        (
            restart.is_some_and(|restart| is_set(restart, "IgnoreWarnings")),
            "ignore_warnings on check_restart only supported for Consul service checks",
        ),
        (
            text(check, "AddressMode") == "driver",
            "address_mode = driver may only be set for Consul service checks",
        ),
    ] {
        if is_so {
            return Err(why.into());
        }
    }
    if text(check, "Type") == "http" && is_unknown {
        return Err(format!("method type {method:?} not supported in Nomad http check"));
    }
    for (is_so, what) in [
        (integer(check, "SuccessBeforePassing") != 0, "success_before_passing"),
        (integer(check, "FailuresBeforeCritical") != 0, "failures_before_critical"),
        (integer(check, "FailuresBeforeWarning") != 0, "failures_before_warning"),
        (!text(check, "TLSServerName").is_empty(), "tls_server_name"),
    ] {
        if is_so {
            return Err(format!("{what} may only be set for Consul service checks"));
        }
    }
    Ok(())
}

fn any_check(check: &Tree, kinds: &[&str]) -> Result<(), String> {
    let kind = text(check, "Type").to_lowercase();
    if !kinds.contains(&kind.as_str()) {
        return Err(format!("invalid check type ({kind:?}), must be one of {}", kinds.join(", ")));
    }
    match kind.as_str() {
        "http" => http_path(text(check, "Path"))?,
        "script" if text(check, "Command").is_empty() => {
            return Err("script type must have a valid script path".into());
        }
        _ => {}
    }
    let least = GoDuration(SECOND);
    let (interval, timeout) = (integer(check, "Interval"), integer(check, "Timeout"));
    match interval {
        0 => return Err(format!("missing required value interval. Interval cannot be less than {least}")),
        ..SECOND => return Err(format!("interval ({}) cannot be lower than {least}", GoDuration(interval))),
        _ => {}
    }
    match timeout {
        0 => return Err(format!("missing required value timeout. Timeout cannot be less than {least}")),
        ..SECOND => {
            return Err(format!(
                "timeout ({}) is lower than required minimum timeout {least}",
                GoDuration(timeout)
            ));
        }
        _ => {}
    }
    match text(check, "InitialStatus") {
        "" | "passing" | "warning" | "critical" => {}
        other => {
            return Err(format!(
                "invalid initial check state ({other}), must be one of \"passing\", \"warning\", \"critical\" or empty"
            ));
        }
    }
    match text(check, "AddressMode") {
        "" | "host" | "driver" | "alloc" | "alloc_ipv6" => {}
        "auto" => return Err("invalid address_mode \"auto\" - auto only valid for services".into()),
        other => return Err(format!("invalid address_mode {other:?}")),
    }
    let on_update = text(check, "OnUpdate");
    if !matches!(on_update, "" | "ignore" | "require_healthy" | "ignore_warnings") {
        return Err(format!(
            "on_update must be \"require_healthy\", \"ignore_warnings\", or \"ignore\"; got {on_update:?}"
        ));
    }
    part(check, "CheckRestart").map_or(Ok(()), |restart| check_restart(restart, on_update))
}

fn check_restart(restart: &Tree, on_update: &str) -> Result<(), String> {
    match on_update {
        "ignore" => {
            return Err(format!("on_update value {on_update:?} is not compatible with check_restart"));
        }
        "ignore_warnings" if !is_set(restart, "IgnoreWarnings") => {
            return Err(format!(
                "on_update value {on_update:?} not supported with check_restart ignore_warnings value \"false\""
            ));
        }
        _ => {}
    }
    let mut faults = Faults::default();
    let (limit, grace) = (integer(restart, "Limit"), integer(restart, "Grace"));
    if limit < 0 {
        faults.add(format!("limit must be greater than or equal to 0 but found {limit}"));
    }
    if grace < 0 {
        faults.add(format!("grace period must be greater than or equal to 0 but found {grace}"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.to_string()) }
}

/// As far as `golang/go:src/net/url/url.go` can refuse a path.
fn http_path(path: &str) -> Result<(), String> {
    let scheme = path.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let is_broken = path.bytes().any(|byte| byte.is_ascii_control()) || path.starts_with(':');
    match scheme {
        _ if path.is_empty() => Err("http type must have http path".into()),
        _ if is_broken => Err("http type must have valid http path".into()),
        Some(scheme) if is_scheme(scheme) => Err("http type must have relative http path".into()),
        _ => Ok(()),
    }
}
