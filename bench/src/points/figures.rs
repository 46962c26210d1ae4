//! Figures about points become rows.

use std::time::Duration;

use super::data::{BATCH, Size};
use super::life::{Ingest, Life};
use super::peak::Peak;
use super::served::CLIENTS;
use super::snapshots::{Run, Snapshots};
use crate::table::{Row, dash, median, percent, share};
use crate::writers::Latencies;

/// What a genuine server, 1.18.3, took on two such cores; seconds to create and to recover.
const GENUINE: [(Size, f64, f64); 3] = [
    (Size { points: 100_000, dims: 128 }, 0.36, 0.43),
    (Size { points: 500_000, dims: 128 }, 0.98, 1.04),
    (Size { points: 100_000, dims: 768 }, 0.87, 0.89),
];

impl Life {
    /// Its rows.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let size = self.size;
        let speed = |of: &dyn Fn(&Ingest) -> Duration| {
            let took = median(self.ingests.iter().map(|run| of(run).as_secs_f64()));
            format!("{:.0} points/s", size.points as f64 / took)
        };
        let ratio = |bare: &dyn Fn(&Ingest) -> Duration, of: &dyn Fn(&Ingest) -> Duration| {
            percent(median(self.ingests.iter().map(|run| share(bare(run), of(run)))))
        };
        let beside = format!(
            "engine and a synced append to a file: {}; to redb: {} ({})",
            speed(&|run| run.file),
            speed(&|run| run.redb),
            ratio(&|run| run.redb, &|run| run.served),
        );
        let what = format!(
            "points taken over gRPC ({size}, payload, two indexes, {CLIENTS} clients, {BATCH} at a time, `wait=true`)"
        );
        let mib = |kib: u64| kib as f64 / 1024.0;
        let memory = &self.memory;
        vec![
            [
                what,
                speed(&|run| run.served),
                beside,
                ratio(&|run| run.file, &|run| run.served),
                "≥ 70 %".into(),
            ],
            [
                "the same while their graph is being built".into(),
                speed(&|run| run.served_indexing),
                "as above, without".into(),
                ratio(&|run| run.file, &|run| run.served_indexing),
                dash(),
            ],
            [
                format!("memory after that (idle before: {:.0} MiB)", mib(memory.idle_kib)),
                format!(
                    "{:.0} MiB, {:.0} anonymous",
                    mib(memory.served.all_kib),
                    mib(memory.served.anonymous_kib)
                ),
                format!(
                    "engine: {:.0} MiB, {:.0} anonymous",
                    mib(memory.bare.all_kib),
                    mib(memory.bare.anonymous_kib)
                ),
                times(memory.served.all_kib as f64 / memory.bare.all_kib as f64),
                "≤ 1.3 ×".into(),
            ],
            self.search("p50", 0.50, "≤ 1 ms more"),
            self.search("p99", 0.99, "–"),
            restart("right after they came in", &self.restarts),
            restart("once they are indexed", &self.restarts_indexed),
        ]
    }

    fn search(&self, name: &str, quantile: f64, target: &str) -> Row {
        let (served, bare) = (self.searches.quantile_ms(quantile), self.bare_searches.quantile_ms(quantile));
        [
            format!("{name} of a search over REST, one client"),
            format!("{served:.2} ms"),
            format!("engine: {bare:.2} ms"),
            format!("{:+.2} ms", served - bare),
            target.into(),
        ]
    }
}

fn restart(when: &str, took: &[Duration]) -> Row {
    let took = median(took.iter().map(Duration::as_secs_f64));
    [
        format!("from a start after `kill -9` {when} to the count of all points"),
        format!("{took:.2} s"),
        dash(),
        dash(),
        "≤ 2 s".into(),
    ]
}

impl Snapshots {
    /// Its rows.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let graph = if self.indexed { "" } else { ", no graph" };
        let of = format!("{}{graph}, {:.0} MB on the disk", self.size, self.megabytes());
        let genuine = GENUINE.iter().find(|(size, ..)| *size == self.size);
        let half = |seconds: Option<f64>| match seconds {
            Some(seconds) => {
                format!("≤ {:.2} s, half of what a genuine server was seen to take", seconds / 2.0)
            }
            None => dash(),
        };
        let copied = format!("copy, SHA-256, sync: {}", self.speed(&|run| run.copy));
        let row = |what: String, took: &dyn Fn(&Run) -> Duration, target: String| {
            let ratio = median(self.runs.iter().map(|run| share(run.copy, took(run))));
            [what, self.speed(took), copied.clone(), percent(ratio), target]
        };
        let create = genuine.map(|(_, create, _)| *create);
        let recover = genuine.map(|(_, _, recover)| *recover);
        let hold = |what: &str, hold: Option<Duration>| {
            let held = hold.map_or_else(dash, |hold| format!("{:.1} ms", hold.as_secs_f64() * 1e3));
            [format!("writers are held for {what}, mean"), held, dash(), dash(), dash()]
        };
        let mut rows = vec![
            row(
                format!("create a snapshot of a collection ({of})"),
                &|run| run.create,
                format!("≥ 80 %; {}", half(create)),
            ),
            row("verify it".into(), &|run| run.verify, dash()),
            row("recover it, until the collection is green".into(), &|run| run.recover, half(recover)),
            hold("a snapshot", self.hold_creating),
            hold("a restore", self.hold_recovering),
            self.upsert("p50", 0.50),
            self.upsert("p99", 0.99),
        ];
        rows.extend(self.peak("creating", self.creating, 1.0));
        rows.extend(self.peak("recovering", self.recovering, 2.0));
        rows
    }

    fn speed(&self, took: &dyn Fn(&Run) -> Duration) -> String {
        let took = median(self.runs.iter().map(|run| took(run).as_secs_f64()));
        format!("{took:.2} s, {:.0} MB/s", self.megabytes() / took)
    }

    fn upsert(&self, name: &str, quantile: f64) -> Row {
        let ms = |latencies: &Latencies| latencies.quantile_ms(quantile);
        let (busy, idle) = (ms(&self.upserts_creating), ms(&self.upserts_idle));
        [
            format!("{name} of an upsert while snapshots are created (100 a second)"),
            format!("{busy:.2} ms"),
            format!("idle: {idle:.2} ms"),
            times(busy / idle),
            "≤ 2 ×".into(),
        ]
    }

    fn peak(&self, doing: &str, peak: Peak, disk_max: f64) -> [Row; 2] {
        let memory = format!("{:.0} MiB", peak.anonymous_kib as f64 / 1024.0);
        let disk = peak.disk_bytes as f64 / 1e6;
        [
            [format!("anonymous memory over idle while {doing}"), memory, dash(), dash(), "≤ 64 MiB".into()],
            [
                format!("room on the disk while {doing}, over that before"),
                format!("{disk:.0} MB"),
                format!("the collection: {:.0} MB", self.megabytes()),
                times(disk / self.megabytes()),
                format!("≤ {disk_max:.0} ×"),
            ],
        ]
    }

    fn megabytes(&self) -> f64 {
        self.allocated as f64 / 1e6
    }
}

fn times(ratio: f64) -> String {
    format!("{ratio:.1} ×")
}
