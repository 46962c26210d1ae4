//! How many snapshots of each collection are being made or restored, and were made: told by the tasks of the node, so
//! it does not matter who asked for them.

use std::collections::BTreeMap;

use node::{Node, Result, Scope, Task, TaskKind, TaskState};

/// What is told of one collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::qdrant::rest) struct Series {
    pub(in crate::qdrant::rest) creations: u64,
    pub(in crate::qdrant::rest) recoveries: u64,
    /// Since this server began, as far as the node still lists them.
    pub(in crate::qdrant::rest) created: u64,
}

/// What is told of these collections. What is done with all of them counts for each.
pub(in crate::qdrant::rest) fn series(
    node: &Node,
    names: &[String],
    began_ms: u64,
) -> Result<BTreeMap<String, Series>> {
    let mut series: BTreeMap<String, Series> =
        names.iter().map(|name| (name.clone(), Series::default())).collect();
    for task in node.tasks()? {
        let Ok(Scope::Points(scope)) = task.scope.parse() else { continue };
        let concerned = series.iter_mut().filter(|(name, _)| scope.collection().is_none_or(|of| of == *name));
        concerned.for_each(|(_, one)| count(one, &task, began_ms));
    }
    Ok(series)
}

fn count(series: &mut Series, task: &Task, began_ms: u64) {
    match (task.kind, task.state) {
        (TaskKind::Save, TaskState::Running) => series.creations += 1,
        (TaskKind::Restore, TaskState::Running) => series.recoveries += 1,
        (TaskKind::Save, TaskState::Succeeded) if task.created_at_ms >= began_ms => series.created += 1,
        _ => {}
    }
}
