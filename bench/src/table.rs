//! Figures become the Markdown table that README quotes.

use std::time::Duration;

use crate::measure::{CLIENTS, Figures, Memory, Writers};
use crate::server::Peak;
use crate::writers::Latencies;

const HEAD: &str = "| | Stillpoint | beside it, in the same run | ratio | target |\n|---|---|---|---|---|\n";

/// A row: what, ours, what it stands beside, the ratio, the target.
pub(crate) type Row = [String; 5];

/// The table.
pub(crate) fn table(rows: Vec<Row>) -> String {
    rows.into_iter().fold(HEAD.to_owned(), |table, row| table + "| " + &row.join(" | ") + " |\n")
}

impl Figures {
    /// Its rows. Ratios are medians of each run's own ratio.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let parts = [
            (self.saves.is_empty(), self.snapshots()),
            (self.memory.is_empty(), self.memory()),
            (self.writes.is_empty(), self.writes()),
            (self.writers.is_empty(), self.writers()),
        ];
        parts.into_iter().filter(|(is_empty, _)| !is_empty).flat_map(|(_, rows)| rows).collect()
    }

    fn snapshots(&self) -> Vec<Row> {
        let megabytes = self.archive.state_bytes as f64 / 1e6;
        let speed = |times: &dyn Fn() -> Vec<Duration>| {
            let took = median(times().iter().map(Duration::as_secs_f64));
            format!("{took:.2} s, {:.0} MB/s", megabytes / took)
        };
        let saves = &self.saves;
        let restores = &self.restores;
        let save_ratio = median(saves.iter().map(|pair| share(pair.bare, pair.server.took)));
        let restore_ratio = median(restores.iter().map(|pair| share(pair.bare, pair.server)));
        let first_byte = median(saves.iter().map(|pair| pair.server.first_byte.as_secs_f64() * 1e3));
        let state = format!(
            "{} keys, {megabytes:.0} MB of state, {:.0} MB of archive",
            self.archive.keys,
            self.archive.archive_bytes as f64 / 1e6
        );
        vec![
            [
                format!("save over loopback ({state})"),
                speed(&|| saves.iter().map(|pair| pair.server.took).collect()),
                format!("scan, hash, gzip: {}", speed(&|| saves.iter().map(|pair| pair.bare).collect())),
                percent(save_ratio),
                "≥ 85 %".into(),
            ],
            ["first byte of a save".into(), format!("{first_byte:.1} ms"), dash(), dash(), "≤ 50 ms".into()],
            [
                "restore over loopback, until it is live and durable".into(),
                speed(&|| restores.iter().map(|pair| pair.server).collect()),
                format!(
                    "hash, gunzip, decode, ingest: {}",
                    speed(&|| restores.iter().map(|pair| pair.bare).collect())
                ),
                percent(restore_ratio),
                "≥ 85 %".into(),
            ],
        ]
    }

    fn memory(&self) -> Vec<Row> {
        let row = |what: &str, memory: &Memory, peak: Peak| {
            [
                format!("memory over idle while {what} {} MB", memory.state_bytes / 1_000_000),
                format!("{:.0} MiB", peak.over_idle_mib()),
                format!("idle, caches full: {:.0} MiB", peak.idle_mib()),
                dash(),
                "≤ 64 MiB".into(),
            ]
        };
        let rows =
            |memory| [row("saving", memory, memory.saving), row("restoring", memory, memory.restoring)];
        self.memory.iter().flat_map(rows).collect()
    }

    fn writes(&self) -> Vec<Row> {
        let runs = &self.writes;
        let one = median(runs.iter().map(|run| run.one_client));
        let many = median(runs.iter().map(|run| run.many_clients));
        let redb_one = median(runs.iter().map(|run| run.redb_one));
        let redb_many = median(runs.iter().map(|run| run.redb_many));
        let file_one = median(runs.iter().map(|run| run.file_one));
        vec![
            [
                "durable writes, 1 client".into(),
                format!("{one:.0}/s"),
                format!("redb alone: {redb_one:.0}/s; write and fdatasync: {file_one:.0}/s"),
                percent(median(runs.iter().map(|run| run.one_client / run.redb_one))),
                dash(),
            ],
            [
                format!("durable writes, {CLIENTS} clients"),
                format!("{many:.0}/s"),
                format!("redb alone, {CLIENTS} at a time: {redb_many:.0}/s"),
                percent(median(runs.iter().map(|run| run.many_clients / run.redb_many))),
                dash(),
            ],
        ]
    }

    fn writers(&self) -> Vec<Row> {
        let row = |what: &str, of: &dyn Fn(&Writers) -> &Latencies, name: &str, quantile: f64| {
            let busy = median(self.writers.iter().map(|run| of(run).quantile_ms(quantile)));
            let idle = median(self.writers.iter().map(|run| run.idle.quantile_ms(quantile)));
            let ratios =
                self.writers.iter().map(|run| of(run).quantile_ms(quantile) / run.idle.quantile_ms(quantile));
            [
                format!("{name} of a write while {what} (100 a second)"),
                format!("{busy:.2} ms"),
                format!("idle: {idle:.2} ms"),
                format!("{:.1} ×", median(ratios)),
                "≤ 2 ×".into(),
            ]
        };
        let rows = |what: &str, of: &dyn Fn(&Writers) -> &Latencies| {
            [row(what, of, "p50", 0.50), row(what, of, "p99", 0.99)]
        };
        [rows("saving", &|run| &run.saving), rows("restoring", &|run| &run.restoring)].concat()
    }
}

/// How much of the bare speed the server reaches.
pub(crate) fn share(bare: Duration, server: Duration) -> f64 {
    bare.as_secs_f64() / server.as_secs_f64()
}

/// As a row shows it.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// What stands where nothing does.
pub(crate) fn dash() -> String {
    "–".to_owned()
}

/// The median, or the mean of the two in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median([4.0, 1.0, 3.0].into_iter()), 3.0);
        assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), 2.5);
    }
}
