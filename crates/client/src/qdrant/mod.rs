//! Qdrant's snapshot API, of a genuine server or of ours.
//!
//! * `…/snapshots`, below `/collections/{name}`, `/collections/{name}/shards/{id}` or nothing -- [`Client::list`],
//!   [`Client::create`], [`Client::download`], [`Client::delete`]
//! * `GET …/snapshot` of a shard -- [`Client::stream`]
//! * `POST …/snapshots/upload` of a collection or shard -- [`Client::restore`]

mod scope;

use reqwest::header::HeaderName;
use reqwest::{Method, RequestBuilder};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

pub use scope::{Scope, ScopeError};

use crate::http::{ANSWER_MAX, Http, SILENCE_MAX, TRANSFER_MAX};
use crate::{Address, Capture, Digest, Download, Error, Kind, Refusal, Tls, Token, Upload};

/// The port of Qdrant's REST API, with and without TLS.
pub const DEFAULT_PORT: u16 = 6333;

/// The environment variable that holds the key, as the genuine clients' examples call it.
pub const API_KEY: &str = "QDRANT_API_KEY";

/// A client of one server, for one scope.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    scope: Scope,
}

/// A snapshot that a server stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// When it was made, in UTC; some servers don't know.
    #[serde(default)]
    pub creation_time: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hex; some servers don't know.
    #[serde(default)]
    pub checksum: Option<String>,
}

/// What all answers are wrapped in.
#[derive(Deserialize)]
struct Envelope<T> {
    result: T,
}

impl Client {
    /// Nothing is sent yet. The key goes into the header `api-key`.
    pub fn new(address: Address, tls: &Tls, key: Option<&Token>, scope: Scope) -> Result<Client, Error> {
        let credential = key.map(|key| (HeaderName::from_static("api-key"), key.header()));
        Ok(Client { http: Http::new(address, tls, credential, refusal)?, scope })
    }

    /// Whom this client asks.
    pub fn address(&self) -> &Address {
        self.http.address()
    }

    /// What it asks about.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The stored snapshots, in the server's order.
    pub async fn list(&self) -> Result<Vec<Snapshot>, Error> {
        self.ask(self.request(Method::GET, &["snapshots"], &[]).timeout(ANSWER_MAX)).await
    }

    /// Has the server make a snapshot, and waits until it has.
    pub async fn create(&self) -> Result<Snapshot, Error> {
        let request = self.request(Method::POST, &["snapshots"], &[("wait", Some("true"))]);
        self.ask(request.timeout(TRANSFER_MAX)).await
    }

    /// Asks for the bytes of a stored snapshot. If the server knows their checksum, they must have it.
    pub async fn download(&self, snapshot: &Snapshot) -> Result<Download, Error> {
        let digest = snapshot.checksum.as_deref().map(Digest::of_sha256);
        self.fetch(&["snapshots", &snapshot.name], digest).await
    }

    /// Asks for an archive of a shard that the server makes while it sends it. It has no checksum, and no length.
    pub async fn stream(&self) -> Result<Download, Error> {
        self.fetch(&["snapshot"], None).await
    }

