//! A node in a directory of its own: its REST API without a socket and, for archives that it fetches itself, with one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use dialects::qdrant::{Keys, Setup};
use dialects::{FetchPolicy, Fetcher};
use http_body_util::BodyExt;
use node::{Node, Parts, Settings};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tower::ServiceExt;

/// Where the native API is said to be.
pub(crate) const NATIVE: &str = "http://127.0.0.1:7400";

/// A running node of one.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) address: SocketAddr,
    routes: Router,
    dir: Arc<TempDir>,
}

/// An answer, complete.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(Keys::default(), Some(FetchPolicy { loopback: true, ..FetchPolicy::default() })).await
    }

    /// One that fetches what the policy allows, if there is one.
    pub(crate) async fn with(keys: Keys, policy: Option<FetchPolicy>) -> Server {
        let dir = TempDir::new().unwrap();
        let node = Node::open(Settings::new(dir.path()), Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        node.initialize().await.unwrap();
        let fetcher = policy.map(|policy| Fetcher::new(policy, no_tls()));
        let setup = Setup { keys, native_url: Some(NATIVE.to_owned()), fetcher };
        let routes = dialects::qdrant::router(node.clone(), setup);
        let address = serve(routes.clone()).await;
        Server { node, address, routes, dir: Arc::new(dir) }
    }

    /// Makes the collection `name`, whose points have a vector of four numbers, and puts ten points into it.
    pub(crate) async fn fill(&self, name: &str, shards: u32) {
        let body = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": shards});
        self.ok(&format!("PUT /collections/{name}"), body).await;
        self.fill_again(name).await;
    }

    /// Puts the ten points into it once more.
    pub(crate) async fn fill_again(&self, name: &str) {
        let point = |id: u32| json!({"id": id, "vector": [id, 1, 2, 3], "payload": {"number": id}});
        let points: Vec<Value> = (1..=10).map(point).collect();
        self.ok(&format!("PUT /collections/{name}/points?wait=true"), json!({"points": points})).await;
    }

    pub(crate) async fn count(&self, name: &str) -> u64 {
        let body = json!({"exact": true});
        self.ok(&format!("POST /collections/{name}/points/count"), body).await["count"].as_u64().unwrap()
    }

    /// Where something is on this server, for itself to fetch.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where stored snapshots lie as files.
    pub(crate) fn snapshots_dir(&self) -> PathBuf {
        self.dir.path().join("snapshots")
    }

    /// Bytes under the directory of blobs, finished or not.
    pub(crate) fn blobs(&self) -> Vec<PathBuf> {
        files(&self.dir.path().join("blobs"))
    }

    /// Sends a body as it is, with headers.
    pub(crate) async fn send(
        &self,
        request: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let (method, uri) = request.split_once(' ').unwrap();
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) async fn json(&self, request: &str, body: Value) -> Answer {
        self.send(request, &[("content-type", "application/json")], body.to_string()).await
    }

    /// The answer to a request without a body.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        self.send(request, &[], Body::empty()).await
    }

    /// The result of a request that succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, request: &str, body: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.json(request, body).await;
            assert_eq!(answer.status, 200, "{request} at {place}: {}", answer.string());
            answer.value()["result"].clone()
        }
    }

    /// The result of a `GET` that succeeds.
    pub(crate) async fn read(&self, uri: &str) -> Value {
        self.ok(&format!("GET {uri}"), Value::Null).await
    }

    /// Sends a request that is refused, with this status and sentence.
    #[track_caller]
    pub(crate) fn refused(
        &self,
        request: &str,
        body: Value,
        status: u16,
        sentence: &str,
    ) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.json(request, body).await;
            assert_eq!(
                (answer.status, answer.error()),
                (status, sentence.to_owned()),
                "{request} at {place}"
            );
        }
    }

    /// The names in a list of snapshots.
    pub(crate) async fn names(&self, uri: &str) -> Vec<String> {
        let list = self.read(uri).await;
        list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }

    /// A stored snapshot, made and fetched: its description and its bytes.
    pub(crate) async fn snapshot(&self, list: &str) -> (Value, Vec<u8>) {
        let made = self.ok(&format!("POST {list}"), Value::Null).await;
        let answer = self.ask(&format!("GET {list}/{}", made["name"].as_str().unwrap())).await;
        assert_eq!(answer.status, 200, "{}", answer.string());
        (made, answer.body)
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn string(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.string()))
    }

    /// The sentence in the envelope.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        let value = self.value();
        assert!(value["time"].is_f64(), "{value}");
        assert_eq!(value.as_object().unwrap().len(), 2, "{value}");
        value["status"]["error"].as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
    }

    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Serves routes on a port of their own.
pub(crate) async fn serve(routes: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// A server of one file, at whatever path.
pub(crate) async fn serve_file(bytes: Vec<u8>) -> SocketAddr {
    serve(Router::new().fallback(async move || (StatusCode::OK, bytes.clone()))).await
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file that a genuine server made, if the fixtures are at hand.
pub(crate) fn genuine(name: &str) -> Option<Vec<u8>> {
    let beside = || {
        Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"))
            .filter(|path| path.exists())
    };
    let Some(dir) = std::env::var_os("STILLPOINT_FIXTURES").map(PathBuf::from).or_else(beside) else {
        eprintln!("skipped: no genuine fixtures");
        return None;
    };
    Some(std::fs::read(dir.join("qdrant").join(name)).unwrap())
}

fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn no_tls() -> dialects::Outgoing {
    let config = tls::client_config(&tls::Trust::Nobody, None).unwrap();
    tokio::sync::watch::Sender::new(config.into()).subscribe()
}
