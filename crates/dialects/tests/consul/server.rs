//! A node in a directory of its own, asked without a socket.

use std::path::PathBuf;
use std::sync::Arc;

use archive::consul::{AclPolicy, AclToken, Link, Record, Records};
use archive::hashicorp::Reader;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use node::{AccessSettings, Node, Parts, Settings};
use records::consul::acl::{self, DefaultPolicy, ManagementToken};
use records::{Op, Reply, Scope, consul};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

/// A running node of one, and who asks it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) routes: Router,
    /// The token that requests bear unless they bear another one.
    token: Option<String>,
    _dir: Arc<TempDir>,
}

/// Whether a server controls who may do what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Access {
    Open,
    /// What no rule allows is forbidden, and requests bear a management token that is in the state.
    Guarded,
}

/// The secret of the management token of guarded servers.
pub(crate) const MANAGEMENT: &str = "00000001-0000-4000-8000-000000000001";

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
        let routes = dialects::consul::routes(node.clone(), no_tls());
        Server { routes, node, token: None, _dir: Arc::new(dir) }
    }

    pub(crate) async fn accessed(access: Access) -> Server {
        match access {
            Access::Open => Server::start().await,
            Access::Guarded => Server::guarded(|_| {}).await,
        }
    }

    /// A server that controls who may do what.
    pub(crate) async fn guarded(set: impl FnOnce(&mut AccessSettings)) -> Server {
        let server = Server::with(|settings| {
            settings.access.enabled = true;
            settings.access.default_policy = DefaultPolicy::Deny;
            set(&mut settings.access);
        })
        .await;
        let management = ManagementToken { accessor: random(), secret: MANAGEMENT.into() };
        let reply = server.acl(acl::Command::Initialize { management: Some(management) }).await;
        assert_eq!(reply, acl::Reply::Done);
        server.bearing(MANAGEMENT)
    }

    /// A server that controls who may do what, and where nobody may do anything yet.
    pub(crate) async fn unbootstrapped() -> Server {
        Server::initialized(None).await
    }

    /// A server that controls who may do what, with a management token that it made sure of itself.
    pub(crate) async fn initialized(management: Option<&str>) -> Server {
        let server = Server::with(|settings| {
            settings.access.enabled = true;
            settings.access.default_policy = DefaultPolicy::Deny;
            settings.access.initial_management = management.map(Into::into);
        })
        .await;
        let mut changes = server.node.watch(Scope::Consul);
        let view = || server.node.records().view(Scope::Consul).unwrap();
        while !acl::is_initialized(&view(), management).unwrap() {
            changes.changed().await.unwrap();
        }
        match management {
            Some(secret) => server.bearing(secret),
            None => server,
        }
    }

    /// The same server, asked with this token.
    pub(crate) fn bearing(&self, secret: &str) -> Server {
        Server { token: Some(secret.to_owned()), ..self.clone() }
    }

    /// The secret of the token that requests bear.
    pub(crate) fn secret(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// The same server, asked without a token.
    pub(crate) fn anonymous(&self) -> Server {
        Server { token: None, ..self.clone() }
    }

    /// The same server, asked with a token that has these rules.
    pub(crate) async fn ruled(&self, rules: &str) -> Server {
        let (policy, accessor, secret) = (random(), random(), random());
        let name = format!("policy-{policy}");
        let rules = AclPolicy { id: policy.clone(), name, rules: rules.into(), ..AclPolicy::default() };
        let reply = self.acl(acl::Command::CreatePolicy(Box::new(rules))).await;
        assert!(matches!(reply, acl::Reply::Policy(_)), "{reply:?}");
        let token = AclToken {
            accessor_id: accessor,
            secret_id: secret.clone(),
            policies: Some(vec![Link { id: policy, name: String::new() }]),
            ..AclToken::default()
        };
        let reply = self.acl(acl::Command::CreateToken(Box::new(token))).await;
        assert!(matches!(reply, acl::Reply::Token(_)), "{reply:?}");
        self.bearing(&secret)
    }

    /// Changes tokens, policies or roles.
    pub(crate) async fn acl(&self, command: acl::Command) -> acl::Reply {
        match self.node.change(Op::Consul(consul::Command::Acl(command))).await.unwrap() {
            Reply::Consul(consul::Reply::Acl(reply)) => reply,
            other => panic!("not an answer to an ACL command: {other:?}"),
        }
    }

    /// The paths that it serves.
    pub(crate) fn served_paths(&self) -> Vec<String> {
        dialects::consul::served_paths(self.node.clone(), no_tls())
    }

    /// What it holds.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.node.records().view(Scope::Consul).unwrap().digest().unwrap()
    }

    /// Sends a request, such as `PUT /v1/kv/a`, and waits for the head of the answer.
    pub(crate) async fn ask(&self, request: &str, body: impl Into<Body>) -> Response {
        self.ask_with(request, &[], body).await
    }

    pub(crate) async fn ask_with(
        &self,
        request: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Response {
        let (method, uri) = request.split_once(' ').unwrap();
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = self.token.as_ref().filter(|_| !headers.iter().any(|(name, _)| *name == TOKEN)) {
            request = request.header(TOKEN, token);
        }
        self.routes.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn send(&self, request: &str, body: impl Into<Body>) -> Answer {
        Answer::of(self.ask(request, body).await).await
    }

    pub(crate) async fn send_with(
        &self,
        request: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        Answer::of(self.ask_with(request, headers, body).await).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(&format!("GET {uri}"), Body::empty()).await
    }

    /// Sets a key.
    pub(crate) async fn put(&self, key: &str, value: &str) {
        let answer = self.send(&format!("PUT /v1/kv/{key}"), value.to_owned()).await;
        assert_eq!(answer.text(), "true");
    }

    /// The value of a key, if there is one.
    pub(crate) async fn value(&self, key: &str) -> Option<String> {
        let answer = self.get(&format!("/v1/kv/{key}?raw")).await;
        (answer.status == StatusCode::OK).then(|| answer.text().to_owned())
    }

    /// The archive of the whole state.
    pub(crate) async fn save(&self) -> Vec<u8> {
        let answer = self.get("/v1/snapshot").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.body
    }

    /// Restores an archive.
    pub(crate) async fn restore(&self, archive: Vec<u8>) -> Answer {
        self.send("PUT /v1/snapshot", archive).await
    }
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Answer {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The state index it was read at.
    #[track_caller]
    pub(crate) fn index(&self) -> u64 {
        self.header("x-consul-index").parse().unwrap()
    }

    /// Checks that it is a refusal for want of a right.
    #[track_caller]
    pub(crate) fn check_denied(&self) {
        assert_eq!(self.status, StatusCode::FORBIDDEN, "{}", self.text());
        assert!(self.text().starts_with("Permission denied: "), "{}", self.text());
    }

    /// Checks status and body.
    #[track_caller]
    pub(crate) fn check(&self, status: u16, body: &str) {
        assert_eq!((self.status.as_u16(), self.text()), (status, body));
    }
}

const TOKEN: &str = "x-consul-token";

fn random() -> String {
    Uuid::new_v4().to_string()
}

/// For servers that speak to no other over TLS.
fn no_tls() -> dialects::Outgoing {
    let config = tls::client_config(&tls::Trust::Nobody, None).unwrap();
    tokio::sync::watch::Sender::new(config.into()).subscribe()
}

/// Every record of an archive, which is verified on the way.
pub(crate) fn records_of(archive: &[u8]) -> Vec<Record> {
    let mut reader = Reader::new(archive);
    let records = Records::new(&mut reader).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    reader.finish().unwrap();
    records
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
    Some(std::fs::read(dir.join(name)).unwrap())
}
