//! What is counted and timed as it happens. What is only looked at when somebody asks stands in `gauges.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::scope::Scope;
use crate::tasks::TaskKind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Which operation, through which dialect, and how it went. Labels are words of ours, never a client's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabels {
    /// `consul`, `native`, …
    pub dialect: &'static str,
    /// `save`, `restore`, `undo`, `read`, `write`, …
    pub operation: &'static str,
    /// `ok`, `cut`, or the name of the error's kind.
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabels {
    kind: &'static str,
    scope: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndedTaskLabels {
    kind: &'static str,
    scope: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ScopeLabels {
    pub(crate) scope: &'static str,
}

/// Why writers were held.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriterHoldLabels {
    scope: &'static str,
    /// `capture` or `exchange`.
    reason: &'static str,
}

/// Whose state there is.
const PRODUCTS: [&str; 3] = ["consul", "nomad", "qdrant"];

/// Durations by some labels.
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// The node's counters and histograms.
pub struct Metrics {
    operations: Family<OperationLabels, Counter>,
    operation_durations: Durations<OperationLabels>,
    received_bytes: Family<OperationLabels, Counter>,
    sent_bytes: Family<OperationLabels, Counter>,
    running_tasks: Family<TaskLabels, Gauge>,
    /// Told by `task_durations`, too, but not to be read from there.
    task_successes: Family<TaskLabels, Counter>,
    task_durations: Durations<EndedTaskLabels>,
    task_bytes: Family<EndedTaskLabels, Counter>,
    hold_durations: Durations<ScopeLabels>,
    writer_hold_durations: Durations<WriterHoldLabels>,
    captures: Mutex<Captures>,
    began: Instant,
}

/// The captures that are held, and when the last one became a complete archive.
#[derive(Default)]
struct Captures {
    /// Oldest first; the number tells those of one instant apart.
    held: BTreeMap<&'static str, BTreeSet<(Instant, u64)>>,
    taken: u64,
    saved: BTreeMap<&'static str, Instant>,
}

impl Default for Metrics {
    fn default() -> Self {
        // From 0.5 ms to about 17 minutes.
        let durations: fn() -> Histogram = || Histogram::new(exponential_buckets(0.0005, 2.0, 22));
        Metrics {
            operations: Family::default(),
            operation_durations: Family::new_with_constructor(durations),
            received_bytes: Family::default(),
            sent_bytes: Family::default(),
            running_tasks: Family::default(),
            task_successes: Family::default(),
            task_durations: Family::new_with_constructor(durations),
            task_bytes: Family::default(),
            hold_durations: Family::new_with_constructor(durations),
            writer_hold_durations: Family::new_with_constructor(durations),
            captures: Mutex::default(),
            began: Instant::now(),
        }
    }
}

impl Metrics {
    /// Counts an operation that took `elapsed`, and the bytes of its request's and its answer's body.
    pub fn record(&self, labels: OperationLabels, elapsed: Duration, received: u64, sent: u64) {
        self.operations.get_or_create(&labels).inc();
        self.operation_durations.get_or_create(&labels).observe(elapsed.as_secs_f64());
        for (bytes, family) in [(received, &self.received_bytes), (sent, &self.sent_bytes)] {
            if bytes > 0 {
                family.get_or_create(&labels).inc_by(bytes);
            }
        }
    }

    /// Counts a capture as held until the answer is dropped.
    pub(crate) fn hold(self: &Arc<Self>, product: &'static str) -> Hold {
        let mut captures = self.captures();
        captures.taken += 1;
        let since = (Instant::now(), captures.taken);
        captures.held.entry(product).or_default().insert(since);
        Hold { metrics: Arc::clone(self), product, since }
    }

    /// Measures how long the writers of points are held, until the answer is dropped.
    #[cfg(feature = "qdrant")]
    pub(crate) fn hold_writers(&self, reason: &'static str) -> WriterHold {
        let labels = WriterHoldLabels { scope: "qdrant", reason };
        let histogram = self.writer_hold_durations.get_or_create(&labels).clone();
        WriterHold { histogram, since: Instant::now() }
    }

    /// Notes that an archive of `product` has reached its reader completely.
    pub(crate) fn saved(&self, product: &'static str) {
        self.captures().saved.insert(product, Instant::now());
    }

    /// How long ago that was the last time, since this node began.
    pub(crate) fn since_saved(&self, product: &str) -> Option<Duration> {
        self.captures().saved.get(product).map(Instant::elapsed)
    }

    /// How many captures of `product` are held, and the age of the oldest.
    pub(crate) fn held(&self, product: &str) -> (usize, Duration) {
        let captures = self.captures();
        let Some(held) = captures.held.get(product) else { return Default::default() };
        (held.len(), held.first().map_or(Duration::ZERO, |(since, _)| since.elapsed()))
    }

    /// How many tasks of a kind run here on scopes of a product, and how many have succeeded since this node began.
    pub fn tasks(&self, kind: TaskKind, product: &str) -> (u64, u64) {
        let Some(scope) = PRODUCTS.into_iter().find(|known| *known == product) else { return (0, 0) };
        let kind = kind.name();
        let running = self.running_tasks.get_or_create(&TaskLabels { kind, scope }).get();
        let succeeded = self.task_successes.get_or_create(&TaskLabels { kind, scope }).get();
        (u64::try_from(running).unwrap_or_default(), succeeded)
    }

    /// How long the node has been open.
    pub(crate) fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// Counts a task as running until the answer is dropped.
    pub(crate) fn task(self: &Arc<Self>, kind: TaskKind, scope: &Scope) -> RunningTask {
        let labels = TaskLabels { kind: kind.name(), scope: scope.product() };
        self.running_tasks.get_or_create(&labels).inc();
        RunningTask { metrics: Arc::clone(self), labels, began: Instant::now() }
    }

    /// Names everything that is counted here.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let seconds =
            |registry: &mut Registry, name: &str, help: &str, family: Durations<OperationLabels>| {
                registry.register_with_unit(name, help, Unit::Seconds, family);
            };
        registry.register("operations", "Requests that were answered or given up", self.operations.clone());
        seconds(
            registry,
            "operation_duration",
            "From a request's head to the end of its answer",
            self.operation_durations.clone(),
        );
        for (name, help, family) in [
            ("operation_received", "Bytes of requests' bodies", &self.received_bytes),
            ("operation_sent", "Bytes of answers' bodies", &self.sent_bytes),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, family.clone());
        }
        registry.register("tasks_running", "Tasks that run on this node", self.running_tasks.clone());
        registry.register_with_unit(
            "task_duration",
            "How long tasks took that ended on this node",
            Unit::Seconds,
            self.task_durations.clone(),
        );
        registry.register_with_unit(
            "task_archive",
            "Archive bytes that they wrote, received or unpacked",
            Unit::Bytes,
            self.task_bytes.clone(),
        );
        registry.register_with_unit(
            "capture_hold",
            "How long captures were held, which keeps no writer waiting",
            Unit::Seconds,
            self.hold_durations.clone(),
        );
        registry.register_with_unit(
            "writer_hold",
            "How long writers of points were held for one cut, or for an exchange",
            Unit::Seconds,
            self.writer_hold_durations.clone(),
        );
    }

    fn captures(&self) -> MutexGuard<'_, Captures> {
        self.captures.lock().expect("no panic while held")
    }
}

