//! What a task must be like (`hashicorp/nomad:nomad/structs/structs.go`, `structs/{actions,volumes,workload_id}.go`).

use std::collections::{BTreeMap, BTreeSet};

use records::GoDuration;

use super::super::read::Tree;
use super::super::tree::{integer, is_empty, is_set, list, part, text, texts};
use super::super::variables;
use super::faults::Faults;
use super::{blocks, group, services};

pub(super) fn faults(kind: &str, group: &Tree, task: &Tree) -> Faults {
    let mut faults = Faults::default();
    let name = text(task, "Name");
    faults.add_if(name.is_empty(), "Missing task name");
    faults.add_if(name == "alloc", "Task cannot be named \"alloc\"");
    if name.contains(['/', '\\']) {
        faults.add("Task name cannot include slashes");
    } else {
        faults.add_if(name.contains('\0'), "Task name cannot include null characters");
    }
    faults.add_if(text(task, "Driver").is_empty(), "Missing task driver");
    let timeout = integer(task, "KillTimeout");
    let deadline =
        part(group, "Update").map(|update| integer(update, "ProgressDeadline")).unwrap_or_default();
    if timeout < 0 {
        faults.add("KillTimeout must be a positive value");
    } else if kind == "service" && deadline > 0 && timeout > deadline {
        faults.add(format!(
            "KillTimout ({}) longer than the group's ProgressDeadline ({})",
            GoDuration(timeout),
            GoDuration(deadline)
        ));
    }
    faults.add_if(integer(task, "ShutdownDelay") < 0, "ShutdownDelay must be a positive value");
    part(task, "Resources").into_iter().for_each(|found| faults.nest(resources(found)));
    part(task, "LogConfig").into_iter().for_each(|log| faults.nest(log_config(log, group)));
    for (at, one) in list(task, "Constraints").enumerate() {
        faults.nest_as(&format!("Constraint {} validation failed", at + 1), blocks::constraint(one));
        let operand = text(one, "Operand");
        if matches!(operand, "distinct_hosts" | "distinct_property") {
            faults.add(format!("Constraint {} has disallowed Operand at task level: {operand}", at + 1));
        }
    }
    blocks::affinities(task, kind, &mut faults);
    faults.nest(of_services(task, group));
    for (at, one) in list(task, "Artifacts").enumerate() {
        faults.nest_as(&format!("Artifact {} validation failed", at + 1), artifact(one));
    }
    part(task, "Vault").into_iter().for_each(|block| faults.nest_as("Vault validation failed", vault(block)));
    let mut destinations: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, one) in list(task, "Templates").enumerate() {
        faults.nest_as(&format!("Template {} validation failed", at + 1), template(one));
        match destinations.get(text(one, "DestPath")) {
            Some(other) => faults.add(format!("Template {} has same destination as {other}", at + 1)),
            None => drop(destinations.insert(text(one, "DestPath"), at + 1)),
        }
    }
    actions(task, &mut faults);
    if let Some(payload) = part(task, "DispatchPayload") {
        faults.check(
            stays_inside("task/local/", text(payload, "File"))
                .map_err(|why| format!("Dispatch Payload validation failed: {why}")),
        );
    }
    if let Some(cycle) = part(task, "Lifecycle") {
        match text(cycle, "Hook") {
            "prestart" | "poststart" | "poststop" => {}
            "" => faults.add("Lifecycle validation failed: no lifecycle hook provided"),
            other => faults.add(format!("Lifecycle validation failed: invalid hook: {other}")),
        }
    }
    connect_proxy(task, group, &mut faults);
    for (at, mount) in list(task, "VolumeMounts").enumerate() {
        let volume = text(mount, "Volume");
        if !part(group, "Volumes").is_some_and(|volumes| volumes.contains_key(volume)) {
            faults.add(format!("Volume Mount ({at}) references undefined volume {volume}"));
        }
        let found = volume_mount(mount);
        if !found.is_empty() {
            faults.add(format!("Volume Mount ({at}) is invalid: \"{found}\""));
        }
    }
    part(task, "CSIPluginConfig").into_iter().for_each(|plugin| csi_plugin(plugin, &mut faults));
    identities(task, &mut faults);
    secrets(task, &mut faults);
    faults
}