    /// Removes a stored snapshot.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let request = self.request(Method::DELETE, &["snapshots", name], &[("wait", Some("true"))]);
        self.ask::<IgnoredAny>(request.timeout(ANSWER_MAX)).await?;
        Ok(())
    }

    /// Replaces the points of a collection or a shard by the archive's, on all replicas; a collection that is not
    /// there is made. `sha256` is the archive's, in hex: the server checks it. An error other than
    /// [`Error::Refused`] leaves unknown what the server's state is.
    ///
    /// A genuine server keeps what is uploaded, so it is removed again.
    pub async fn restore(&self, archive: Upload, sha256: &str) -> Result<(), Error> {
        let query = [("wait", Some("true")), ("priority", Some("snapshot")), ("checksum", Some(sha256))];
        let request = self.request(Method::POST, &["snapshots", "upload"], &query);
        let name = format!("upload-{}.snapshot", Uuid::new_v4());
        let restored: Result<bool, Error> = self.ask(archive.attach_form(request, &name)).await;
        if matches!(self.scope, Scope::Collection(_)) && !matches!(restored, Err(Error::Unreachable { .. })) {
            // It may not be there, or not be ours to delete: what counts is what became of the restore.
            let _ = self.delete(&name).await;
        }
        match restored? {
            true => Ok(()),
            false => Err(self.http.foreign("it says neither that it restored nor why not".into())),
        }
    }

    /// How many points there are now; `None` if there is no such collection or shard.
    pub async fn points(&self) -> Result<Option<u64>, Error> {
        let counted = match &self.scope {
            Scope::Storage => self.points_of_all().await.map(Some),
            Scope::Collection(name) => self.points_of(name).await.map(Some),
            Scope::Shard(name, id) => self.points_of_shard(name, *id).await,
        };
        match counted {
            Err(Error::Refused(refusal)) if refusal.kind == Kind::NotFound => Ok(None),
            counted => counted,
        }
    }

    async fn points_of_all(&self) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Collections {
            collections: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let found: Collections = self.ask(self.get(&["collections"])).await?;
        let mut points = 0;
        for Named { name } in found.collections {
            points += self.points_of(&name).await?;
        }
        Ok(points)
    }

    async fn points_of(&self, collection: &str) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Counted {
            count: u64,
        }
        let request = self.http.request(Method::POST, &["collections", collection, "points", "count"], &[]);
        let counted: Counted = self.ask(request.json(&json!({"exact": true})).timeout(ANSWER_MAX)).await?;
        Ok(counted.count)
    }

    async fn points_of_shard(&self, collection: &str, id: u32) -> Result<Option<u64>, Error> {
        #[derive(Deserialize)]
        struct Shards {
            local_shards: Vec<Shard>,
        }
        #[derive(Deserialize)]
        struct Shard {
            shard_id: u32,
            points_count: u64,
        }
        let found: Shards = self.ask(self.get(&["collections", collection, "cluster"])).await?;
        let shard = found.local_shards.into_iter().find(|shard| shard.shard_id == id);
        Ok(shard.map(|shard| shard.points_count))
    }

    fn get(&self, segments: &[&str]) -> RequestBuilder {
        self.http.request(Method::GET, segments, &[]).timeout(ANSWER_MAX)
    }

    /// A request about the scope.
    fn request(&self, method: Method, below: &[&str], query: &[(&str, Option<&str>)]) -> RequestBuilder {
        let id;
        let mut segments = match &self.scope {
            Scope::Storage => Vec::new(),
            Scope::Collection(name) => vec!["collections", name.as_str()],
            Scope::Shard(name, shard) => {
                id = shard.to_string();
                vec!["collections", name.as_str(), "shards", &id]
            }
        };
        segments.extend_from_slice(below);
        self.http.request(method, &segments, query)
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        self.http.json::<Envelope<T>>(request).await.map(|envelope| envelope.result)
    }

    async fn fetch(&self, below: &[&str], digest: Option<Digest>) -> Result<Download, Error> {
        let request = self.request(Method::GET, below, &[]).timeout(TRANSFER_MAX);
        let response = timeout(SILENCE_MAX, self.http.send(request))
            .await
            .map_err(|_| Error::Stalled { received: 0, waited: SILENCE_MAX })??;
        Ok(Download::new(response, Capture { digest, ..Capture::default() }))
    }
}

/// An error is a sentence in an envelope; keys are refused in plain text.
fn refusal(status: u16, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct Envelope {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        error: String,
    }
    let message = match serde_json::from_slice(body) {
        Ok(Envelope { status }) => status.error,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let kind = match status {
        // A checksum that is another one is a bad request to genuine servers; a rule that is broken is not damage.
        400 if message.to_ascii_lowercase().contains("checksum mismatch") => Kind::Corrupt,
        422 => Kind::Invalid,
        507 => Kind::Unavailable,
        _ => Kind::of_status(status),
    };
    Refusal { status, kind, message, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(scope: &str) -> Client {
        let address = Address::parse("h:1", DEFAULT_PORT).unwrap();
        Client::new(address, &Tls::default(), None, scope.parse().unwrap()).unwrap()
    }

    #[test]
    fn each_scope_has_its_place_and_names_stay_in_theirs() {
        let table = [
            ("qdrant", "http://h:1/snapshots?wait=true"),
            ("qdrant/a b?", "http://h:1/collections/a%20b%3F/snapshots?wait=true"),
            ("qdrant/é/3", "http://h:1/collections/%C3%A9/shards/3/snapshots?wait=true"),
        ];
        for (scope, url) in table {
            let request = client(scope).request(Method::POST, &["snapshots"], &[("wait", Some("true"))]);
            assert_eq!(request.build().unwrap().url().as_str(), url);
        }
    }

    #[test]
    fn errors_are_told_in_the_servers_words() {
        let body = br#"{"status":{"error":"Not found: shard 99 not found"},"time":0.1}"#;
        let found = refusal(404, body);
        assert_eq!((found.kind, found.message.as_str()), (Kind::NotFound, "Not found: shard 99 not found"));
        let found = refusal(401, b"Invalid API key or JWT");
        assert_eq!((found.kind, found.message.as_str()), (Kind::Denied, "Invalid API key or JWT"));
        let body = br#"{"status":{"error":"Checksum mismatch: expected a, actual b"},"time":0.1}"#;
        assert_eq!(refusal(400, body).kind, Kind::Corrupt);
        assert_eq!(refusal(422, b"").kind, Kind::Invalid);
    }
}
