//! A node in a directory of its own, asked without a socket.

use std::path::PathBuf;
use std::sync::Arc;

use archive::hashicorp::Reader;
use archive::state::{Product, Record, Records};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use node::{Node, Parts, Settings};
use tempfile::TempDir;
use tower::ServiceExt;

/// A running node of one.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) nomad: Router,
    pub(crate) consul: Router,
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
        Server::with(|_| {}).await
    }

    pub(crate) async fn with(set: impl FnOnce(&mut Settings)) -> Server {
        let dir = TempDir::new().unwrap();
        let mut settings = Settings::new(dir.path());
        set(&mut settings);
        let node = Node::open(settings, Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        node.initialize().await.unwrap();
        let nomad = dialects::nomad::routes(node.clone(), no_tls());
        let consul = dialects::consul::routes(node.clone(), no_tls());
        Server { node, nomad, consul, _dir: Arc::new(dir) }
    }

    /// Asks Nomad's API, such as `GET /v1/namespaces`, and waits for the whole answer.
    pub(crate) async fn send(&self, request: &str, body: impl Into<Body>) -> Answer {
        ask(&self.nomad, request, body).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(&format!("GET {uri}"), Body::empty()).await
    }

    /// Asks Consul's API.
    pub(crate) async fn send_consul(&self, request: &str, body: impl Into<Body>) -> Answer {
        ask(&self.consul, request, body).await
    }

    /// Sets a namespace.
    pub(crate) async fn put(&self, name: &str, description: &str) -> Answer {
        let body = format!(r#"{{"Name":"{name}","Description":"{description}"}}"#);
        let answer = self.send("PUT /v1/namespace", body).await;
        answer.check(200, "");
        answer
    }

    /// The archive of the whole state.
    pub(crate) async fn save(&self) -> Vec<u8> {
        let answer = self.get("/v1/operator/snapshot").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.body
    }

    /// Restores an archive.
    pub(crate) async fn restore(&self, archive: Vec<u8>) -> Answer {
        self.send("PUT /v1/operator/snapshot", archive).await
    }
}

async fn ask(routes: &Router, request: &str, body: impl Into<Body>) -> Answer {
    let (method, uri) = request.split_once(' ').unwrap();
    let request = Request::builder().method(method.parse::<Method>().unwrap()).uri(uri);
    let response = routes.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

impl Answer {
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The state index of the answer.
    #[track_caller]
    pub(crate) fn index(&self) -> u64 {
        self.header("x-nomad-index").parse().unwrap()
    }

    /// Checks status and body.
    #[track_caller]
    pub(crate) fn check(&self, status: u16, body: &str) {
        assert_eq!((self.status.as_u16(), self.text()), (status, body));
    }
}

/// For servers that speak to no other over TLS.
pub(crate) fn no_tls() -> dialects::Outgoing {
    let config = tls::client_config(&tls::Trust::Nobody, None).unwrap();
    tokio::sync::watch::Sender::new(config.into()).subscribe()
}

/// Every record of an archive of Nomad's, which is verified on the way.
pub(crate) fn records_of(archive: &[u8]) -> Vec<Record> {
    let mut reader = Reader::new(archive);
    let records = Records::new(&mut reader).unwrap().expect(Product::Nomad).unwrap();
    let records = records.collect::<Result<Vec<_>, _>>().unwrap();
    reader.finish().unwrap();
    records
}

/// An archive that genuine code made.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../archive/tests/fixtures/nomad");
    std::fs::read(dir.join(name)).unwrap()
}
