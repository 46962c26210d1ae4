//! CSI plugins, as far as jobs make them: which run some, and how many
//! (`hashicorp/nomad:nomad/state/state_store.go`, `nomad/structs/csi.go`).

use std::collections::{BTreeMap, BTreeSet};

use archive::nomad::{CsiPlugin, Job, JobDescription, JobDescriptions, kinds};
use archive::state::Opaque;

use super::groups;
use crate::nomad::indexes::touch;
use crate::nomad::time_ns;
use crate::{Error, ID_BYTES_MAX, Read, Txn, error};

const PLUGINS: &str = "csi_plugins";

/// How many instances of a plugin a job runs: controllers, and node plugins. Ids that can't be kept are passed over.
type Expected = [Option<i64>; 2];

/// Tells the plugins of a job about it, those that it ran before too.
pub(super) fn update(txn: &mut Txn<'_>, before: Option<&Job>, job: &Job) -> Result<(), Error> {
    let wanted = expected(job);
    let mut ids: BTreeSet<String> = wanted.keys().cloned().collect();
    ids.extend(before.into_iter().flat_map(|before| expected(before).into_keys()));
    for id in ids {
        let before = find(txn, &id)?;
        let mut plugin = before.unwrap_or_else(|| new(txn, &id));
        describe(&mut plugin, job, wanted.get(&id).copied().unwrap_or_default());
        put(txn, plugin)?;
    }
    touch(txn, PLUGINS)
}

/// Tells the plugins of a job that it is gone. Those that nobody runs go with it.
pub(super) fn remove(txn: &mut Txn<'_>, job: &Job) -> Result<(), Error> {
    let mut is_touched = false;
    for id in expected(job).into_keys() {
        let Some(mut plugin) = find(txn, &id)? else { continue };
        describe(&mut plugin, job, Expected::default());
        is_touched = true;
        if is_empty(&plugin) {
            txn.remove(kinds::CSI_PLUGIN, id.as_bytes())?;
        } else {
            put(txn, plugin)?;
        }
    }
    if is_touched { touch(txn, PLUGINS) } else { Ok(()) }
}

fn expected(job: &Job) -> BTreeMap<String, Expected> {
    let mut found: BTreeMap<String, Expected> = BTreeMap::new();
    for group in groups::of(job) {
        // System jobs run as many as there are nodes, of which there are none.
        let count = if job.kind == "system" { 0 } else { group.count() };
        let plugins = group.plugins().filter(|(id, _)| (1..=ID_BYTES_MAX).contains(&id.len()));
        for (id, kind) in plugins {
            let [controllers, nodes] = found.entry(id.to_owned()).or_default();
            if matches!(kind, "controller" | "monolith") {
                *controllers = Some(count);
            }
            if matches!(kind, "node" | "monolith") {
                *nodes = Some(count);
            }
        }
    }
    found
}

fn describe(plugin: &mut CsiPlugin, job: &Job, expected: Expected) {
    let sides = [&mut plugin.controller_jobs, &mut plugin.node_jobs];
    for (jobs, expected) in sides.into_iter().zip(expected) {
        let jobs = jobs.get_or_insert_default();
        match expected {
            Some(expected) => {
                let (namespace, id) = (job.namespace.clone(), job.id.clone());
                let description = JobDescription { namespace, id: id.clone(), expected };
                jobs.entry(job.namespace.clone()).or_default().insert(id, description);
            }
            None => {
                if let Some(jobs) = jobs.get_mut(&job.namespace) {
                    jobs.remove(&job.id);
                }
            }
        }
    }
    plugin.controllers_expected = total(&plugin.controller_jobs);
    plugin.nodes_expected = total(&plugin.node_jobs);
}

fn total(jobs: &Option<JobDescriptions>) -> i64 {
    let jobs = jobs.iter().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
    jobs.map(|job| job.expected).fold(0, i64::saturating_add)
}

fn is_empty(plugin: &CsiPlugin) -> bool {
    let has_none = |map: &Opaque| map.value().as_map().is_none_or(<[_]>::is_empty);
    let expects_none = plugin.controllers_expected == 0 && plugin.nodes_expected == 0;
    has_none(&plugin.controllers) && has_none(&plugin.nodes) && expects_none
}

fn new(txn: &Txn<'_>, id: &str) -> CsiPlugin {
    let now = time_ns(txn.at_ms());
    let empty = || Opaque::new(vec![0x80]).unwrap_or_default();
    CsiPlugin {
        id: id.to_owned(),
        controllers: empty(),
        nodes: empty(),
        create_index: txn.index(),
        create_time_ns: now,
        modify_time_ns: now,
        ..CsiPlugin::default()
    }
}

fn find(txn: &Txn<'_>, id: &str) -> Result<Option<CsiPlugin>, Error> {
    let found = txn.get(kinds::CSI_PLUGIN, id.as_bytes())?;
    found.map(|bytes| CsiPlugin::decode(&bytes)).transpose().map_err(|e| error::stored("CSI plugin", e))
}

fn put(txn: &mut Txn<'_>, mut plugin: CsiPlugin) -> Result<(), Error> {
    plugin.modify_index = txn.index();
    let before = txn.get(kinds::CSI_PLUGIN, plugin.id.as_bytes())?;
    let bytes = plugin.encode_over(before.as_deref().unwrap_or_default());
    txn.put(kinds::CSI_PLUGIN, plugin.id.as_bytes(), bytes.into())
}
