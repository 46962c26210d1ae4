//! What is dubious about a job (`Warnings` of `hashicorp/nomad:nomad/structs`, `nomad/job_endpoint_hooks.go`).

use super::super::read::Tree;
use super::super::tree::{integer, is_set, list, part, text, texts};
use super::faults::Faults;

/// What of a complete job is to be told. `oversubscribes` says whether its tasks may use more memory than they ask for.
pub(in super::super) fn warnings(job: &Tree, oversubscribes: bool) -> Vec<String> {
    let mut found = Faults::default();
    let (mut has_auto, mut all_auto) = (false, true);
    for group in list(job, "TaskGroups") {
        let of_group = of_group(group);
        if !of_group.is_empty() {
            found.add(format!("Group {:?} has warnings: {of_group}", text(group, "Name")));
        }
        if let Some(update) = part(group, "Update") {
            let promotes = is_set(update, "AutoPromote");
            has_auto |= promotes;
            all_auto &= integer(update, "Canary") == 0 || promotes;
        }
    }
    found.add_if(
        has_auto && !all_auto,
        "auto_promote must be true for all groups to enable automatic promotion",
    );
    let is_old = part(job, "Periodic").is_some_and(|periodic| !text(periodic, "Spec").is_empty());
    found.add_if(is_old, "cron is deprecated and may be removed in a future release. Use crons instead");
    for task in list(job, "TaskGroups").flat_map(|group| list(group, "Tasks")) {
        let names = list(task, "Identities").map(|identity| text(identity, "Name"));
        for name in names.filter(|name| name.starts_with("vault_") && !task.contains_key("Vault")) {
            found
                .add(format!("Task {} has an identity called {name} but no vault block", text(task, "Name")));
        }
    }
    if !oversubscribes {
        for (group, task) in
            list(job, "TaskGroups").flat_map(|group| list(group, "Tasks").map(move |task| (group, task)))
        {
            if part(task, "Resources").is_some_and(|resources| integer(resources, "MemoryMaxMB") != 0) {
                found.add(format!(
                    "Memory oversubscription is not enabled; Task \"{}.{}\" memory_max value will be ignored. Update the Scheduler Configuration to allow oversubscription.",
                    text(group, "Name"),
                    text(task, "Name")
                ));
            }
        }
    }
    found.into_sentences()
}

fn of_group(group: &Tree) -> Faults {
    let mut found = Faults::default();
    let count = integer(group, "Count");
    let parallel = part(group, "Update").map(|update| integer(update, "MaxParallel")).unwrap_or_default();
    if count > 1 && parallel > count {
        found.add(format!(
            "Update max parallel count is greater than task group count ({parallel} > {count}). A destructive change would result in the simultaneous replacement of all allocations."
        ));
    }
    let is_limited = list(group, "Networks").next().is_some_and(|network| integer(network, "MBits") > 0);
    found.add_if(
        is_limited,
        "mbits has been deprecated as of Nomad 0.12.0. Please remove mbits from the network block",
    );
    of_services(group, &mut found);
    for task in list(group, "Tasks") {
        let of_task = of_task(task);
        if !of_task.is_empty() {
            found.add(format!("Task {:?} has warnings: {of_task}", text(task, "Name")));
        }
    }
    found
}

fn of_services(within: &Tree, found: &mut Faults) {
    for service in list(within, "Services") {
        let identity = part(service, "Identity").map(of_identity).unwrap_or_default();
        for warning in identity {
            found.add(format!("Service {:?}: {warning}", text(service, "Name")));
        }
    }
}

fn of_task(task: &Tree) -> Faults {
    let mut found = Faults::default();
    let resources = part(task, "Resources");
    let has_iops = resources.is_some_and(|resources| integer(resources, "IOPS") != 0);
    found.add_if(
        has_iops,
        "IOPS has been deprecated as of Nomad 0.9.0. Please remove IOPS from resource block.",
    );
    let has_networks = resources.is_some_and(|resources| list(resources, "Networks").next().is_some());
    found.add_if(
        has_networks,
        "task network resources have been deprecated as of Nomad 0.12.0. Please configure networking via group network block.",
    );
    for (at, template) in list(task, "Templates").enumerate() {
        if integer(template, "VaultGrace") != 0 {
            found.add(format!(
                "Template[{at}] VaultGrace has been deprecated as of Nomad 0.11 and ignored since Vault 0.5. Please remove VaultGrace / vault_grace from template block."
            ));
        }
    }
    of_services(task, &mut found);
    for identity in list(task, "Identities") {
        let mut of_one = Faults::default();
        for warning in of_identity(identity) {
            of_one.add(format!("Identity[{}] {warning}", text(identity, "Name")));
        }
        found.nest(of_one);
    }
    found
}

fn of_identity(identity: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    match texts(identity, "Audience").count() {
        0 => found.push("identities without an audience are insecure".to_owned()),
        1 => {}
        _ => found.push(
            "while multiple audiences is allowed, it is more secure to use 1 audience per identity".into(),
        ),
    }
    let is_default = matches!(text(identity, "Name"), "" | "default");
    if !is_default && integer(identity, "TTL") == 0 {
        found.push("identities without an expiration are insecure".into());
    }
    if is_set(identity, "Env") && text(identity, "ChangeMode") != "restart" {
        found.push(
            "using env=true without change_mode=\"restart\" may result in task not getting updated identity"
                .into(),
        );
    }
    found
}

/// Warnings put together (`hashicorp/nomad:helper/warning.go`); nothing for none.
pub(in super::super) fn merged(warnings: &[String]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let plural = if warnings.len() == 1 { "warning" } else { "warnings" };
    let shown: String = warnings.iter().map(|warning| format!("\n* {}", warning.trim())).collect();
    format!("{} {plural}:\n{shown}", warnings.len())
}
