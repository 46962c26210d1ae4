//! Other datacenters: whole requests are passed on to the address that the settings name, and answers back,
//! without holding either.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::IntoResponse;
use node::Kind;

use super::App;
use super::params::{Query, WAIT_MAX, token};
use super::reply::{Failure, Reply};

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long the other side may be silent: longer than the longest blocking query with its jitter.
const SILENCE_MAX: Duration = WAIT_MAX.saturating_add(Duration::from_secs(60));

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");

/// A request that carries this was passed on already. Another step would be a circle of datacenters.
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

/// Passes requests on.
#[derive(Clone)]
pub(super) struct Forwarder {
    client: reqwest::Client,
}

/// Answers a request for another datacenter with that one's answer; others go to their handler.
pub(super) async fn elsewhere(State(app): State<App>, request: Request, next: Next) -> Reply {
    let query = request.extensions().get::<Query>().cloned().unwrap_or_default();
    let settings = app.node.settings();
    let datacenter = match query.filled("datacenter").or(query.filled("dc")) {
        Some(name) if name != settings.datacenter => name,
        _ => return Ok(next.run(request).await),
    };
    let known = settings.datacenters.get(datacenter);
    let base = known.filter(|_| !request.headers().contains_key(FORWARDED));
    let base = base.ok_or_else(|| Failure::genuine(Kind::NotFound, "No path to datacenter"))?;
    app.forwarder.forward(base, query, request).await
}

impl Forwarder {
    pub(super) fn new(outgoing: tls::ClientConfig) -> Forwarder {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            // A redirect would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_backend_preconfigured(outgoing)
            .build();
        Forwarder { client: client.expect("with TLS ready and no proxies nothing is left that could fail") }
    }

    async fn forward(&self, base: &str, query: Query, request: Request) -> Reply {
        let (parts, body) = request.into_parts();
        let mut headers = passed_on(&parts.headers);
        if let Some(token) = token(&query, &parts.headers) {
            // Not in the URL, which the other side may log.
            let token = HeaderValue::from_str(token).map_err(|_| Failure::invalid("Invalid token"))?;
            headers.remove(AUTHORIZATION);
            headers.insert(TOKEN, token);
        }
        headers.insert(FORWARDED, HeaderValue::from_static("1"));
        let mut sent = self.client.request(parts.method, target(base, &parts.uri, query)).headers(headers);
        if body.size_hint().exact() != Some(0) {
            sent = sent.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let answer = sent.send().await.map_err(|error| unreachable(base, &error))?;
        let (status, headers) = (answer.status(), passed_on(answer.headers()));
        // An answer that breaks off breaks ours off.
        Ok((status, headers, Body::from_stream(answer.bytes_stream())).into_response())
    }
}

/// The request's place in the other datacenter. The datacenter's name stays in it, so that whoever answers
/// there by mistake refuses.
fn target(base: &str, uri: &Uri, query: Query) -> String {
    format!("{}{}?{}", base.trim_end_matches('/'), uri.path(), query.without("token").encode())
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    HOP_BY_HOP.iter().for_each(|name| drop(headers.remove(name)));
    headers
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
}
