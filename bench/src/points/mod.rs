//! Points: what it costs to take, find and snapshot them, beside the engine alone.

mod copy;
mod data;
mod engine;
mod figures;
mod life;
mod peak;
mod served;
mod snapshots;

pub(crate) use data::Size;
pub(crate) use engine::be_the_engine;

use crate::table::Row;
use crate::{Options, Part};

/// Measures what the options ask for.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Vec<Row>> {
    let dir = tempfile::tempdir_in(&options.dir)?;
    let mut rows = Vec::new();
    if options.measures(Part::Points) {
        rows.extend(life::measure(options, dir.path())?.rows());
    }
    if options.measures(Part::Collections) {
        for size in &options.points {
            rows.extend(snapshots::measure(options, dir.path(), *size)?.rows());
        }
    }
    Ok(rows)
}
