//! When optimising is due.
//!
//! The engine plans on segments that it does not show, so what it would do is only known by trying, on a
//! copy. The meter keeps trials rare: one when enough was written that an index may be missing, or enough was
//! replaced that a segment may be hollow, or the settings changed; and after one in vain the next only when
//! as much was written as makes its copying cheap beside it. A shard that nobody writes to is never copied.

use qdrant_edge::{
    EdgeConfig, EdgeOptimizersConfig, PayloadOps, PointInsertOperations, PointOperations, ShardInfo,
    UpdateOperation, VectorOperations, VectorPersisted, VectorStructPersisted,
};
use serde::{Deserialize, Serialize};

/// As the engine has them (`qdrant/qdrant:lib/shard/src/optimizers/config.rs`).
const DELETED_THRESHOLD: f64 = 0.2;
const VACUUM_MIN: usize = 1000;

/// What was written since the last trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Meter {
    /// Bytes of vectors written.
    bytes: u64,
    /// Points named by operations, as often as they were.
    touched: u64,
    /// What of the two a trial that goes on has seen: it counts again if that is interrupted.
    seen: (u64, u64),
    /// Points there were at the last trial.
    points: u64,
    bytes_due: u64,
    stale_due: u64,
    /// The settings at the last trial.
    tried: Option<EdgeConfig>,
    /// Segments there were after the last trial.
    segments: u64,
}

impl Meter {
    /// For a shard that holds nothing.
    pub(super) fn empty(config: &EdgeConfig) -> Meter {
        let mut meter = Meter::unknown();
        meter.ended(config, Outcome::Optimised, 0, 1);
        meter
    }

    /// For a shard of which nothing is known: a trial is due.
    pub(super) fn unknown() -> Meter {
        Meter {
            bytes: 0,
            touched: 0,
            seen: (0, 0),
            points: 0,
            bytes_due: 0,
            stale_due: 0,
            tried: None,
            segments: 0,
        }
    }

    /// Counts an operation.
    pub(super) fn count(&mut self, update: &UpdateOperation) {
        let (touched, bytes) = weigh(update);
        self.bytes += bytes;
        self.touched += touched;
    }

    /// Whether it is worth asking [`Meter::is_due`].
    pub(super) fn may_be_due(&self, config: &EdgeConfig) -> bool {
        self.bytes >= self.bytes_due || self.touched >= self.stale_due || self.tried.as_ref() != Some(config)
    }

    /// Whether a trial is due.
    pub(super) fn is_due(&self, config: &EdgeConfig, info: &ShardInfo) -> bool {
        let points = info.points_count as u64;
        if points == 0 && info.segments_count <= 1 {
            return false;
        }
        let inserted = points.saturating_sub(self.points);
        let stale = self.touched.saturating_sub(inserted);
        self.bytes >= self.bytes_due || stale >= self.stale_due || self.tried.as_ref() != Some(config)
    }

    /// The shard was opened. Crashes and captures of other servers may have left it more segments than it should
    /// have.
    pub(super) fn opened(&mut self, config: &EdgeConfig, segments: usize) {
        let segments = segments as u64;
        if segments > config.optimizers().get_number_segments() as u64 && segments > self.segments {
            self.tried = None;
        }
    }

    /// A trial begins with what was counted so far.
    pub(super) fn begin(&mut self) {
        self.seen = (self.bytes, self.touched);
    }

    /// The trial that began last ended, with `config`, on so many points.
    pub(super) fn ended(&mut self, config: &EdgeConfig, outcome: Outcome, points: u64, segments: u64) {
        self.bytes = self.bytes.saturating_sub(self.seen.0);
        self.touched = self.touched.saturating_sub(self.seen.1);
        self.seen = (0, 0);
        self.points = points;
        let optimizers = config.optimizers();
        let whole = threshold(&optimizers);
        let vacuum = optimizers.vacuum_min_vector_number.unwrap_or(VACUUM_MIN) as f64;
        let deleted = optimizers.deleted_threshold.unwrap_or(DELETED_THRESHOLD);
        let stale = (deleted * vacuum).max(deleted / 2.0 * points as f64);
        self.bytes_due = match outcome {
            Outcome::Optimised => whole.max(1),
            Outcome::InVain { copied } => (whole / 4).max(copied / 4).max(1),
        };
        self.stale_due = (stale as u64).max(1);
        self.tried = Some(config.clone());
        self.segments = segments;
    }
}

