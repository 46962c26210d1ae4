//! What is counted and measured, rendered as Prometheus text.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use records::Scope;

use crate::node::Node;

/// Which operation, through which dialect, on which scope, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabels {
    /// `consul`, `native`, …
    pub dialect: &'static str,
    /// `save`, `restore`, `undo`, `read`, `write`.
    pub operation: &'static str,
    /// `ok`, or the name of the error's kind.
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScopeLabels {
    scope: &'static str,
}

/// The node's counters and histograms.
pub struct Metrics {
    operations: Family<OperationLabels, Counter>,
    seconds: Family<OperationLabels, Histogram, fn() -> Histogram>,
    bytes: Family<OperationLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        // From 0.5 ms to about 17 minutes.
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.0005, 2.0, 22));
        Metrics {
            operations: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            bytes: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts an operation that took `elapsed` and moved `bytes` of archive.
    pub fn record(&self, labels: OperationLabels, elapsed: Duration, bytes: u64) {
        self.operations.get_or_create(&labels).inc();
        self.seconds.get_or_create(&labels).observe(elapsed.as_secs_f64());
        if bytes > 0 {
            self.bytes.get_or_create(&labels).inc_by(bytes);
        }
    }
}

impl Node {
    /// All metrics in Prometheus' text form.
    pub fn render_metrics(&self) -> String {
        let mut registry = Registry::with_prefix("stillpoint");
        let metrics = self.metrics();
        registry.register(
            "operations",
            "Operations by dialect, kind and outcome",
            metrics.operations.clone(),
        );
        registry.register_with_unit(
            "operation_duration",
            "Their durations",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register_with_unit(
            "archive_moved",
            "Archive bytes saved or restored",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        self.register_gauges(&mut registry);
        let mut out = String::new();
        text::encode(&mut out, &registry).expect("a String takes every write");
        out
    }

    fn register_gauges(&self, registry: &mut Registry) {
        let status = self.status();
        let mut gauge = |name: &str, help: &str, value: u64| {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        };
        gauge("leader", "1 while this node leads the control group", u64::from(self.group().is_leader()));
        gauge("raft_term", "The term of the control group", status.term);
        gauge("raft_applied_index", "The last log entry applied here", status.applied.map_or(0, |p| p.index));
        gauge("disk_free_bytes", "Free bytes on the disk of the data directory", self.free_bytes());
        let indexes: Family<ScopeLabels, Gauge> = Family::default();
        let snapshots: Family<ScopeLabels, Gauge> = Family::default();
        for scope in Scope::ALL {
            let labels = ScopeLabels { scope: scope.name() };
            indexes.get_or_create(&labels).set(self.records().state(scope).index.cast_signed());
            let last = self.snapshots(Some(scope)).unwrap_or_default().iter().map(|s| s.created_at_ms).max();
            if let Some(last) = last {
                let age_s = self.now_ms().saturating_sub(last) / 1000;
                snapshots.get_or_create(&labels).set(age_s.cast_signed());
            }
        }
        registry.register("state_index", "The state index of a scope", indexes);
        registry.register("last_snapshot_age_seconds", "Age of the newest stored snapshot", snapshots);
    }
}