fn resources(resources: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (cpu, cores) = (integer(resources, "CPU"), integer(resources, "Cores"));
    let (memory, max) = (integer(resources, "MemoryMB"), integer(resources, "MemoryMaxMB"));
    let secrets = integer(resources, "SecretsMB");
    let both = cores > 0 && cpu > 0;
    faults.add_if(both, "Task can only ask for 'cpu' or 'cores' resource, not both.");
    let mut least = Faults::default();
    if cpu < 1 && cores == 0 {
        least.add(format!("minimum CPU value is 1; got {cpu}"));
    }
    if memory < 10 {
        least.add(format!("minimum MemoryMB value is 10; got {memory}"));
    }
    faults.nest(least);
    for (at, device) in list(resources, "Devices").enumerate() {
        faults.nest_as(&format!("device {} failed validation", at + 1), self::device(device));
    }
    if let Some(numa) = part(resources, "NUMA") {
        let is_there =
            |wanted: &&str| list(resources, "Devices").any(|device| text(device, "Name") == *wanted);
        for device in texts(numa, "Devices").filter(|device| !is_there(device)) {
            faults.add(format!("numa device {device:?} not requested as task resource"));
        }
        let is_known = matches!(text(numa, "Affinity"), "none" | "prefer" | "require");
        faults.add_if(!is_known, "numa affinity must be one of none, prefer, or require");
    }
    if max != 0 && max != -1 && max < memory {
        faults.add(format!("MemoryMaxMB value ({max}) should be larger than MemoryMB value ({memory})"));
    }
    if secrets > memory {
        faults.add(format!("SecretsMB value ({secrets}) cannot be larger than MemoryMB value ({memory})"));
    }
    if secrets < 0 {
        faults.add(format!("SecretsMB value ({secrets}) cannot be negative"));
    }
    faults
}

fn device(device: &Tree) -> Faults {
    let mut faults = Faults::default();
    let is_unnamed = text(device, "Name").is_empty();
    faults.add_if(
        is_unnamed,
        "device name must be given as one of the following: type, vendor/type, or vendor/type/name",
    );
    for (at, one) in list(device, "Constraints").enumerate() {
        let what = format!("Constraint {} validation failed", at + 1);
        match text(one, "Operand") {
            operand @ ("distinct_hosts" | "distinct_property") => {
                faults.add(format!("{what}: using unsupported operand {operand:?}"));
            }
            _ => faults.nest_as(&what, blocks::constraint(one)),
        }
    }
    for (at, one) in list(device, "Affinities").enumerate() {
        faults.nest_as(&format!("Affinity {} validation failed", at + 1), blocks::affinity(one));
    }
    faults
}

fn log_config(log: &Tree, group: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (files, size) = (integer(log, "MaxFiles"), integer(log, "MaxFileSizeMB"));
    if files < 1 {
        faults.add(format!("minimum number of files is 1; got {files}"));
    }
    if size < 1 {
        faults.add(format!("minimum file size is 1MB; got {size}"));
    }
    let (used, disk) = (files.saturating_mul(size), part(group, "EphemeralDisk"));
    if let Some(disk) = disk.map(|disk| integer(disk, "SizeMB")).filter(|disk| *disk <= used) {
        faults.add(format!("log storage ({used} MB) must be less than requested disk capacity ({disk} MB)"));
    }
    faults
}

