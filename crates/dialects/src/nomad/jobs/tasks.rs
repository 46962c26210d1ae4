//! The defaults of tasks (`hashicorp/nomad:api/{tasks,resources}.go`, `nomad/structs/structs.go`).

use serde_json::{Value, json};

use super::defaults::{SECOND, network, scaling_policy, weigh};
use super::read::Tree;
use super::services;
use super::tree::{each, fill, fill_empty, forget_empty, inherit, integer, text, tree};

/// Completes a task of a complete group.
pub(super) fn complete(task: &mut Tree, job: &Tree, group: &Tree) {
    fill(task, &json!({"Resources": {}, "LogConfig": {}}));
    if let Some(found) = tree(task, "Resources") {
        resources(found);
    }
    if let Some(log) = tree(task, "LogConfig") {
        log_config(log);
    }
    if let Some(consul) = tree(task, "Consul") {
        fill_empty(consul, "Cluster", "default");
    }
    if let Some(vault) = tree(task, "Vault") {
        fill(vault, &json!({"Env": true, "ChangeMode": "restart", "ChangeSignal": "SIGHUP"}));
        fill_empty(vault, "ChangeMode", "restart");
        fill_empty(vault, "Cluster", "default");
        fill_empty(vault, "Namespace", text(job, "VaultNamespace"));
        let signal = text(vault, "ChangeSignal").to_uppercase();
        vault.insert("ChangeSignal".into(), signal.into());
    }
    if let Some(plugin) = tree(task, "CSIPluginConfig") {
        fill_empty(plugin, "MountDir", "/csi");
        fill_empty(plugin, "StagePublishBaseDir", "/local/csi");
        if integer(plugin, "HealthTimeout") == 0 {
            plugin.insert("HealthTimeout".into(), (30 * SECOND).into());
        }
    }
    each(task, "Artifacts", artifact);
    each(task, "Templates", template);
    each(task, "Secrets", |secret| forget_empty(secret, &["Config", "Env"]));
    each(task, "VolumeMounts", volume_mount);
    let (name, group_name) = (text(task, "Name").to_owned(), text(group, "Name"));
    each(task, "ScalingPolicies", |policy| scaling_policy(job, group, Some(&name), policy));
    each(task, "Services", |service| services::complete(service, job, group_name, Some(&name)));
    forget_empty(task, &["Services", "Artifacts", "Templates", "Actions", "Secrets", "ScalingPolicies"]);
    finish(task, group);
}

/// What the server sets, for tasks that it adds too.
pub(super) fn finish(task: &mut Tree, group: &Tree) {
    inherit(task, "RestartPolicy", group.get("RestartPolicy"));
    if integer(task, "KillTimeout") == 0 {
        task.insert("KillTimeout".into(), (5 * SECOND).into());
    }
    each(task, "Identities", identity);
    default_identity(task);
    weigh(task);
    forget_empty(task, &["Meta", "Config", "Env", "Constraints", "Affinities", "VolumeMounts", "Identities"]);
}

pub(super) fn log_config(log: &mut Tree) {
    fill(log, &json!({"MaxFiles": 10, "MaxFileSizeMB": 10}));
}

pub(super) fn volume_mount(mount: &mut Tree) {
    fill(mount, &json!({"PropagationMode": "private"}));
}

pub(super) fn resources(resources: &mut Tree) {
    if !resources.contains_key("Cores") {
        fill(resources, &json!({"CPU": 100}));
    }
    fill(resources, &json!({"MemoryMB": 300}));
    resources.remove("DiskMB");
    each(resources, "Devices", |device| {
        fill(device, &json!({"Count": 1}));
        weigh(device);
    });
    each(resources, "Networks", network);
    if let Some(numa) = tree(resources, "NUMA") {
        fill_empty(numa, "Affinity", "none");
        forget_empty(numa, &["Devices"]);
    }
    forget_empty(resources, &["Devices", "Networks"]);
}

fn artifact(artifact: &mut Tree) {
    fill(artifact, &json!({"GetterMode": "any"}));
    forget_empty(artifact, &["GetterOptions", "GetterHeaders"]);
    let target = match text(artifact, "GetterMode") {
        "file" => {
            let source = text(artifact, "GetterSource").trim_end_matches('/');
            format!("local/{}", source.rsplit('/').next().unwrap_or_default())
        }
        _ => "local/".to_owned(),
    };
    artifact.entry("RelativeDest").or_insert(target.into());
}

fn template(template: &mut Tree) {
    fill(
        template,
        &json!({
            "ChangeMode": "restart", "Splay": 5 * SECOND, "Perms": "0644", "LeftDelim": "{{", "RightDelim": "}}",
        }),
    );
    let signal = match template.get("ChangeSignal").and_then(Value::as_str) {
        Some(signal) => signal.to_uppercase(),
        None if text(template, "ChangeMode") == "signal" => "SIGHUP".to_owned(),
        None => String::new(),
    };
    template.insert("ChangeSignal".into(), signal.into());
    if let Some(script) = tree(template, "ChangeScript") {
        fill(script, &json!({"Args": [], "Timeout": 5 * SECOND}));
    }
}

fn identity(identity: &mut Tree) {
    fill_empty(identity, "Name", "default");
    if text(identity, "Name") == "default" {
        identity.insert("Audience".into(), json!(["nomadproject.io"]));
    }
    let signal = text(identity, "ChangeSignal").to_uppercase();
    identity.insert("ChangeSignal".into(), signal.into());
    forget_empty(identity, &["Audience"]);
}

/// Every task has the identity for Nomad itself, in a field of its own.
fn default_identity(task: &mut Tree) {
    let mut own = task.remove("Identity");
    if let Some(Value::Array(identities)) = task.get_mut("Identities") {
        let is_default = |identity: &Value| identity["Name"] == "default";
        if let Some(at) = identities.iter().rposition(is_default) {
            own = Some(identities.remove(at));
        }
    }
    let mut own = own.unwrap_or_else(|| json!({}));
    if let Value::Object(own) = &mut own {
        identity(own);
    }
    task.insert("Identity".into(), own);
}
