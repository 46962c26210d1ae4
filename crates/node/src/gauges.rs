//! What is looked at when somebody asks for the metrics, and the text of all of them. `docs/operations.md`
//! explains each.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use records::Scope;

use crate::error::Result;
use crate::metrics::ScopeLabels;
use crate::node::Node;

type Seconds = Gauge<f64, AtomicU64>;

impl Node {
    /// All metrics in the OpenMetrics text form that Prometheus reads.
    pub fn render_metrics(&self) -> String {
        let mut registry = Registry::with_prefix("stillpoint");
        self.metrics().register(&mut registry);
        self.register_node(&mut registry);
        let mut scopes = ScopeGauges::default();
        for scope in Scope::ALL {
            if let Err(error) = scopes.look_at(self, scope) {
                tracing::warn!(%scope, %error, "measure a scope");
            }
        }
        #[cfg(feature = "qdrant")]
        if let Err(error) = scopes.look_at_stored(self, "qdrant") {
            tracing::warn!(%error, "measure the snapshots of points");
        }
        scopes.register(&mut registry);
        let mut out = String::new();
        text::encode(&mut out, &registry).expect("a String takes every write");
        out
    }

    fn register_node(&self, registry: &mut Registry) {
        let status = self.status();
        let mut gauge = |name: &str, help: &str, value: u64| registry.register(name, help, count(value));
        gauge("leader", "1 while this node leads the control group", u64::from(self.group().is_leader()));
        gauge("voters", "Voters of the control group", status.members.voters().count() as u64);
        gauge("raft_term", "The term of the control group", status.term);
        gauge("raft_applied_index", "The last log entry applied here", status.applied.map_or(0, |p| p.index));
        gauge("disk_free_bytes", "Free bytes on the disk of the data directory", self.free_bytes());
        let reserve = self.settings().disk_reserve_bytes;
        gauge("disk_reserve_bytes", "Below so many free bytes writes are refused", reserve);
        // Nothing was heard from a leader yet: there is no such time.
        if let Some(silence) = self.group().since_leader() {
            let help = "How long ago this node last heard from the leader";
            registry.register_with_unit("leader_contact_age", help, Unit::Seconds, seconds(silence));
        }
        let uptime = seconds(self.metrics().uptime());
        registry.register_with_unit("uptime", "How long this node has been open", Unit::Seconds, uptime);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The release that runs", build);
    }
}

/// What is known of each scope.
#[derive(Default)]
struct ScopeGauges {
    index: Family<ScopeLabels, Gauge>,
    records: Family<ScopeLabels, Gauge>,
    bytes: Family<ScopeLabels, Gauge>,
    undo_bytes: Family<ScopeLabels, Gauge>,
    stored: Family<ScopeLabels, Gauge>,
    stored_bytes: Family<ScopeLabels, Gauge>,
    last_snapshot: Family<ScopeLabels, Seconds>,
    captures: Family<ScopeLabels, Gauge>,
    oldest_capture: Family<ScopeLabels, Seconds>,
}

impl ScopeGauges {
    fn look_at(&mut self, node: &Node, scope: Scope) -> Result<()> {
        let set = |family: &Family<ScopeLabels, Gauge>, value: u64| {
            family.get_or_create(&ScopeLabels { scope: scope.name() }).set(value.cast_signed());
        };
        let view = node.records().view(scope)?;
        let totals = view.totals()?;
        set(&self.index, view.state().index);
        set(&self.records, totals.count());
        set(&self.bytes, totals.bytes());
        if let Some(previous) = node.records().previous_view(scope)? {
            set(&self.undo_bytes, previous.totals()?.bytes());
        }
        self.look_at_stored(node, scope.name())
    }

    /// Captures and stored snapshots of a product.
    fn look_at_stored(&mut self, node: &Node, product: &'static str) -> Result<()> {
        let set = |family: &Family<ScopeLabels, Gauge>, value: u64| {
            family.get_or_create(&ScopeLabels { scope: product }).set(value.cast_signed());
        };
        let set_seconds = |family: &Family<ScopeLabels, Seconds>, value: Duration| {
            family.get_or_create(&ScopeLabels { scope: product }).set(value.as_secs_f64());
        };
        let (held, oldest) = node.metrics().held(product);
        set(&self.captures, held as u64);
        set_seconds(&self.oldest_capture, oldest);
        let mut stored = node.snapshots(None)?;
        stored.retain(|snapshot| snapshot.scope.product() == product);
        set(&self.stored, stored.len() as u64);
        set(&self.stored_bytes, stored.iter().map(|snapshot| snapshot.size).sum());
        let newest = stored.iter().map(|snapshot| snapshot.created_at_ms).max();
        let stored_age = newest.map(|at_ms| Duration::from_millis(node.now_ms().saturating_sub(at_ms)));
        let ages = stored_age.into_iter().chain(node.metrics().since_saved(product));
        if let Some(age) = ages.min() {
            set_seconds(&self.last_snapshot, age);
        }
        Ok(())
    }

    fn register(self, registry: &mut Registry) {
        for (name, help, family) in [
            ("state_index", "The state index", self.index),
            ("state_records", "Records of the live state", self.records),
            ("state_bytes", "Their bytes", self.bytes),
            (
                "undo_bytes",
                "Bytes of the state that is kept for undo; absent if there is none",
                self.undo_bytes,
            ),
            ("stored_snapshots", "Snapshots in the catalog", self.stored),
            ("stored_snapshot_bytes", "Bytes of their archives", self.stored_bytes),
            ("captures_held", "Captures that are held for saves under way", self.captures),
        ] {
            registry.register(name, help, family);
        }
        for (name, help, family) in [
            ("last_snapshot_age", "Since the last complete save or stored snapshot", self.last_snapshot),
            (
                "oldest_capture_age",
                "How long the oldest of these captures has been held",
                self.oldest_capture,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, family);
        }
    }
}

fn count(value: u64) -> Gauge {
    let gauge: Gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge
}

fn seconds(value: Duration) -> Seconds {
    let gauge = Seconds::default();
    gauge.set(value.as_secs_f64());
    gauge
}
