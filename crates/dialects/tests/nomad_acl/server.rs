//! A node in a directory of its own, asked without a socket.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use node::{Node, Parts, Settings};
use records::Scope;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

/// The secret of the first token of guarded servers.
pub(crate) const MANAGEMENT: &str = "5ec2e700-0000-4000-8000-000000000001";

/// A running node of one, and who asks it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) node: Node,
    routes: Router,
    token: Option<String>,
    dir: Arc<TempDir>,
}

/// An answer, complete.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Whoever asks bears no token.
    pub(crate) async fn with(nomad_access: bool) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { nomad_access, ..Settings::new(dir.path()) };
        let node = Node::open(settings, Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        let routes = dialects::nomad::routes(node.clone(), no_tls());
        Server { node, routes, token: None, dir: Arc::new(dir) }
    }

    /// Controls who may do what; whoever asks may do everything.
    pub(crate) async fn guarded() -> Server {
        let server = Server::with(true).await;
        let wish = format!(r#"{{"BootstrapSecret":"{MANAGEMENT}"}}"#);
        server.send("POST /v1/acl/bootstrap", wish).await.check(200, "Bootstrap Token");
        server.bearing(MANAGEMENT)
    }

    /// The same server, asked with this token.
    pub(crate) fn bearing(&self, secret: &str) -> Server {
        Server { token: Some(secret.to_owned()), ..self.clone() }
    }

    /// The same server, asked without a token.
    pub(crate) fn anonymous(&self) -> Server {
        Server { token: None, ..self.clone() }
    }

    /// The same server, asked with a token that has these rules in a policy of this name.
    pub(crate) async fn ruled(&self, name: &str, rules: &str) -> Server {
        let policy = serde_json::json!({ "Name": name, "Rules": rules }).to_string();
        self.send(&format!("PUT /v1/acl/policy/{name}"), policy).await.check(200, "");
        let token = serde_json::json!({ "Type": "client", "Policies": [name] }).to_string();
        let token = self.send("PUT /v1/acl/token", token).await.json();
        self.bearing(token["SecretID"].as_str().unwrap())
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// The paths that it serves.
    pub(crate) fn served_paths(&self) -> Vec<String> {
        dialects::nomad::served_paths(self.node.clone(), no_tls())
    }

    /// What it holds.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.node.records().view(Scope::Nomad).unwrap().digest().unwrap()
    }

    /// Sends a request, such as `GET /v1/acl/tokens`, and waits for the whole answer.
    pub(crate) async fn send(&self, request: &str, body: impl Into<Body>) -> Answer {
        let (method, uri) = request.split_once(' ').unwrap();
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(uri);
        if let Some(token) = &self.token {
            request = request.header("x-nomad-token", token);
        }
        let response = self.routes.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        Answer { status, headers, body }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(&format!("GET {uri}"), Body::empty()).await
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// An answer with this status that contains this text.
    #[track_caller]
    pub(crate) fn check(&self, status: u16, part: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.text().contains(part), "{}", self.text());
    }

    /// A refusal with exactly this text.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, text: &str) {
        assert_eq!((self.status.as_u16(), self.text().as_str()), (status, text));
    }
}

/// For servers that speak to no other over TLS.
fn no_tls() -> dialects::Outgoing {
    let config = tls::client_config(&tls::Trust::Nobody, None).unwrap();
    tokio::sync::watch::Sender::new(config.into()).subscribe()
}