/// A capture that is held. Dropping it ends that.
pub(crate) struct Hold {
    metrics: Arc<Metrics>,
    product: &'static str,
    since: (Instant, u64),
}

impl Hold {
    /// What notes a complete archive, even after the capture is no longer held.
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(held) = self.metrics.captures().held.get_mut(self.product) {
            held.remove(&self.since);
        }
        let labels = ScopeLabels { scope: self.product };
        self.metrics.hold_durations.get_or_create(&labels).observe(self.since.0.elapsed().as_secs_f64());
    }
}

/// Writers that are held. Dropping it ends that.
#[cfg(feature = "qdrant")]
pub(crate) struct WriterHold {
    histogram: Histogram,
    since: Instant,
}

#[cfg(feature = "qdrant")]
impl Drop for WriterHold {
    fn drop(&mut self) {
        self.histogram.observe(self.since.elapsed().as_secs_f64());
    }
}

/// A task that runs here. Dropping it ends that.
pub(crate) struct RunningTask {
    metrics: Arc<Metrics>,
    labels: TaskLabels,
    began: Instant,
}

impl RunningTask {
    /// Counts the end of the task, which has dealt with `bytes` of an archive.
    pub(crate) fn end(self, outcome: &'static str, bytes: u64) {
        if outcome == "ok" {
            self.metrics.task_successes.get_or_create(&self.labels).inc();
        }
        let labels = EndedTaskLabels { kind: self.labels.kind, scope: self.labels.scope, outcome };
        self.metrics.task_durations.get_or_create(&labels).observe(self.began.elapsed().as_secs_f64());
        self.metrics.task_bytes.get_or_create(&labels).inc_by(bytes);
    }
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        self.metrics.running_tasks.get_or_create(&self.labels).dec();
    }
}
