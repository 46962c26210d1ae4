//! Consul Connect: the defaults of its blocks, and the sidecars, gateways and ports that a server adds to a job
//! (`hashicorp/nomad:api/consul.go`, `nomad/job_endpoint_hook_connect.go`).

use serde_json::{Value, json};
use uuid::Uuid;

use super::defaults::SECOND;
use super::read::Tree;
use super::tree::{
    aside, each, each_of, fill, fill_empty, forget_empty, integer, is_empty, is_set, list, part, text, tree,
};
use super::{tasks, variables};

/// Completes a `Connect` block.
pub(super) fn complete(connect: &mut Tree) {
    if let Some(sidecar) = tree(connect, "SidecarService") {
        forget_empty(sidecar, &["Tags", "Meta"]);
        if let Some(proxy) = tree(sidecar, "Proxy") {
            complete_proxy(proxy);
        }
    }
    if let Some(task) = tree(connect, "SidecarTask") {
        fill(task, &json!({"Resources": {}, "LogConfig": {}, "KillTimeout": 5 * SECOND, "ShutdownDelay": 0}));
        tree(task, "Resources").into_iter().for_each(tasks::resources);
        tree(task, "LogConfig").into_iter().for_each(tasks::log_config);
        each(task, "VolumeMounts", tasks::volume_mount);
        forget_empty(task, &["Config", "Env", "Meta", "Identities"]);
    }
    if let Some(gateway) = tree(connect, "Gateway") {
        complete_gateway(gateway);
    }
}

fn complete_proxy(proxy: &mut Tree) {
    // What it was called first goes first.
    if let Some(expose) = proxy.remove("ExposeConfig") {
        proxy.insert("Expose".into(), expose);
    }
    if let Some(expose) = tree(proxy, "Expose") {
        if let Some(paths) = expose.remove("Path").filter(|paths| *paths != json!([])) {
            expose.insert("Paths".into(), paths);
        }
        forget_empty(expose, &["Paths"]);
    }
    if let Some(transparent) = tree(proxy, "TransparentProxy") {
        forget_empty(
            transparent,
            &["ExcludeInboundPorts", "ExcludeOutboundPorts", "ExcludeOutboundCIDRs", "ExcludeUIDs"],
        );
    }
    each(proxy, "Upstreams", |upstream| forget_empty(upstream, &["Config"]));
    forget_empty(proxy, &["Upstreams", "Config"]);
}

fn complete_gateway(gateway: &mut Tree) {
    if let Some(proxy) = tree(gateway, "Proxy") {
        fill(proxy, &json!({"ConnectTimeout": 5 * SECOND, "EnvoyGatewayBindAddresses": {}}));
        forget_empty(proxy, &["Config"]);
    }
    if let Some(ingress) = tree(gateway, "Ingress") {
        each(ingress, "Listeners", |listener| {
            fill_empty(listener, "Protocol", "tcp");
            forget_empty(listener, &["Services"]);
        });
        forget_empty(ingress, &["Listeners"]);
    }
    if let Some(terminating) = tree(gateway, "Terminating") {
        forget_empty(terminating, &["Services"]);
    }
}

/// Adds to the groups of a complete job what its `Connect` blocks need. The error is a sentence.
pub(super) fn inject(job: &mut Tree) -> Result<(), String> {
    let mut outcome = Ok(());
    aside(job, "TaskGroups", |job, groups| {
        // A group without a network is refused later on, in better words.
        let with_networks = each_of(groups).filter(|group| !is_empty(group, "Networks"));
        outcome = with_networks.into_iter().try_for_each(|group| inject_into(job, group));
    });
    outcome
}

fn inject_into(job: &Tree, group: &mut Tree) -> Result<(), String> {
    let mut outcome = Ok(());
    let mut services = group.remove("Services");
    for service in each_of(&mut services) {
        let Some(connect) = part(service, "Connect") else { continue };
        outcome = match () {
            () if connect.contains_key("SidecarService") => {
                interpolate(service, job, group);
                add_sidecar(service, group);
                Ok(())
            }
            () if is_set(connect, "Native") => mark_native(service, group),
            () if connect.contains_key("Gateway") => {
                interpolate(service, job, group);
                add_gateway(service, group)
            }
            () => Ok(()),
        };
        if outcome.is_err() {
            break;
        }
    }
    if let Some(services) = services {
        group.insert("Services".into(), services);
    }
    outcome
}

fn interpolate(service: &mut Tree, job: &Tree, group: &Tree) {
    let name = variables::replaced(text(service, "Name"), |name| variables::of_group(job, group, name));
    service.insert("Name".into(), name.into());
}

