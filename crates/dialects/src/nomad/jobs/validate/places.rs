//! Whether a job may be where it wants to be (`hashicorp/nomad:nomad/job_endpoint_validators.go`,
//! `nomad/job_endpoint_hook_node_pool.go`).

use records::nomad::jobs::Places;

use super::super::read::Tree;
use super::super::tree::{list, text};
use super::faults::Faults;

/// What is wrong with the namespace and the node pool of a job.
pub(in super::super) fn places(job: &Tree, places: &Places) -> Faults {
    let mut faults = Faults::default();
    let (id, namespace, pool) = (text(job, "ID"), text(job, "Namespace"), text(job, "NodePool"));
    match &places.namespace {
        None => faults.add(format!("job {id:?} is in nonexistent namespace {namespace:?}")),
        Some(found) => {
            if let Some(capabilities) = &found.capabilities {
                let groups = || list(job, "TaskGroups");
                let drivers =
                    groups().flat_map(|group| list(group, "Tasks")).map(|task| text(task, "Driver"));
                let modes = groups().flat_map(|group| list(group, "Networks"));
                let modes = modes.map(|network| match text(network, "Mode") {
                    "" => "host",
                    mode => mode,
                });
                let allowed = [&capabilities.enabled_task_drivers, &capabilities.disabled_task_drivers];
                let found = refused(drivers, allowed, "task driver", namespace);
                let allowed = [&capabilities.enabled_network_modes, &capabilities.disabled_network_modes];
                // The first kind of fault ends it.
                faults.check(found.and_then(|()| refused(modes, allowed, "group network mode", namespace)));
            }
        }
    }
    if !places.has_pool {
        faults.add(format!("job {id:?} is in nonexistent node pool {pool:?}"));
    }
    faults
}

fn refused<'a>(
    used: impl Iterator<Item = &'a str>,
    [enabled, disabled]: [&Option<Vec<String>>; 2],
    what: &str,
    namespace: &str,
) -> Result<(), String> {
    let names = |list: &Option<Vec<String>>, name: &str| list.iter().flatten().any(|known| known == name);
    let is_open = enabled.as_ref().is_none_or(Vec::is_empty);
    let refused: Vec<&str> =
        used.filter(|name| !(is_open || names(enabled, name)) || names(disabled, name)).collect();
    match refused[..] {
        [] => Ok(()),
        [one] => Err(format!("used {what} {one:?} is not allowed in namespace {namespace:?}")),
        _ => {
            let quoted = refused.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" ");
            Err(format!("used {what}s [{quoted}] are not allowed in namespace {namespace:?}"))
        }
    }
}