/// How a trial ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// There was something to optimise, and it was.
    Optimised,
    /// There was nothing, and so many bytes were copied to see that.
    InVain { copied: u64 },
}

fn threshold(optimizers: &EdgeOptimizersConfig) -> u64 {
    (optimizers.get_indexing_threshold_kb() as u64).saturating_mul(1024)
}

/// The points that an operation names, and the bytes of vectors in it.
fn weigh(update: &UpdateOperation) -> (u64, u64) {
    let count = |points: usize| (points as u64, 0);
    match update {
        UpdateOperation::PointOperation(operation) => match operation {
            PointOperations::UpsertPoints(PointInsertOperations::PointsList(points)) => {
                (points.len() as u64, points.iter().map(|point| vector_bytes(&point.vector)).sum())
            }
            PointOperations::DeletePoints { ids } => count(ids.len()),
            _ => (0, 0),
        },
        UpdateOperation::VectorOperation(operation) => match operation {
            VectorOperations::UpdateVectors(update) => {
                let bytes = update.points.iter().map(|point| vector_bytes(&point.vector)).sum();
                (update.points.len() as u64, bytes)
            }
            VectorOperations::DeleteVectors(of, _) => count(of.points.len()),
            VectorOperations::DeleteVectorsByFilter(..) => (0, 0),
        },
        UpdateOperation::PayloadOperation(operation) => match operation {
            PayloadOps::SetPayload(op) | PayloadOps::OverwritePayload(op) => {
                count(op.points.as_ref().map_or(0, Vec::len))
            }
            PayloadOps::DeletePayload(op) => count(op.points.as_ref().map_or(0, Vec::len)),
            PayloadOps::ClearPayload { points } => count(points.len()),
            PayloadOps::ClearPayloadByFilter(_) => (0, 0),
        },
        UpdateOperation::FieldIndexOperation(_) | UpdateOperation::VectorNameOperation(_) => (0, 0),
    }
}

