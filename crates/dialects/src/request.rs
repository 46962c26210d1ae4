//! A request as logs and metrics know it: its id, what it asks for, how its answer ended.
//!
//! One layer around the routes of every dialect. It reads the head of a request and counts the bytes of both
//! bodies; it never looks into them, and nothing of the query reaches a log line, for tokens stand there.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use node::{Kind, Node, OperationLabels};
use tracing::{Instrument, Span};
use uuid::Uuid;

/// Names a request, in logs and towards its client.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a client.
const ID_BYTES_MAX: usize = 128;

/// What is shown of a path.
const PATH_BYTES_MAX: usize = 1024;

/// Below it clients put the secrets of tokens, as the first ACL system had it and by mistake since
/// (`hashicorp/consul:agent/http.go`, `aclEndpointRE`).
const ACL: &str = "/v1/acl/";

/// Operations of which each one is told; of others only those who ask for it hear (level debug).
const TOLD: [&str; 6] = ["save", "restore", "undo", "create", "upload", "download"];

/// The outcome of a request whose client left, or whose answer broke off.
const CUT: &str = "cut";

/// How a request went, among the extensions of its answer; absent if it went well.
#[derive(Clone, Copy)]
pub(crate) struct Failed(pub(crate) Kind);

/// What a dialect calls a request: one of a few words, whatever clients send.
pub type Operation = fn(&Method, &Uri) -> &'static str;

/// A dialect on one node, as its requests are told and counted.
#[derive(Clone)]
struct Face {
    node: Node,
    dialect: &'static str,
    operation: Operation,
}

/// Routes whose every request has an id, a span and a line in the log, and is counted.
pub fn observed(node: &Node, dialect: &'static str, operation: Operation, routes: Router) -> Router {
    routes.layer(from_fn_with_state(Face { node: node.clone(), dialect, operation }, pass))
}

async fn pass(State(face): State<Face>, mut request: Request, next: Next) -> Response {
    let id = id_of(request.headers());
    // Other datacenters are asked under the same id.
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut ongoing = Ongoing::begin(face, &id, &request);
    let received = Arc::clone(&ongoing.received);
    let request = request.map(|body| Body::new(Incoming { body, received }));
    let mut response = next.run(request).instrument(ongoing.span.clone()).await;
    response.headers_mut().insert(REQUEST_ID, id);
    ongoing.answer(&response);
    let declared = declared_bytes(response.headers());
    response.map(|body| Body::new(Outgoing::new(body, declared, ongoing)))
}

/// The client's own id if it can stand in a log, else a new one.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let mut given = headers.get_all(REQUEST_ID).iter();
    if let (Some(id), None) = (given.next(), given.next())
        && (1..=ID_BYTES_MAX).contains(&id.len())
        && id.as_bytes().iter().all(u8::is_ascii_graphic)
    {
        return id.clone();
    }
    HeaderValue::try_from(Uuid::now_v7().to_string()).expect("a UUID is plain text")
}

/// A path as a log line may show it.
fn shown(path: &str) -> Cow<'_, str> {
    let secret = path.strip_prefix(ACL).and_then(|rest| rest.split_once('/'));
    match secret {
        Some((verb, hidden)) if !hidden.is_empty() => Cow::Owned(format!("{ACL}{verb}/<hidden>")),
        _ if path.len() > PATH_BYTES_MAX => {
            Cow::Owned(format!("{}…", &path[..path.floor_char_boundary(PATH_BYTES_MAX)]))
        }
        _ => Cow::Borrowed(path),
    }
}

/// A request from its head to the end of its answer. Dropping it tells and counts it, however it ended.
struct Ongoing {
    face: Face,
    operation: &'static str,
    began: Instant,
    span: Span,
    received: Arc<AtomicU64>,
    sent: u64,
    status: Option<StatusCode>,
    outcome: &'static str,
    is_complete: bool,
}

impl Ongoing {
    fn begin(face: Face, id: &HeaderValue, request: &Request) -> Ongoing {
        let id = id.to_str().unwrap_or_default();
        let path = shown(request.uri().path());
        // Of the highest level: whatever lines are asked for, they say whose they are.
        let span = tracing::error_span!(
            "request", id, dialect = face.dialect, method = %request.method(), %path,
        );
        Ongoing {
            operation: (face.operation)(request.method(), request.uri()),
            face,
            began: Instant::now(),
            span,
            received: Arc::default(),
            sent: 0,
            status: None,
            outcome: CUT,
            is_complete: false,
        }
    }