fn of_services(task: &Tree, group: &Tree) -> Faults {
    let mut faults = Faults::default();
    // By ports, the services that use them.
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for (at, service) in list(task, "Services").enumerate() {
        let (name, label) = (text(service, "Name"), text(service, "PortLabel"));
        faults.nest_as(&format!("service[{at}] {name:?} validation failed"), services::service(service));
        for mode in ["alloc", "alloc_ipv6"] {
            if text(service, "AddressMode") == mode {
                faults.add(format!(
                    "service {name:?} cannot use address_mode=\"{mode}\", only services defined in a \"group\" block can use this mode"
                ));
            }
        }
        if !known.insert(format!("{name}{label}")) {
            faults.add(format!("service {name:?} is duplicate"));
        }
        let is_number = text(service, "AddressMode") == "driver" && label.parse::<i64>().is_ok();
        if !label.is_empty() && !is_number {
            used.entry(label).or_default().insert(name);
        }
        if service.contains_key("Connect") {
            faults.add(format!(
                "service {name:?} cannot have \"connect\" block, only services defined in a \"group\" block can"
            ));
        }
        let mut checks = BTreeSet::new();
        for check in list(service, "Checks") {
            let called = text(check, "Name");
            if !checks.insert(called) {
                faults.add(format!("check {called:?} is duplicate"));
            }
            let mode = text(check, "AddressMode");
            if matches!(mode, "alloc" | "alloc_ipv6") {
                faults.add(format!(
                    "check {name:?} cannot use address_mode=\"{mode}\", only checks defined in a \"group\" service block can use this mode"
                ));
            }
            if !services::requires_port(check) {
                continue;
            }
            let port = Some(text(check, "PortLabel")).filter(|port| !port.is_empty()).unwrap_or(label);
            match port.parse::<i64>() {
                _ if port.is_empty() => faults.add(format!("check {called:?} is missing a port")),
                Ok(number) if mode == "driver" => {
                    if number <= 0 {
                        faults.add(format!("check {called:?} has invalid numeric port {number}"));
                    }
                }
                Ok(number) => faults.add(format!(
                    "check {called:?} cannot use a numeric port {number} without setting address_mode=\"driver\""
                )),
                Err(_) => drop(used.entry(port).or_default().insert(name)),
            }
        }
    }
    let own = part(task, "Resources").into_iter().flat_map(|resources| list(resources, "Networks"));
    let networks = list(group, "Networks").take(1).chain(own);
    let labels: BTreeSet<&str> = networks.flat_map(group::ports).map(|port| text(port, "Label")).collect();
    for (port, services) in used.into_iter().filter(|(port, _)| !labels.contains(port)) {
        let services = services.into_iter().collect::<Vec<_>>().join(", ");
        faults.add(format!("port label {port:?} referenced by services {services} does not exist"));
    }
    faults
}

fn artifact(artifact: &Tree) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(text(artifact, "GetterSource").is_empty(), "source must be specified");
    let mode = text(artifact, "GetterMode");
    if !matches!(mode, "" | "any" | "file" | "dir") {
        faults.add(format!("invalid artifact mode {mode:?}; must be one of: any, file, dir"));
    }
    faults.check(stays_inside("task", text(artifact, "RelativeDest")));
    let options = part(artifact, "GetterOptions");
    if let Some(sum) = options.filter(|options| options.contains_key("checksum")) {
        faults.check(checksum(text(sum, "checksum")));
    }
    faults
}

fn checksum(sum: &str) -> Result<(), String> {
    if variables::has_any(sum) {
        return Ok(());
    }
    let sum = sum.trim();
    if sum.is_empty() {
        return Err("checksum value cannot be empty".into());
    }
    let parts: Vec<&str> = sum.split(':').collect();
    let [kind, value] = parts[..] else {
        return Err(format!("checksum must be given as \"type:value\"; got {sum:?}"));
    };
    if let Some(byte) = value.bytes().find(|byte| !byte.is_ascii_hexdigit()) {
        return Err(format!(
            "invalid checksum: encoding/hex: invalid byte: U+{byte:04X} {:?}",
            char::from(byte)
        ));
    }
    if value.len() % 2 == 1 {
        return Err("invalid checksum: encoding/hex: odd length hex string".into());
    }
    let bytes = match kind {
        "md5" => 16,
        "sha1" => 20,
        "sha256" => 32,
        "sha512" => 64,
        other => return Err(format!("unsupported checksum type: {other}")),
    };
    match value.len() == 2 * bytes {
        true => Ok(()),
        false => Err(format!("invalid {kind} checksum: {value}")),
    }
}

/// Whether a path within a task's directory stays within that of its allocation
/// (`hashicorp/nomad:helper/escapingfs/escapes.go`).
fn stays_inside(within: &str, path: &str) -> Result<(), String> {
    const ALLOCATION: [&str; 2] = ["alloc-dir", "alloc-id"];
    let mut at: Vec<&str> = ALLOCATION.to_vec();
    for step in within.split('/').chain(path.split('/')) {
        match step {
            "" | "." => {}
            ".." => drop(at.pop()),
            name => at.push(name),
        }
    }
    match at.strip_prefix(&ALLOCATION) {
        Some(inside) if !inside.first().is_some_and(|first| first.starts_with("..")) => Ok(()),
        _ => Err("destination escapes allocation directory".into()),
    }
}

fn vault(vault: &Tree) -> Faults {
    let mut faults = Faults::default();
    match text(vault, "ChangeMode") {
        "signal" => faults.add_if(
            text(vault, "ChangeSignal").is_empty(),
            "Signal must be specified when using change mode \"signal\"",
        ),
        "noop" | "restart" => {}
        other => faults.add(format!("Unknown change mode {other:?}")),
    }
    faults
}