fn add_sidecar(service: &Tree, group: &mut Tree) {
    let Some(connect) = part(service, "Connect") else { return };
    let name = text(service, "Name");
    let kind = format!("connect-proxy:{name}");
    if !list(group, "Tasks").any(|task| text(task, "Kind") == kind) {
        let called = format!("connect-proxy-{name}");
        let is_taken = list(group, "Tasks").any(|task| text(task, "Name") == called);
        let called = if is_taken { format!("{called}-{}", &Uuid::new_v4().to_string()[..6]) } else { called };
        let mut task = envoy(&called, &kind, driver(group), "${meta.connect.sidecar_image}");
        task["Lifecycle"] = json!({"Hook": "prestart", "Sidecar": true});
        push(group, "Tasks", task);
    }
    adapt(connect, group, &kind);
    let port = match part(connect, "SidecarService").map(|sidecar| text(sidecar, "Port")) {
        None | Some("") => format!("connect-proxy-{name}"),
        Some(port) => port.to_owned(),
    };
    add_port(group, &port);
}

fn mark_native(service: &mut Tree, group: &mut Tree) -> Result<(), String> {
    let wanted = named_task(service, group)?;
    let kind = format!("connect-native:{}", text(service, "Name"));
    each(group, "Tasks", |task| {
        if text(task, "Name") == wanted {
            task.insert("Kind".into(), kind.as_str().into());
        }
    });
    service.insert("TaskName".into(), wanted.into());
    Ok(())
}

/// The task of a service that speaks Connect itself.
pub(super) fn named_task(service: &Tree, group: &Tree) -> Result<String, String> {
    let (name, group_name) = (text(service, "Name"), text(group, "Name"));
    let mut tasks = list(group, "Tasks").map(|task| text(task, "Name"));
    match text(service, "TaskName") {
        "" => match (tasks.next(), tasks.next()) {
            (Some(only), None) => Ok(only.to_owned()),
            _ => Err(format!(
                "task for Consul Connect Native service {group_name}->{name} is ambiguous and must be set"
            )),
        },
        wanted if tasks.any(|task| task == wanted) => Ok(wanted.to_owned()),
        wanted => Err(format!(
            "task {wanted} named by Consul Connect Native service {group_name}->{name} does not exist"
        )),
    }
}

fn add_gateway(service: &mut Tree, group: &mut Tree) -> Result<(), String> {
    let name = text(service, "Name").to_owned();
    let mode = list(group, "Networks").next().map(|network| text(network, "Mode")).unwrap_or_default();
    let mode = mode.to_owned();
    let label_of_service = text(service, "PortLabel").to_owned();
    let Some(gateway) = tree(service, "Connect").and_then(|connect| tree(connect, "Gateway")) else {
        return Ok(());
    };
    let proxy = gateway_proxy(gateway, &mode);
    gateway.insert("Proxy".into(), proxy);
    let has = |what| gateway.contains_key(what);
    let (is_terminating, is_mesh) = (has("Terminating"), has("Mesh"));
    let prefix = match () {
        () if has("Ingress") => "connect-ingress",
        () if is_terminating => "connect-terminating",
        () => "connect-mesh",
    };
    let tls = part(gateway, "Ingress").and_then(|ingress| part(ingress, "TLS"));
    let is_tls_custom = tls.is_some_and(|tls| {
        !text(tls, "TLSMinVersion").is_empty()
            || !text(tls, "TLSMaxVersion").is_empty()
            || !is_empty(tls, "CipherSuites")
    });
    if is_terminating && label_of_service.is_empty() {
        let label = format!("connect-terminating-{name}");
        add_port(group, &label);
        service.insert("PortLabel".into(), label.into());
    }
    if is_mesh {
        if label_of_service.is_empty() {
            return Err("service.port must be set for mesh gateway service".into());
        }
        add_port(group, &format!("connect-mesh-{name}-lan"));
    }
    let kinds =
        ["connect-ingress", "connect-terminating", "connect-mesh"].map(|kind| format!("{kind}:{name}"));
    if list(group, "Tasks").any(|task| kinds.iter().any(|kind| text(task, "Kind") == kind)) {
        return Ok(());
    }
    let kind = format!("{prefix}:{name}");
    let mut task = envoy(&format!("{prefix}-{name}"), &kind, driver(group), "${meta.connect.gateway_image}");
    if mode == "host" {
        task["Config"]["network_mode"] = "host".into();
    }
    if let (true, Value::Array(constraints)) = (is_tls_custom, &mut task["Constraints"]) {
        constraints
            .push(json!({"LTarget": "${attr.consul.version}", "RTarget": ">= 1.11.2", "Operand": "semver"}));
    }
    push(group, "Tasks", task);
    if let Some(connect) = part(service, "Connect") {
        adapt(connect, group, &kind);
    }
    Ok(())
}