    fn answer(&mut self, response: &Response) {
        let failed = response.extensions().get::<Failed>().map(|failed| failed.0);
        self.status = Some(response.status());
        self.outcome = failed.or_else(|| kind_of(response.status())).map_or("ok", Kind::name);
    }
}

/// What a status says that no handler of ours explained.
fn kind_of(status: StatusCode) -> Option<Kind> {
    match status.as_u16() {
        ..=399 => None,
        401 | 403 => Some(Kind::Denied),
        404 => Some(Kind::NotFound),
        409 => Some(Kind::Conflict),
        413 => Some(Kind::TooLarge),
        400..=499 => Some(Kind::Invalid),
        501 => Some(Kind::Unsupported),
        // Another datacenter's: our own failures carry their kind.
        _ => Some(Kind::Unavailable),
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        let outcome = if self.is_complete { self.outcome } else { CUT };
        let (elapsed, sent) = (self.began.elapsed(), self.sent);
        let received = self.received.load(Ordering::Relaxed);
        let labels = OperationLabels { dialect: self.face.dialect, operation: self.operation, outcome };
        self.face.node.metrics().record(labels, elapsed, received, sent);
        let (operation, status) = (self.operation, self.status.map(|status| status.as_u16()));
        let duration_ms = elapsed.as_secs_f64() * 1000.0;
        let _entered = self.span.enter();
        if TOLD.contains(&operation) {
            tracing::info!(operation, outcome, status, duration_ms, received, sent, "request finished");
        } else {
            tracing::debug!(operation, outcome, status, duration_ms, received, sent, "request finished");
        }
    }
}

/// The body of a request, counted.
struct Incoming {
    body: Body,
    received: Arc<AtomicU64>,
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.received.fetch_add(data_bytes(frame), Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer: the request ends with it.
struct Outgoing {
    body: Body,
    /// As the answer's head has it: nobody reads further than that.
    declared: Option<u64>,
    ongoing: Ongoing,
}

impl Outgoing {
    fn new(body: Body, declared: Option<u64>, mut ongoing: Ongoing) -> Outgoing {
        ongoing.is_complete = body.is_end_stream();
        Outgoing { body, declared, ongoing }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let polled = {
            let _entered = this.ongoing.span.enter();
            Pin::new(&mut this.body).poll_frame(context)
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.ongoing.sent += data_bytes(frame);
                this.ongoing.is_complete =
                    this.body.is_end_stream() || this.declared.is_some_and(|all| this.ongoing.sent >= all);
            }
            Poll::Ready(None) => this.ongoing.is_complete = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn data_bytes(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

/// The length that the head of an answer announces.
fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(ids: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for id in ids {
            headers.append(REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap());
        }
        id_of(&headers).to_str().unwrap().to_owned()
    }

    #[test]
    fn an_id_is_taken_only_if_it_can_stand_in_a_log() {
        assert_eq!(given(&["req-7/a=b"]), "req-7/a=b");
        let (longest, too_long) = ("a".repeat(ID_BYTES_MAX), "a".repeat(ID_BYTES_MAX + 1));
        assert_eq!(given(&[&longest]), longest);
        let bad: [&[&str]; 7] = [&[], &[""], &["a b"], &["é"], &["a\tb"], &[&too_long], &["a", "b"]];
        for ids in bad {
            let id: Uuid = given(ids).parse().unwrap();
            assert_eq!(id.get_version_num(), 7, "{ids:?}");
        }
    }

    #[test]
    fn paths_are_shown_without_the_secrets_that_the_first_acl_system_put_there() {
        assert_eq!(shown("/v1/acl/info/7f3a-secret"), "/v1/acl/info/<hidden>");
        assert_eq!(shown("/v1/acl/token/7f3a-secret/clone"), "/v1/acl/token/<hidden>");
        for plain in ["/v1/acl/tokens", "/v1/acl/info/", "/v1/kv/a/b"] {
            assert_eq!(shown(plain), plain);
        }
        assert_eq!(shown(&"é".repeat(PATH_BYTES_MAX)).chars().count(), PATH_BYTES_MAX / 2 + 1);
    }
}
