//! Other datacenters and regions: whole requests are passed on to an address that the settings name, and answers
//! back, without holding either.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CONNECTION, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::IntoResponse;
use node::Kind;
use tls::ClientConfig;
use tokio::sync::watch;

use super::{Failure, Lingering, Query, Reply};

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// After how much silence the kernel asks whether the other machine still lives. A machine that lives may take
/// as long as it likes, as between genuine servers: how long a large archive is worth waiting for is up to
/// whoever asked us, and once they leave, what we asked for them ends too.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How long the other machine may take nothing of what we send.
#[cfg(target_os = "linux")]
const DEAF_MAX: Duration = Duration::from_secs(300);

/// A request that carries this was passed on already. Another step would be a circle.
const FORWARDED: HeaderName = HeaderName::from_static("x-stillpoint-forwarded");

/// These belong to one connection.
const HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    EXPECT,
    HOST,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What connections to other datacenters are made with, as of now: whom to trust, and who we are.
pub type Outgoing = watch::Receiver<Arc<ClientConfig>>;

/// Passes requests on.
#[derive(Clone)]
pub(crate) struct Forwarder {
    connections: Arc<Mutex<Connections>>,
}

/// The pool of connections, and where to hear that new ones need another.
struct Connections {
    outgoing: Outgoing,
    client: reqwest::Client,
}

/// Whether a request comes from a server that passed it on.
pub(crate) fn was_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED)
}

impl Forwarder {
    pub(crate) fn new(mut outgoing: Outgoing) -> Forwarder {
        let client = client(&outgoing.borrow_and_update());
        Forwarder { connections: Arc::new(Mutex::new(Connections { outgoing, client })) }
    }

    /// The client of now. One that was taken before keeps its connections until it is done with them.
    fn client(&self) -> reqwest::Client {
        let mut connections = self.connections.lock().expect("no holder panics");
        let Connections { outgoing, client: current } = &mut *connections;
        if outgoing.has_changed().unwrap_or(false) {
            *current = client(&outgoing.borrow_and_update());
        }
        current.clone()
    }

    /// Asks `base` what this server was asked. A token goes along in a header of the name given.
    pub(crate) async fn forward(
        &self,
        base: &str,
        token: Option<(HeaderName, String)>,
        query: Query,
        request: Request,
    ) -> Reply {
        let (parts, body) = request.into_parts();
        let mut headers = passed_on(&parts.headers);
        if let Some((name, token)) = token {
            // Not in the URL, which the other side may log.
            let token = HeaderValue::from_str(&token).map_err(|_| Failure::invalid("Invalid token"))?;
            headers.remove(AUTHORIZATION);
            headers.insert(name, token);
        }
        headers.insert(FORWARDED, HeaderValue::from_static("1"));
        let mut sent = self.client().request(parts.method, target(base, &parts.uri, query)).headers(headers);
        if body.size_hint().exact() != Some(0) {
            sent = sent.body(reqwest::Body::wrap_stream(Lingering::new(body)));
        }
        let answer = sent.send().await.map_err(|error| unreachable(base, &error))?;
        let (status, headers) = (answer.status(), passed_on(answer.headers()));
        // An answer that breaks off breaks ours off.
        Ok((status, headers, Body::from_stream(answer.bytes_stream())).into_response())
    }
}

fn client(outgoing: &ClientConfig) -> reqwest::Client {
    let building = reqwest::Client::builder()
        .connect_timeout(CONNECT_MAX)
        .tcp_keepalive(KEEPALIVE)
        // A redirect would carry the token elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_backend_preconfigured(outgoing.clone());
    #[cfg(target_os = "linux")]
    let building = building.tcp_user_timeout(DEAF_MAX);
    building.build().expect("with TLS ready and no proxies nothing is left that could fail")
}

/// The request's place in the other datacenter. The datacenter's name stays in it, so that whoever answers
/// there by mistake refuses.
fn target(base: &str, uri: &Uri, query: Query) -> String {
    format!("{}{}?{}", base.trim_end_matches('/'), uri.path(), query.without("token").encode())
}

/// The headers without those that belong to one connection, the ones that it declares so among them.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let declared = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let mut kept = headers.clone();
    declared.flat_map(|names| names.split(',')).for_each(|name| drop(kept.remove(name.trim())));
    HOP_BY_HOP.iter().for_each(|name| drop(kept.remove(name)));
    kept
}

fn unreachable(base: &str, error: &reqwest::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let cause = tls::words(error).unwrap_or_else(|| cause.to_string());
    tracing::warn!(base, %cause, "forward to another datacenter");
    Failure::genuine(Kind::Unavailable, format!("forward to {base}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_keeps_path_and_query_but_never_the_token() {
        let uri = Uri::from_static("/v1/kv/a%2Fb?dc=dc2&token=secret&recurse");
        let query = Query::parse(uri.query().unwrap()).unwrap();
        assert_eq!(target("http://dc2:8500/", &uri, query), "http://dc2:8500/v1/kv/a%2Fb?dc=dc2&recurse=");
    }

    #[test]
    fn what_belongs_to_a_connection_stays_behind() {
        let pairs =
            [("connection", "close, X-Hop"), ("connection", "upgrade"), ("x-hop", "1"), ("upgrade", "h2c")];
        let pairs = pairs.into_iter().chain([("content-length", "3"), ("x-consul-index", "7")]);
        let headers: HeaderMap = pairs
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let kept = passed_on(&headers);
        let names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-length", "x-consul-index"]);
    }
}