fn vector_bytes(vectors: &VectorStructPersisted) -> u64 {
    let rows = |rows: &[Vec<f32>]| rows.iter().map(Vec::len).sum::<usize>();
    let numbers = match vectors {
        VectorStructPersisted::Single(dense) => dense.len(),
        VectorStructPersisted::MultiDense(multi) => rows(multi),
        VectorStructPersisted::Named(named) => named
            .values()
            .map(|vector| match vector {
                VectorPersisted::Dense(dense) => dense.len(),
                VectorPersisted::MultiDense(multi) => rows(multi),
                VectorPersisted::Sparse(sparse) => 2 * sparse.indices.len(),
            })
            .sum(),
    };
    4 * numbers as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use qdrant_edge::{Distance, EdgeVectorParams, Payload, PointId, PointStructPersisted, SetPayloadOp};

    use super::*;

    const KB: u64 = 1024;

    fn config() -> EdgeConfig {
        let optimizers = EdgeOptimizersConfig {
            deleted_threshold: Some(0.2),
            vacuum_min_vector_number: Some(100),
            default_segment_number: Some(2),
            max_segment_size: None,
            indexing_threshold: Some(8),
            prevent_unoptimized: None,
        };
        EdgeConfig::builder()
            .vector("", EdgeVectorParams::builder(4, Distance::Dot).build())
            .optimizers(optimizers)
            .build()
    }

    fn info(points: usize) -> ShardInfo {
        ShardInfo {
            segments_count: 2,
            points_count: points,
            indexed_vectors_count: 0,
            payload_schema: HashMap::new(),
        }
    }

    /// Points of four numbers, sixteen bytes each.
    fn upsert(count: u64) -> UpdateOperation {
        let points = (0..count).map(|id| PointStructPersisted {
            id: PointId::NumId(id),
            vector: VectorStructPersisted::Single(vec![0.0; 4]),
            payload: None,
        });
        UpdateOperation::PointOperation(PointOperations::UpsertPoints(PointInsertOperations::PointsList(
            points.collect(),
        )))
    }

    fn delete(count: u64) -> UpdateOperation {
        UpdateOperation::PointOperation(PointOperations::DeletePoints {
            ids: (0..count).map(PointId::NumId).collect(),
        })
    }

    fn set_payload(count: u64) -> UpdateOperation {
        UpdateOperation::PayloadOperation(PayloadOps::SetPayload(SetPayloadOp {
            payload: Payload::default(),
            points: Some((0..count).map(PointId::NumId).collect()),
            filter: None,
            key: None,
        }))
    }

    #[test]
    fn an_index_is_due_when_as_much_was_written_as_wants_one() {
        let (config, mut meter) = (config(), Meter::empty(&config()));
        meter.count(&upsert(8 * KB / 16 - 1));
        assert!(!meter.is_due(&config, &info(511)));
        meter.count(&upsert(1));
        assert!(meter.is_due(&config, &info(512)));
        meter.begin();
        meter.ended(&config, Outcome::Optimised, 512, 2);
        assert!(!meter.may_be_due(&config));
    }

    #[test]
    fn what_is_replaced_counts_and_what_is_new_does_not() {
        let (config, mut meter) = (config(), Meter::empty(&config()));
        // A fifth of at least a hundred points.
        meter.count(&upsert(19));
        assert!(!meter.is_due(&config, &info(19)), "they are new");
        meter.count(&set_payload(19));
        assert!(!meter.is_due(&config, &info(19)));
        meter.count(&delete(1));
        assert!(meter.is_due(&config, &info(19)), "twenty were touched that were there");
        assert!(!meter.is_due(&config, &ShardInfo { segments_count: 1, ..info(0) }), "nothing is left");
    }

    #[test]
    fn a_trial_in_vain_makes_the_next_one_wait_for_as_much_as_it_costs() {
        let (config, mut meter) = (config(), Meter::unknown());
        assert!(meter.is_due(&config, &info(1)), "nothing is known");
        meter.begin();
        meter.ended(&config, Outcome::InVain { copied: 64 * KB }, 1, 2);
        meter.count(&upsert(16 * KB / 16 - 1));
        assert!(!meter.is_due(&config, &info(1024)));
        meter.count(&upsert(1));
        assert!(meter.is_due(&config, &info(1025)));
    }

    #[test]
    fn what_comes_during_a_trial_counts_for_the_next_and_an_interrupted_one_for_nothing() {
        let (config, mut meter) = (config(), Meter::empty(&config()));
        meter.count(&upsert(512));
        meter.begin();
        meter.count(&upsert(500));
        assert!(meter.is_due(&config, &info(512)), "not ended");
        meter.ended(&config, Outcome::Optimised, 512, 2);
        assert!(!meter.is_due(&config, &info(1012)));
        meter.count(&upsert(12));
        assert!(meter.is_due(&config, &info(1024)));
    }

    #[test]
    fn other_settings_are_tried_once() {
        let (before, mut meter) = (config(), Meter::empty(&config()));
        let after = EdgeConfig { max_search_threads: Some(3), ..before.clone() };
        assert!(!meter.is_due(&before, &info(10)));
        assert!(meter.is_due(&after, &info(10)));
        assert!(!meter.is_due(&after, &ShardInfo { segments_count: 1, ..info(0) }), "nothing to try");
        meter.begin();
        meter.ended(&after, Outcome::InVain { copied: 0 }, 10, 2);
        assert!(!meter.is_due(&after, &info(10)));
    }

    #[test]
    fn more_segments_than_there_should_be_are_tried_once() {
        let (config, mut meter) = (config(), Meter::empty(&config()));
        meter.opened(&config, 2);
        assert!(!meter.is_due(&config, &info(10)), "as many as the settings want");
        meter.opened(&config, 5);
        assert!(meter.is_due(&config, &info(10)));
        meter.begin();
        meter.ended(&config, Outcome::InVain { copied: 0 }, 10, 5);
        meter.opened(&config, 5);
        assert!(!meter.is_due(&config, &info(10)), "it was tried, and they stay");
    }

    #[test]
    fn it_survives_its_bytes() {
        let mut meter = Meter::empty(&config());
        meter.count(&upsert(7));
        let json = serde_json::to_vec(&meter).unwrap();
        assert_eq!(serde_json::from_slice::<Meter>(&json).unwrap(), meter);
    }
}
