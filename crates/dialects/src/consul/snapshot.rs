//! Save and restore: `GET` and `PUT /v1/snapshot`.
//!
//! Follows `hashicorp/consul:agent/snapshot_endpoint.go`.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use archive::consul;
use archive::gzip::Level;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::TryStreamExt;
use node::{Consistency, Error, Kind, Origin, RestoreRequest};
use records::Scope;

use super::App;
use super::access::Caller;
use super::lingering::Lingering;
use super::params::Query;
use super::reply::{Failure, Reply, read_headers, warn};

pub(super) async fn save(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
) -> Reply {
    let consistency = if query.has("stale") { Consistency::Stale } else { Consistency::Linearizable };
    if consistency == Consistency::Linearizable {
        // Whether the token is still good is for the leader to say.
        app.node.confirm_leader().await?;
    }
    caller.now().await?.snapshot()?;
    let capture = app.node.capture(Scope::Consul, consistency).await?;
    let mut headers = read_headers(capture.index(), capture.freshness());
    // What Go makes of the first bytes.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-gzip"));
    warn(&mut headers, capture.warnings());
    Ok((headers, Body::from_stream(capture.stream(Level::Fast))).into_response())
}

pub(super) async fn restore(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = Lingering::new(body);
    app.node.confirm_leader().await?;
    caller.now().await?.snapshot()?;
    if query.has("stale") {
        return Err(Failure::genuine(Kind::Invalid, "stale not allowed for restore"));
    }
    let upload = Upload::of(&headers)?;
    let request = RestoreRequest {
        unknown_records: query.has("allow-unknown-records"),
        caller: Some(caller.secret()),
        ..RestoreRequest::of(Scope::Consul)
    };
    let outcome = app.node.restore(request, Origin::Body(upload.follow(body))).await;
    let restored = outcome.map_err(|error| upload.refuse(error))?;
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    warn(&mut headers, &restored.warnings);
    Ok(headers.into_response())
}

/// An archive on its way in, and what was seen of it.
struct Upload {
    is_form: bool,
    /// Whether there was any of the bytes that `curl -d @file` strips.
    has_stripped: Arc<AtomicBool>,
}

impl Upload {
    /// Refuses bodies that wrap the archive into something else.
    fn of(headers: &HeaderMap) -> Result<Upload, Failure> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("multipart/form-data") {
            return Err(Failure::invalid(
                "a form is no archive: send the bytes alone, with curl --data-binary @file",
            ));
        }
        // This is also how the genuine documentation's `curl --data-binary` names an archive.
        let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        Ok(Upload { is_form, has_stripped: Arc::default() })
    }

    /// The body as the node takes it in.
    fn follow(&self, body: Lingering) -> node::Body {
        let has_stripped = Arc::clone(&self.has_stripped);
        let look = move |chunk: &Bytes| {
            if !has_stripped.load(Ordering::Relaxed) {
                let found = chunk.iter().any(|byte| matches!(byte, b'\0' | b'\n' | b'\r'));
                has_stripped.store(found, Ordering::Relaxed);
            }
        };
        Box::pin(body.inspect_ok(look).map_err(Into::into))
    }

    /// A refusal in the words of the genuine server where it would refuse too, else in ours.
    fn refuse(&self, error: Error) -> Failure {
        let is_mangled = self.is_form && !self.has_stripped.load(Ordering::Relaxed);
        if error.kind() == Kind::Corrupt && is_mangled {
            return Failure::invalid(
                "the archive lost bytes on its way, as `curl -d @file` does it: send it with curl --data-binary @file",
            );
        }
        if let Some(unknown @ records::Error::UnknownKind { .. }) = error.cause() {
            let text = format!("{unknown}; ?allow-unknown-records restores such records as they are");
            return Failure::genuine(error.kind(), text);
        }
        match error.cause::<consul::Error>() {
            Some(consul::Error::Archive(damage)) => Failure::genuine(error.kind(), damage.genuine_text()),
            Some(refusal) => Failure::genuine(error.kind(), with_causes(refusal)),
            None => error.into(),
        }
    }
}

/// An error and what led to it, in one line.
fn with_causes(error: &consul::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text.push_str(&format!(": {deeper}"));
        cause = deeper.source();
    }
    text
}
