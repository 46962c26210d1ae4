//! Stillpoint's own API, as `docs/api.md` describes it.

mod types;

use reqwest::{Method, RequestBuilder, Response, header};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

pub use types::{
    ArchiveState, CollectionState, Count, Health, LiveState, Member, Node, Plan, PointsPlan, PointsState,
    Previous, Problem, Progress, Restored, Scope, Snapshot, Status, Task, TaskState, Totals, TypeTotals,
    Undone,
};

use crate::http::{ANSWER_MAX, Http, SILENCE_MAX, TRANSFER_MAX};
use crate::{Address, Capture, Digest, Download, Error, Kind, Refusal, Tls, Token, Upload};

/// The native API's port.
pub const DEFAULT_PORT: u16 = 7400;

/// How long an operation may take that moves no archive but changes state.
const CHANGE_MAX: std::time::Duration = std::time::Duration::from_secs(600);

/// A client of one node.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
}

impl Client {
    /// Nothing is sent yet. Without a token only [`Client::health`] will be answered.
    pub fn new(address: Address, tls: &Tls, token: Option<&Token>) -> Result<Client, Error> {
        let bearer = token.map(Token::bearer).transpose()?;
        let credential = bearer.map(|value| (header::AUTHORIZATION, value));
        Ok(Client { http: Http::new(address, tls, credential, refusal)? })
    }

    /// Whom this client asks.
    pub fn address(&self) -> &Address {
        self.http.address()
    }

    /// Whether the node can serve reads and writes. A node that says no is an answer, not an error.
    pub async fn health(&self) -> Result<Health, Error> {
        let request = self.http.request(Method::GET, &["health"], &[]).timeout(ANSWER_MAX);
        match self.http.json(request).await {
            Err(Error::Refused(refusal)) if refusal.status == 503 => {
                Ok(Health { status: "unavailable".into(), reason: Some(refusal.message) })
            }
            answer => answer,
        }
    }

    /// The node, its group and its scopes.
    pub async fn status(&self) -> Result<Status, Error> {
        self.get(&["v1", "status"]).await
    }

    /// What a scope holds, and what an undo of it would bring back.
    pub async fn scope(&self, scope: &str) -> Result<Scope, Error> {
        self.get(&["v1", "scopes", scope]).await
    }

    /// Asks for an archive of a scope. With `stale` any node may answer from what it has. `level` is that of
    /// the compression, 1 (fast) or 6 (small), or the server's choice. Points know neither.
    pub async fn save(&self, scope: &str, stale: bool, level: Option<u8>) -> Result<Download, Error> {
        let level = level.map(|level| level.to_string());
        let mut query: Vec<(&str, Option<&str>)> = Vec::new();
        query.extend(stale.then_some(("stale", None)));
        query.extend(level.as_deref().map(|level| ("level", Some(level))));
        self.fetch(self.http.request(Method::GET, &["v1", "scopes", scope, "archive"], &query)).await
    }

    /// Has the server read an archive of records and say what restoring it would do. Nothing is changed.
    pub async fn plan(&self, scope: &str, archive: Upload, options: &RestoreOptions) -> Result<Plan, Error> {
        self.dry_run(scope, archive, options).await
    }

    /// The same for an archive of points.
    pub async fn plan_points(
        &self,
        scope: &str,
        archive: Upload,
        options: &RestoreOptions,
    ) -> Result<PointsPlan, Error> {
        self.dry_run(scope, archive, options).await
    }

    async fn dry_run<T: serde::de::DeserializeOwned>(
        &self,
        scope: &str,
        archive: Upload,
        options: &RestoreOptions,
    ) -> Result<T, Error> {
        let mut query = options.query();
        query.push(("dry_run", Some("true")));
        let request = self.http.request(Method::PUT, &["v1", "scopes", scope, "archive"], &query);
        self.http.json(archive.attach(request)).await
    }

    /// Replaces a scope's state by the archive's. On return it is live and durable; on [`Error::Refused`] of
    /// any kind but `unavailable` the old state is untouched; otherwise the task `id` tells.
    pub async fn restore(
        &self,
        scope: &str,
        archive: Upload,
        options: &RestoreOptions,
        id: Uuid,
    ) -> Result<Restored, Error> {
        let request = self.http.request(Method::PUT, &["v1", "scopes", scope, "archive"], &options.query());
        self.http.json(archive.attach(request).header("stillpoint-task", id.to_string())).await
    }

    /// Makes the previous generation live again. With `image` only if it is still that one.
    pub async fn undo(&self, scope: &str, image: Option<Uuid>) -> Result<Undone, Error> {
        let image = image.map(|image| image.to_string());
        let query: Vec<_> = image.iter().map(|image| ("image", Some(image.as_str()))).collect();
        let request = self.http.request(Method::POST, &["v1", "scopes", scope, "undo"], &query);
        self.http.json(request.timeout(CHANGE_MAX)).await
    }

