//! Metrics in the text form of Prometheus, under the names that dashboards of Qdrant know.
//!
//! Follows `qdrant/qdrant:src/common/metrics.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::answer::{Answer, Outcome};
use super::call::Call;
use super::snapshots::{self, Series};
use crate::qdrant::VERSION;

/// The answers given so far, by method, route and status: their number depends on no client.
#[derive(Default)]
pub(super) struct Responses(Mutex<BTreeMap<(&'static str, &'static str, u16), Counted>>);

#[derive(Clone, Copy, Default)]
struct Counted {
    answers: u64,
    elapsed: Duration,
}

impl Responses {
    pub(super) fn count(
        &self,
        method: &'static str,
        path: &'static str,
        status: StatusCode,
        elapsed: Duration,
    ) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.entry((method, path, status.as_u16())).or_default();
        counted.answers += 1;
        counted.elapsed += elapsed;
    }

    fn all(&self) -> BTreeMap<(&'static str, &'static str, u16), Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) async fn metrics(call: Call) -> Outcome {
    let mut out = Text::default();
    let version = format!("name=\"qdrant\",version=\"{VERSION}\"");
    out.family("app_info", "gauge", "information about qdrant server", [(version, 1.0)]);
    let members = call.app.node.status().members.everyone().len();
    out.single("cluster_enabled", "is cluster support enabled", f64::from(members > 1));
    let names = call.app.node.collections().await?;
    out.single("collections_total", "number of collections", names.len() as f64);
    let mut points = Vec::with_capacity(names.len());
    for name in &names {
        let info = call.app.node.collection(name).await?.info().await?;
        points.push((format!("id=\"{}\"", escaped(name)), info.points_count as f64));
    }
    let series = snapshots::series(&call.app.node, &names, call.app.began_ms)?;
    out.family("collection_points", "gauge", "approximate amount of points per collection", points);
    let snapshots = |value: fn(&Series) -> u64| {
        let row =
            move |(name, one): (&String, &Series)| (format!("id=\"{}\"", escaped(name)), value(one) as f64);
        series.iter().map(row).collect::<Vec<_>>()
    };
    let running = "amount of snapshot creations in progress";
    out.family("snapshot_creation_running", "gauge", running, snapshots(|one| one.creations));
    let running = "amount of snapshot recoveries in progress";
    out.family("snapshot_recovery_running", "gauge", running, snapshots(|one| one.recoveries));
    let made = "total amount of snapshots created";
    out.family("snapshot_created_total", "counter", made, snapshots(|one| one.created));
    let responses = call.app.responses.all();
    let rows = |value: fn(&Counted) -> f64| {
        let row = move |((method, path, status), counted): (&(&str, &str, u16), &Counted)| {
            (format!("method=\"{method}\",endpoint=\"{path}\",status=\"{status}\""), value(counted))
        };
        responses.iter().map(row).collect::<Vec<_>>()
    };
    let total = rows(|counted| counted.answers as f64);
    out.family("rest_responses_total", "counter", "total number of responses", total);
    let seconds = rows(|counted| counted.elapsed.as_secs_f64() / counted.answers.max(1) as f64);
    out.family("rest_responses_avg_duration_seconds", "gauge", "average response duration", seconds);
    let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok(Answer::Whole((kind, out.0).into_response()))
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn single(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help, [(String::new(), value)]);
    }

    /// Values of one name, each with its labels.
    fn family(&mut self, name: &str, kind: &str, help: &str, rows: impl IntoIterator<Item = (String, f64)>) {
        let mut text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in rows {
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            writeln!(text, "{name}{labels} {value}").expect("a String takes every write");
        }
        self.0.push_str(&text);
    }
}

/// A label's value; what would end it is escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
