//! Who may change jobs (`hashicorp/nomad:nomad/job_endpoint.go`).

use records::View;
use records::nomad::acl::HostVolumeCapability::{MountReadOnly, MountReadWrite};
use records::nomad::acl::NamespaceCapability::{self, CsiMountVolume, CsiRegisterPlugin};
use records::nomad::acl::{Authorizer, Denied};
use records::nomad::jobs::places;

use super::Caller;
use super::read::Tree;
use super::tree::{entries, is_set, list, part, text};
use crate::http::Failure;

/// Whether any of these rights is there. Management tokens have all.
pub(super) fn any(may: &Authorizer, namespace: &str, rights: &[NamespaceCapability]) -> Result<(), Failure> {
    let mut answers = rights.iter().map(|right| may.namespace(namespace, *right));
    match answers.find_map(Result::ok) {
        Some(()) => Ok(()),
        None => Ok(may.management()?),
    }
}

/// Whether the caller has any of these rights in a namespace.
pub(super) async fn may_any(
    caller: &Caller,
    namespace: String,
    rights: &'static [NamespaceCapability],
) -> Result<(), Failure> {
    caller.vet(move |_: &View, may| any(may, &namespace, rights)).await
}

/// Whether jobs are taken in at all, as an operator of a genuine cluster may have set it.
pub(super) fn are_open(view: &View, may: &Authorizer) -> Result<(), Failure> {
    if places(view, "", "")?.rejects && may.management().is_err() {
        let text = "Job registration, dispatch, and scale are disabled by the scheduler configuration";
        return Err(Failure::denied(text));
    }
    Ok(())
}

/// Whether a job may be registered: by the rights of its namespace, and by those to its volumes and plugins.
pub(super) fn may_register(
    job: &Tree,
    view: &View,
    may: &Authorizer,
    rights: &[NamespaceCapability],
) -> Result<(), Failure> {
    let namespace = text(job, "Namespace");
    any(may, namespace, rights)?;
    are_open(view, may)?;
    for group in list(job, "TaskGroups") {
        for (_, volume) in entries(group, "Volumes") {
            may_mount(volume, namespace, may)?;
        }
        for task in list(group, "Tasks") {
            for mount in list(task, "VolumeMounts") {
                let volume = part(group, "Volumes").and_then(|volumes| part(volumes, text(mount, "Volume")));
                if text(mount, "PropagationMode") == "bidirectional" {
                    let source = volume.map(|volume| text(volume, "Source")).unwrap_or_default();
                    may.host_volume(source, MountReadWrite)?;
                }
            }
            if task.contains_key("CSIPluginConfig") {
                may.namespace(namespace, CsiRegisterPlugin)?;
            }
        }
    }
    Ok(())
}

fn may_mount(volume: &Tree, namespace: &str, may: &Authorizer) -> Result<(), Denied> {
    let source = text(volume, "Source");
    match text(volume, "Type") {
        "csi" => may.plugin_read().and_then(|()| may.namespace(namespace, CsiMountVolume)),
        _ if is_set(volume, "ReadOnly") => {
            may.host_volume(source, MountReadOnly).or_else(|_| may.host_volume(source, MountReadWrite))
        }
        _ => may.host_volume(source, MountReadWrite),
    }
}