    /// The stored snapshots of a scope.
    pub async fn snapshots(&self, scope: &str) -> Result<Vec<Snapshot>, Error> {
        self.get(&["v1", "scopes", scope, "snapshots"]).await
    }

    /// Saves into the server's own catalog, under a name of the server's choosing unless one is given.
    pub async fn create(&self, scope: &str, name: Option<&str>) -> Result<Snapshot, Error> {
        let mut request = self.http.request(Method::POST, &["v1", "scopes", scope, "snapshots"], &[]);
        if let Some(name) = name {
            request = request.json(&json!({ "name": name }));
        }
        self.http.json(request.timeout(TRANSFER_MAX)).await
    }

    /// Asks for the bytes of a stored snapshot.
    pub async fn download(&self, scope: &str, name: &str) -> Result<Download, Error> {
        let segments = ["v1", "scopes", scope, "snapshots", name, "archive"];
        self.fetch(self.http.request(Method::GET, &segments, &[])).await
    }

    /// Stores an archive in the catalog. The server verifies it first.
    pub async fn upload(&self, scope: &str, name: &str, archive: Upload) -> Result<Snapshot, Error> {
        let request = self.http.request(Method::PUT, &["v1", "scopes", scope, "snapshots", name], &[]);
        self.http.json(archive.attach(request)).await
    }

    /// Removes a stored snapshot.
    pub async fn delete(&self, scope: &str, name: &str) -> Result<(), Error> {
        self.delete_at(&["v1", "scopes", scope, "snapshots", name]).await
    }

    /// All tasks that the server still remembers.
    pub async fn tasks(&self) -> Result<Vec<Task>, Error> {
        self.get(&["v1", "tasks"]).await
    }

    /// One task.
    pub async fn task(&self, id: Uuid) -> Result<Task, Error> {
        self.get(&["v1", "tasks", &id.to_string()]).await
    }

    /// Cancels a task that has not begun to commit.
    pub async fn cancel(&self, id: Uuid) -> Result<(), Error> {
        self.delete_at(&["v1", "tasks", &id.to_string()]).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, segments: &[&str]) -> Result<T, Error> {
        self.http.json(self.http.request(Method::GET, segments, &[]).timeout(ANSWER_MAX)).await
    }

    async fn delete_at(&self, segments: &[&str]) -> Result<(), Error> {
        let request = self.http.request(Method::DELETE, segments, &[]).timeout(ANSWER_MAX);
        self.http.send(request).await?;
        Ok(())
    }

    async fn fetch(&self, request: RequestBuilder) -> Result<Download, Error> {
        let response = timeout(SILENCE_MAX, self.http.send(request.timeout(TRANSFER_MAX)))
            .await
            .map_err(|_| Error::Stalled { received: 0, waited: SILENCE_MAX })??;
        let capture = capture(&response);
        Ok(Download::new(response, capture))
    }
}

/// How an archive is to be restored. The first two mean something for records, the others for points.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// Keep records of types that the server doesn't know, instead of refusing the archive.
    pub allow_unknown_records: bool,
    /// Take an archive of Nomad's whose variables nobody can ever decrypt, instead of refusing it.
    pub allow_missing_keys: bool,
    /// Of all points: keep collections and aliases that the archive lacks.
    pub keep_others: bool,
    /// What the archive's SHA-256 is, in hex: the server refuses any other.
    pub sha256: Option<String>,
}

impl RestoreOptions {
    fn query(&self) -> Vec<(&'static str, Option<&str>)> {
        let flags = [
            ("allow_unknown_records", self.allow_unknown_records),
            ("allow_missing_keys", self.allow_missing_keys),
            ("keep_others", self.keep_others),
        ];
        let set = flags.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| (name, Some("true")));
        set.chain(self.sha256.iter().map(|hex| ("sha256", Some(hex.as_str())))).collect()
    }
}

fn capture(response: &Response) -> Capture {
    let text = |name: &str| response.headers().get(name)?.to_str().ok();
    let warnings = response.headers().get_all("stillpoint-warning");
    Capture {
        index: text("stillpoint-index").and_then(|text| text.parse().ok()),
        known_leader: text("stillpoint-known-leader").and_then(|text| text.parse().ok()),
        last_contact_ms: text("stillpoint-last-contact-ms").and_then(|text| text.parse().ok()),
        digest: text("stillpoint-sha256").map(Digest::of_sha256),
        warnings: warnings
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect(),
    }
}

/// A native error is a JSON object; whatever else answers is taken by its status and text.
fn refusal(status: u16, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct Envelope {
        error: Problem,
    }
    #[derive(Deserialize)]
    struct Unhealthy {
        reason: String,
    }
    if let Ok(Envelope { error }) = serde_json::from_slice(body) {
        return Refusal { status, kind: error.kind(), message: error.message, hint: error.hint };
    }
    let message = match serde_json::from_slice(body) {
        Ok(Unhealthy { reason }) => reason,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    Refusal { status, kind: Kind::of_status(status), message, hint: None }
}
