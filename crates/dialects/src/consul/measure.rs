//! Which operations are counted, and how long they took.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use node::{Kind, Node, OperationLabels};

use super::params::Query;

const DIALECT: &str = "consul";

/// How a request went, among the extensions of its answer; absent if it went well.
#[derive(Clone, Copy)]
pub(super) struct Failed(pub(super) Kind);

/// What a request is counted as. Saves and restores are counted by their handlers, because they go on after
/// the head of the answer; of a blocking query the duration says nothing.
pub(super) fn operation(request: &Request) -> Option<&'static str> {
    let waits = || Query::parse(request.uri().query()?).map(|query| query.has("index"));
    match (request.uri().path(), request.method()) {
        ("/v1/snapshot", _) => None,
        (_, &Method::GET) if waits() == Some(true) => None,
        (_, &Method::GET) => Some("read"),
        (_, &Method::PUT | &Method::DELETE) => Some("write"),
        _ => None,
    }
}

/// Counts a request that was answered.
pub(super) fn answered(node: &Node, operation: &'static str, began: Instant, response: &Response) {
    let failed = response.extensions().get::<Failed>().map(|failed| failed.0);
    record(node, operation, began, failed, 0);
}

/// Counts an operation that has ended, and that failed if there is a kind of failure.
pub(super) fn record(node: &Node, operation: &'static str, began: Instant, failed: Option<Kind>, bytes: u64) {
    let outcome = failed.map_or("ok", Kind::name);
    node.metrics().record(OperationLabels { dialect: DIALECT, operation, outcome }, began.elapsed(), bytes);
}

/// An archive on its way to a client, counted when it ends, however it ends.
pub(super) struct Saving<S> {
    archive: Pin<Box<S>>,
    node: Node,
    began: Instant,
    bytes: u64,
    /// Until the end has come: the client left.
    failed: Option<Kind>,
}

impl<S> Saving<S> {
    pub(super) fn new(archive: S, node: Node, began: Instant) -> Saving<S> {
        Saving { archive: Box::pin(archive), node, began, bytes: 0, failed: Some(Kind::Unavailable) }
    }
}

impl<S: Stream<Item = std::io::Result<Bytes>>> Stream for Saving<S> {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.archive.as_mut().poll_next(context);
        match &next {
            Poll::Ready(Some(Ok(chunk))) => self.bytes += chunk.len() as u64,
            Poll::Ready(Some(Err(_))) => self.failed = Some(Kind::Internal),
            Poll::Ready(None) => self.failed = None,
            Poll::Pending => {}
        }
        next
    }
}

impl<S> Drop for Saving<S> {
    fn drop(&mut self) {
        record(&self.node, "save", self.began, self.failed, self.bytes);
    }
}