/// How Envoy is bound where nobody said it.
fn gateway_proxy(gateway: &Tree, mode: &str) -> Value {
    let own = part(gateway, "Proxy").cloned().unwrap_or_default();
    let is_own = is_set(&own, "EnvoyGatewayNoDefaultBind")
        || is_set(&own, "EnvoyGatewayBindTaggedAddresses")
        || !is_empty(&own, "EnvoyGatewayBindAddresses");
    if is_own {
        return Value::Object(own);
    }
    let mut proxy = own;
    proxy.remove("EnvoyGatewayBindAddresses");
    fill(&mut proxy, &json!({"ConnectTimeout": 5 * SECOND}));
    if mode == "bridge" || mode.starts_with("cni/") {
        let anywhere = |port: i64| json!({"Address": "0.0.0.0", "Port": port});
        let addresses = match part(gateway, "Ingress") {
            Some(ingress) => {
                let listeners = list(ingress, "Listeners");
                let bound = listeners.flat_map(|listener| {
                    let port = integer(listener, "Port");
                    list(listener, "Services")
                        .map(move |bound| (text(bound, "Name").to_owned(), anywhere(port)))
                });
                Some(Value::Object(bound.collect()))
            }
            None if gateway.contains_key("Terminating") => Some(json!({"default": anywhere(-1)})),
            None if gateway.contains_key("Mesh") => Some(json!({"wan": anywhere(-1), "lan": anywhere(-1)})),
            None => None,
        };
        if let Some(addresses) = addresses {
            proxy.insert("EnvoyGatewayNoDefaultBind".into(), true.into());
            proxy.insert("EnvoyGatewayBindAddresses".into(), addresses);
        }
    }
    Value::Object(proxy)
}

/// A task that runs Envoy.
fn envoy(name: &str, kind: &str, driver: &str, image: &str) -> Value {
    json!({
        "Name": name, "Kind": kind, "Driver": driver,
        "Config": {"image": image, "args": [
            "-c", "${NOMAD_SECRETS_DIR}/envoy_bootstrap.json", "-l", "${meta.connect.log_level}",
            "--concurrency", "${meta.connect.proxy_concurrency}", "--disable-hot-restart",
        ]},
        "ShutdownDelay": 5 * SECOND, "LogConfig": {"MaxFiles": 2, "MaxFileSizeMB": 2},
        "Resources": {"CPU": 250, "MemoryMB": 128},
        "Constraints": [
            {"LTarget": "${attr.consul.version}", "RTarget": ">= 1.8.0", "Operand": "semver"},
            {"LTarget": "${attr.consul.grpc}", "RTarget": "0", "Operand": ">"},
        ],
    })
}

fn driver(group: &Tree) -> &'static str {
    let uses = |driver: &str| list(group, "Tasks").any(|task| text(task, "Driver") == driver);
    if uses("podman") && !uses("docker") { "podman" } else { "docker" }
}

/// Gives the task of a kind what a `SidecarTask` says of it, and what every task has.
fn adapt(connect: &Tree, group: &mut Tree, kind: &str) {
    aside(group, "Tasks", |group, found| {
        if let Some(task) = each_of(found).find(|task| text(task, "Kind") == kind) {
            if let Some(said) = part(connect, "SidecarTask") {
                merge(said, task);
            }
            tasks::finish(task, group);
        }
    });
}

fn merge(said: &Tree, task: &mut Tree) {
    let own_driver = text(task, "Driver").to_owned();
    for name in ["Name", "Driver", "User", "KillSignal"] {
        if !text(said, name).is_empty() {
            task.insert(name.into(), text(said, name).into());
        }
    }
    if text(task, "Driver") != own_driver {
        task.insert("Config".into(), json!({}));
    }
    for map in ["Config", "Env", "Meta"] {
        if let Some(said) = part(said, map)
            && let Value::Object(own) = task.entry(map).or_insert_with(|| json!({}))
        {
            own.extend(said.clone());
        }
    }
    for (block, fields) in [
        (
            "Resources",
            &["CPU", "Cores", "MemoryMB", "MemoryMaxMB", "Networks", "Devices", "SecretsMB"] as &[_],
        ),
        ("LogConfig", &["MaxFiles", "MaxFileSizeMB"]),
    ] {
        if let (Some(said), Some(own)) = (part(said, block), tree(task, block)) {
            for field in fields {
                let value = said.get(*field).filter(|value| **value != json!(0) && **value != json!([]));
                own.extend(value.map(|value| ((*field).to_owned(), value.clone())));
            }
        }
    }
    for field in ["KillTimeout", "ShutdownDelay", "VolumeMounts", "Identities"] {
        task.extend(said.get(field).map(|value| (field.to_owned(), value.clone())));
    }
}

/// Adds a port that is mapped to the same one inside, unless there is one of that label.
pub(super) fn add_port(group: &mut Tree, label: &str) {
    if let Some(network) = group.get_mut("Networks").and_then(|networks| networks.get_mut(0)?.as_object_mut())
        && !list(network, "DynamicPorts").any(|port| text(port, "Label") == label)
    {
        push(network, "DynamicPorts", json!({"Label": label, "To": -1, "HostNetwork": "default"}));
    }
}

pub(super) fn push(within: &mut Tree, list: &str, value: Value) {
    if let Value::Array(values) = within.entry(list).or_insert_with(|| json!([])) {
        values.push(value);
    }
}