fn template(template: &Tree) -> Faults {
    let mut faults = Faults::default();
    let has = |field: &str| !text(template, field).is_empty();
    let is_void = !has("SourcePath") && !has("EmbeddedTmpl");
    faults.add_if(is_void, "Must specify a source path or have an embedded template");
    faults.add_if(!has("DestPath"), "Must specify a destination for the template");
    faults.check(stays_inside("task", text(template, "DestPath")));
    match text(template, "ChangeMode") {
        "noop" | "restart" => {}
        "signal" => {
            faults.add_if(!has("ChangeSignal"), "Must specify signal value when change mode is signal");
            faults.add_if(is_set(template, "Envvars"), "cannot use signals with env var templates");
        }
        "script" => match part(template, "ChangeScript") {
            None => faults.add("must specify change script configuration value when change mode is script"),
            Some(script) => faults.add_if(
                text(script, "Command").is_empty(),
                "must specify script path value when change mode is script",
            ),
        },
        _ => faults.add("Invalid change mode. Must be one of the following: noop, signal, script, restart"),
    }
    faults.add_if(integer(template, "Splay") < 0, "Must specify positive splay value");
    let permissions = text(template, "Perms");
    if !permissions.is_empty() {
        let is_octal = permissions.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let value = u64::from_str_radix(permissions, 8).unwrap_or(u64::MAX);
        if !is_octal || value >= 1 << 12 {
            let why = if is_octal { "value out of range" } else { "invalid syntax" };
            faults.add(format!(
                "Failed to parse {permissions:?} as octal: strconv.ParseUint: parsing {permissions:?}: {why}"
            ));
        }
    }
    if let Some(wait) =
        part(template, "Wait").filter(|wait| wait.contains_key("Min") && wait.contains_key("Max"))
    {
        let (min, max) = (integer(wait, "Min"), integer(wait, "Max"));
        if min > max {
            faults.add(format!("wait min {} is greater than max {}", GoDuration(min), GoDuration(max)));
        }
    }
    faults
}

fn actions(task: &Tree, faults: &mut Faults) {
    let mut seen: BTreeMap<&str, bool> = BTreeMap::new();
    for action in list(task, "Actions") {
        let name = text(action, "Name");
        let mut found = Faults::default();
        found.add_if(text(action, "Command").is_empty(), "command cannot be empty");
        let is_name = (1..=128).contains(&name.chars().count())
            && !name.chars().any(|character| character == '\0' || character.is_ascii_whitespace());
        if !is_name {
            found.add(format!("invalid name '{name}'"));
        }
        faults.nest_as(&format!("Action {name} validation failed"), found);
        // Told once of each name.
        match seen.get(name) {
            Some(false) => {
                faults.add(format!("Action {name} defined multiple times"));
                seen.insert(name, true);
            }
            _ => drop(seen.insert(name, false)),
        }
    }
}

/// A task that is a proxy has a service that it is one of.
fn connect_proxy(task: &Tree, group: &Tree, faults: &mut Faults) {
    let Some(wanted) = text(task, "Kind").strip_prefix("connect-proxy:").filter(|name| !name.is_empty())
    else {
        return;
    };
    faults.add_if(!is_empty(task, "Services"), "Connect proxy task must not have a service block");
    faults.add_if(is_set(task, "Leader"), "Connect proxy task must not have leader set");
    let has_sidecar = |service: &&Tree| {
        part(service, "Connect").is_some_and(|connect| connect.contains_key("SidecarService"))
    };
    let names: Vec<&str> =
        list(group, "Services").filter(has_sidecar).map(|service| text(service, "Name")).collect();
    match names.is_empty() {
        _ if names.contains(&wanted) => {}
        true => faults.add(format!("No Connect services in task group with Connect proxy ({wanted:?})")),
        false => faults.add(format!(
            "Connect proxy service name ({wanted:?}) not found in Connect services from task group: [{}]",
            names.join(" ")
        )),
    }
}

fn volume_mount(mount: &Tree) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(text(mount, "Volume").is_empty(), "volume mount references an empty volume");
    let mode = text(mount, "PropagationMode");
    if !matches!(mode, "" | "private" | "host-to-task" | "bidirectional") {
        faults.add(format!("volume mount has an invalid propagation mode: {mode:?}"));
    }
    let label = text(mount, "SELinuxLabel");
    if !matches!(label, "" | "z" | "Z") {
        faults.add(format!("volume mount has an invalid SELinux label: \"{label}\""));
    }
    faults
}

