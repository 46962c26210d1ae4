//! A collection of a running server, as its clients see it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use qdrant_client::Qdrant;
use qdrant_client::qdrant::{PointStruct, UpsertPointsBuilder};
use serde_json::{Value, json};

use super::data::{self, INDEXES, Size};
use super::engine::LIMIT;
use crate::http::Connection;
use crate::server::Server;

/// The dialects that a server has to serve for this.
pub(crate) const DIALECTS: [&str; 2] = ["qdrant", "qdrant-grpc"];

/// Clients that send points at once.
pub(crate) const CLIENTS: usize = 4;

/// Building an index over a large collection takes its time.
const GREEN_WITHIN: Duration = Duration::from_secs(3 * 3600);

/// How often to look whether something has come about.
const LOOK_EVERY: Duration = Duration::from_millis(5);

const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A collection, reached over one connection that stays open.
pub(crate) struct Collection {
    pub(crate) size: Size,
    name: String,
    rest: Connection,
}

impl Collection {
    /// Makes it, with its payload indexes and no points.
    pub(crate) fn create(
        server: &Server,
        name: &str,
        size: Size,
        indexed: bool,
    ) -> anyhow::Result<Collection> {
        let mut collection = Collection::open(server, name, size)?;
        let settings = data::settings(size, indexed);
        collection.ask("PUT", "", &settings)?;
        for (field, kind) in INDEXES {
            let index = json!({"field_name": field, "field_schema": kind});
            collection.ask("PUT", "/index?wait=true", &index)?;
        }
        Ok(collection)
    }

    /// The one that is there.
    pub(crate) fn open(server: &Server, name: &str, size: Size) -> anyhow::Result<Collection> {
        Ok(Collection { size, name: name.to_owned(), rest: Connection::open(server.address("qdrant")?)? })
    }

    /// Asks for something below the collection; the `result` of the answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.rest.ask(method, &format!("/collections/{}{path}", self.name), &body)?;
        let mut answer: Value = serde_json::from_slice(&answer).context("an answer is JSON")?;
        Ok(answer["result"].take())
    }

    /// Fills it over gRPC: four clients, each with one request under way that waits until its points can be read.
    pub(crate) fn ingest(&mut self, server: &Server) -> anyhow::Result<Duration> {
        let took = ingest(server.address("qdrant-grpc")?, &self.name, self.size)?;
        ensure!(self.count()? == self.size.points, "points are missing after they were acknowledged");
        Ok(took)
    }

    /// Points that it holds.
    pub(crate) fn count(&mut self) -> anyhow::Result<u64> {
        let count = self.ask("POST", "/points/count", &json!({"exact": true}))?;
        count["count"].as_u64().context("a count")
    }

    /// Lets the index be built, as a server does unless told otherwise.
    pub(crate) fn index(&mut self) -> anyhow::Result<()> {
        self.ask("PATCH", "", &json!({"optimizers_config": {"indexing_threshold": 10_000}})).map(drop)
    }

    /// Waits until nothing is left to optimise.
    pub(crate) fn wait_until_green(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut status = Value::Null;
        while began.elapsed() < GREEN_WITHIN {
            status = self.ask("GET", "", &Value::Null)?["status"].take();
            if status == "green" {
                return Ok(());
            }
            ensure!(status != "red", "the collection failed");
            thread::sleep(LOOK_EVERY);
        }
        anyhow::bail!("the collection is still {status}")
    }

    /// How long each of the searches `first..end` took.
    pub(crate) fn search(&mut self, first: u64, end: u64) -> anyhow::Result<Vec<Duration>> {
        let mut took = Vec::new();
        let path = format!("/collections/{}/points/query", self.name);
        for id in first..end {
            let body = json!({"query": data::vector(id, self.size.dims), "limit": LIMIT}).to_string();
            let began = Instant::now();
            self.rest.ask("POST", &path, &body)?;
            took.push(began.elapsed());
        }
        Ok(took)
    }

    /// A writer that replaces one of some points at a time, over a connection of its own.
    pub(crate) fn writer(
        server: &Server,
        name: &str,
        size: Size,
    ) -> anyhow::Result<impl FnMut(u32) -> anyhow::Result<()> + use<>> {
        let mut rest = Connection::open(server.address("qdrant")?)?;
        let path = format!("/collections/{name}/points?wait=true");
        let ids = 0..size.points.min(WRITTEN);
        let bodies: Vec<_> =
            ids.map(|id| json!({"points": [data::json(id, size.dims)]}).to_string()).collect();
        Ok(move |number| rest.ask("PUT", &path, &bodies[number as usize % bodies.len()]).map(drop))
    }

    /// Drops it, with its points.
    pub(crate) fn delete(mut self) -> anyhow::Result<()> {
        self.ask("DELETE", "", &Value::Null).map(drop)
    }
}

/// Points that a paced writer replaces again and again.
const WRITTEN: u64 = 1000;

/// From the start of a process on `data_dir` until it says that all points are there.
pub(crate) fn restart(
    binary: &Path,
    data_dir: &Path,
    name: &str,
    size: Size,
) -> anyhow::Result<(Server, Duration)> {
    let began = Instant::now();
    let server = Server::start(binary, data_dir, &DIALECTS)?;
    let mut counted = None;
    while began.elapsed() < ANSWER_WITHIN {
        counted = Collection::open(&server, name, size)?.count().ok();
        if counted == Some(size.points) {
            return Ok((server, began.elapsed()));
        }
        thread::sleep(LOOK_EVERY);
    }
    anyhow::bail!("{counted:?} points after a restart")
}

/// How long writers were held for `reason` on average, as the server's own metrics tell; nothing, if they never were.
pub(crate) fn mean_hold(server: &Server, reason: &str) -> anyhow::Result<Option<Duration>> {
    let text = Connection::open(server.address("native")?)?.ask("GET", "/metrics", "")?;
    let text = String::from_utf8(text)?;
    let label = format!("reason=\"{reason}\"");
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.split_once("} "));
        let (_, value) = lines.find(|(labels, _)| labels.contains(&label))?;
        value.parse::<f64>().ok()
    };
    let holds = value("stillpoint_writer_hold_seconds_count").filter(|holds| *holds > 0.0);
    let held = value("stillpoint_writer_hold_seconds_sum");
    Ok(holds.zip(held).map(|(holds, held)| Duration::from_secs_f64(held / holds)))
}

/// The path that a URL of a file needs.
pub(crate) fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = fs::canonicalize(path).with_context(|| format!("look for {}", path.display()))?;
    path.into_os_string().into_string().ok().context("a path that is text")
}

fn ingest(grpc: SocketAddr, name: &str, size: Size) -> anyhow::Result<Duration> {
    let message = |ids: std::ops::Range<u64>| ids.map(|id| data::message(id, size.dims)).collect();
    let batches: Arc<Vec<Vec<PointStruct>>> = Arc::new(data::batches(size).map(message).collect());
    let next = Arc::new(AtomicUsize::new(0));
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let client = Qdrant::from_url(&format!("http://{grpc}")).skip_compatibility_check();
            let client = client.timeout(ANSWER_WITHIN).build()?;
            client.health_check().await?;
            clients.push(client);
        }
        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for client in clients {
            let (batches, next, name) = (Arc::clone(&batches), Arc::clone(&next), name.to_owned());
            tasks.spawn(async move {
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    client.upsert_points(UpsertPointsBuilder::new(&name, batch.clone()).wait(true)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(began.elapsed())
    })
}
