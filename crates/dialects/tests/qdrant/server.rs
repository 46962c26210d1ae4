//! A node in a directory of its own, asked without a socket.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use dialects::qdrant::Keys;
use http_body_util::BodyExt;
use node::{Node, Parts, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

/// A running node of one.
#[derive(Clone)]
pub(crate) struct Server {
    qdrant: Router,
    _dir: Arc<TempDir>,
}

/// An answer, complete.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(Keys::default()).await
    }

    pub(crate) async fn with(keys: Keys) -> Server {
        let dir = TempDir::new().unwrap();
        let node = Node::open(Settings::new(dir.path()), Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        node.initialize().await.unwrap();
        let qdrant = dialects::qdrant::router(node, keys);
        Server { qdrant, _dir: Arc::new(dir) }
    }

    /// A server with the collection `c` of vectors of four numbers, compared by their product, in two shards.
    pub(crate) async fn with_collection() -> Server {
        let server = Server::start().await;
        let body = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 2});
        server.ok("PUT /collections/c", body).await;
        server
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
        let response = self.qdrant.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends text that says it is JSON.
    pub(crate) async fn text(&self, request: &str, body: &str) -> Answer {
        self.send(request, &[("content-type", "application/json")], body.to_owned()).await
    }

    pub(crate) async fn json(&self, request: &str, body: Value) -> Answer {
        self.text(request, &body.to_string()).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(&format!("GET {uri}"), &[], Body::empty()).await
    }

    /// The result of a request that succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, request: &str, body: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.json(request, body).await;
            assert_eq!(answer.status, StatusCode::OK, "{request} at {place}: {}", answer.string());
            answer.result()
        }
    }

    /// The result of a `GET` that succeeds.
    pub(crate) async fn read(&self, uri: &str) -> Value {
        let answer = self.get(uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.string());
        answer.result()
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
            assert_eq!((answer.status.as_u16(), answer.error()), (status, sentence.to_owned()), "at {place}");
        }
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn string(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.string()))
    }

    /// The result in the envelope.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let value = self.value();
        assert_eq!(value["status"], "ok", "{value}");
        assert!(value["time"].is_f64(), "{value}");
        assert_eq!(value.as_object().unwrap().len(), 3, "{value}");
        value["result"].clone()
    }

    /// The sentence in the envelope.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        let value = self.value();
        assert!(value["time"].is_f64(), "{value}");
        assert_eq!(value.as_object().unwrap().len(), 2, "{value}");
        value["status"]["error"].as_str().unwrap().to_owned()
    }

    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