fn csi_plugin(plugin: &Tree, faults: &mut Faults) {
    faults.add_if(text(plugin, "ID").is_empty(), "CSIPluginConfig must have a non-empty PluginID");
    let kind = text(plugin, "Type");
    if !matches!(kind, "node" | "controller" | "monolith") {
        faults.add(format!(
            "CSIPluginConfig PluginType must be one of 'node', 'controller', or 'monolith', got: \"{kind}\""
        ));
    }
    let (stage, mount) = (text(plugin, "StagePublishBaseDir"), text(plugin, "MountDir"));
    if !stage.is_empty() && !mount.is_empty() && stage.starts_with(mount) {
        faults.add(format!(
            "CSIPluginConfig StagePublishBaseDir must not be a subdirectory of MountDir, got: StagePublishBaseDir=\"{stage}\" MountDir=\"{mount}\""
        ));
    }
}

fn identities(task: &Tree, faults: &mut Faults) {
    let invalid = |name: &str| format!("Identity {name:?} is invalid");
    if let Some(own) = part(task, "Identity") {
        faults.nest_as(&invalid(text(own, "Name")), identity(own));
    }
    for one in list(task, "Identities") {
        let name = text(one, "Name");
        faults.add_if(name == "default", "Duplicate default identities found");
        faults.nest_as(&invalid(name), identity(one));
    }
}

fn identity(identity: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (name, signal, ttl) =
        (text(identity, "Name"), text(identity, "ChangeSignal"), integer(identity, "TTL"));
    if !is_word(name, "-_") {
        faults.add(format!("invalid name {name:?}. Must match regex ^[a-zA-Z0-9-_]{{1,128}}$"));
    }
    for (at, audience) in texts(identity, "Audience").enumerate() {
        if audience.is_empty() {
            faults.add(format!("an empty string is an invalid audience ({})", at + 1));
        }
    }
    match text(identity, "ChangeMode") {
        "" | "noop" | "restart" => {
            if !signal.is_empty() {
                faults.add(format!("can only use change_signal={signal:?} with change_mode=\"signal\""));
            }
        }
        "signal" => faults
            .add_if(signal.is_empty(), "change_signal must be specified when using change_mode=\"signal\""),
        other => faults.add(format!("invalid change_mode: {other}")),
    }
    let is_default = matches!(name, "" | "default");
    faults.add_if(ttl > 0 && is_default, "ttl for default identity not yet supported");
    faults.add_if(ttl < 0, "ttl must be >= 0");
    let is_lost = !text(identity, "Filepath").is_empty() && !is_set(identity, "File");
    faults.add_if(is_lost, "file parameter must be true in order to specify filepath");
    faults
}

/// Whether a text is a word of letters, digits and some others, of at most 128.
fn is_word(text: &str, others: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
}

fn secrets(task: &Tree, faults: &mut Faults) {
    let mut names = BTreeSet::new();
    for one in list(task, "Secrets") {
        let (name, provider) = (text(one, "Name"), text(one, "Provider"));
        if !names.insert(name) {
            faults.add(format!("Duplicate secret {name:?} found"));
        }
        if provider == "vault" && !task.contains_key("Vault") {
            faults.add(format!("Secret {name:?} has provider \"vault\" but no vault block"));
        }
        faults.nest_as(&format!("Secret {name:?} is invalid"), secret(one));
    }
}

fn secret(secret: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (name, provider) = (text(secret, "Name"), text(secret, "Provider"));
    faults.add_if(name.is_empty(), "secret name cannot be empty");
    faults.add_if(!is_word(name, "_"), "secret name must match regex ^[a-zA-Z0-9_]{1,128}$");
    faults.add_if(provider.is_empty(), "secret provider cannot be empty");
    faults.add_if(text(secret, "Path").is_empty(), "secret path cannot be empty");
    match provider {
        "nomad" | "vault" => {
            if !is_empty(secret, "Env") {
                faults.add(format!("{provider} provider cannot use the env block"));
            }
        }
        _ => {
            if !is_empty(secret, "Config") {
                faults.add(format!("custom plugin provider {provider} cannot use the config block"));
            }
        }
    }
    faults
}
