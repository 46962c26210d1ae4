//! Restoring from an archive in a form. It goes to the node as it comes in: nothing is held or stored here.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use node::Origin;
use node::collections::{OtherDigest, PointsRestore};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;
use uuid::Uuid;

use super::recover::{self, Broken, Source};
use super::run::Task;
use super::{Call, checksum, place, priority};
use crate::qdrant::rest::answer::Outcome;
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::snapshots;

/// The part of a form that is the archive.
const PART: &str = "snapshot";

/// Chunks that wait for the node.
const CHUNKS_MAX: usize = 4;

/// What the reader of forms may hold and not hand on, such as the heads of parts.
const HELD_BYTES_MAX: usize = 1 << 20;

pub(super) async fn collection(call: Call) -> Outcome {
    upload(call, async |call| recover::target(call).await).await
}

pub(super) async fn shard(call: Call) -> Outcome {
    upload(call, async |call| Ok(snapshots::scope(&call.app.node, place(call)?).await?)).await
}

async fn upload(
    mut call: Call,
    target: impl AsyncFnOnce(&Call) -> Result<node::PointsScope, Failure>,
) -> Outcome {
    // All that can be refused is, before the body is looked at.
    let task = Task { id: Uuid::now_v7(), waits: call.params.wait()? };
    let priority = priority(&call)?;
    let sha256 = checksum("query parameters", call.params.text("checksum")?)?;
    let scope = target(&call).await?;
    let (source, received) = part(&mut call).await?;
    let request = PointsRestore { task: Some(task.id), sha256, priority, ..PointsRestore::of(scope) };
    recover::restore(&call, task, request, source, Some(received), in_form).await
}

fn in_form(other: &OtherDigest) -> Failure {
    Failure::bare(format!("Checksum mismatch: expected {}, actual {}", other.expected, other.found))
}

/// The archive in the call's form, once it begins to come in; and when it has come.
async fn part(call: &mut Call) -> Result<(Source, oneshot::Receiver<()>), Failure> {
    let form = Form::open(call).await?;
    let (chunks, incoming) = mpsc::channel(CHUNKS_MAX);
    let (begun, begins) = oneshot::channel();
    let (done, received) = oneshot::channel();
    let broken = Broken::default();
    let pass_on = pass_on(form, chunks, begun, broken.clone());
    let pump = async move {
        pass_on.await;
        // Perhaps nobody wants to know.
        let _ = done.send(());
    };
    tokio::spawn(pump.in_current_span());
    begins.await.unwrap_or_else(|_| Err(Failure::bug()))?;
    let body = stream::unfold(incoming, async |mut incoming| Some((incoming.recv().await?, incoming)));
    Ok((Source { origin: Origin::Body(Box::pin(body)), broken }, received))
}

type Chunk = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Looks for the archive's part, tells whether there is one, and passes it on.
async fn pass_on(
    mut form: Form,
    chunks: mpsc::Sender<Chunk>,
    begun: oneshot::Sender<Result<(), Failure>>,
    broken: Broken,
) {
    let mut part = loop {
        let why = match form.parts.next_field().await {
            Ok(Some(part)) if part.name() == Some(PART) => break part,
            Ok(Some(mut other)) => {
                // What we don't know is passed over.
                loop {
                    form.held.store(0, Ordering::Relaxed);
                    match other.chunk().await {
                        Ok(Some(_)) => {}
                        Ok(None) => break None,
                        Err(error) => break Some(error.body_text()),
                    }
                }
            }
            Ok(None) => Some(format!("Required field is missing: {PART}")),
            Err(error) => Some(error.body_text()),
        };
        if let Some(why) = why {
            let _ = begun.send(Err(malformed(why)));
            return;
        }
    };
    if begun.send(Ok(())).is_err() {
        return;
    }
    loop {
        form.held.store(0, Ordering::Relaxed);
        let chunk = match part.chunk().await {
            Ok(None) => return,
            Ok(Some(chunk)) => Ok(chunk),
            Err(error) => {
                broken.tell(malformed(error.body_text()));
                Err(error.into())
            }
        };
        let is_last = chunk.is_err();
        if chunks.send(chunk).await.is_err() || is_last {
            return;
        }
    }
}

fn malformed(why: String) -> Failure {
    Failure::form(StatusCode::BAD_REQUEST, why)
}

/// A form, and how much of it its reader holds.
struct Form {
    parts: Multipart,
    held: Arc<AtomicUsize>,
}

impl Form {
    async fn open(call: &mut Call) -> Result<Form, Failure> {
        let kind = call.headers.get(CONTENT_TYPE).cloned();
        let is_form = kind.as_ref().and_then(|kind| kind.to_str().ok()).is_some_and(|kind| {
            kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data")
        });
        let Some(kind) = kind.filter(|_| is_form) else {
            let text = "the archive is sent as the part `snapshot` of multipart/form-data";
            return Err(Failure::form(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        };
        Form::of(kind, call.body()).await
    }

    async fn of(kind: HeaderValue, body: Body) -> Result<Form, Failure> {
        let held = Arc::new(AtomicUsize::new(0));
        let body = Paced { body: body.into_data_stream(), held: Arc::clone(&held), rests: false };
        let mut request = Request::new(Body::from_stream(body));
        request.headers_mut().insert(CONTENT_TYPE, kind);
        // How large an archive may be is the node's to say.
        DefaultBodyLimit::disable().apply(&mut request);
        let parts = Multipart::from_request(request, &()).await;
        let parts = parts.map_err(|refused| malformed(refused.body_text()))?;
        Ok(Form { parts, held })
    }
}

/// A body for a reader that takes in whatever is there: it is given one chunk at a time, and no more once it holds
/// too much.
struct Paced {
    body: BodyDataStream,
    held: Arc<AtomicUsize>,
    rests: bool,
}

impl Stream for Paced {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.rests) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(chunk) = ready!(self.body.poll_next_unpin(context)) else { return Poll::Ready(None) };
        let chunk = chunk?;
        if self.held.fetch_add(chunk.len(), Ordering::Relaxed) > HELD_BYTES_MAX {
            return Poll::Ready(Some(Err("the head of a part is too long".into())));
        }
        self.rests = true;
        Poll::Ready(Some(Ok(chunk)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const HEAD: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"snapshot\"\r\n\r\n";

    /// A form of an archive that never ends and is always there, and how many chunks of it were taken.
    async fn endless() -> (Form, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let more = stream::repeat_with(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(&[7; 64 << 10]))
        });
        let body = stream::iter([Ok(Bytes::from_static(HEAD))]).chain(more);
        let kind = HeaderValue::from_static("multipart/form-data; boundary=b");
        (Form::of(kind, Body::from_stream(body)).await.unwrap(), taken)
    }

    #[tokio::test]
    async fn no_more_is_taken_in_than_the_node_takes() {
        let (form, taken) = endless().await;
        let (chunks, mut incoming) = mpsc::channel(CHUNKS_MAX);
        let (begun, begins) = oneshot::channel();
        tokio::spawn(pass_on(form, chunks, begun, Broken::default()));
        begins.await.unwrap().unwrap();
        for read in 0..50 {
            // Whoever passes it on goes as far as it can.
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            let ahead = taken.load(Ordering::Relaxed) - read;
            assert!(ahead <= CHUNKS_MAX + 4, "{ahead} chunks ahead");
            incoming.recv().await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn nothing_is_taken_in_for_a_node_that_wants_no_more() {
        let (form, taken) = endless().await;
        let (chunks, incoming) = mpsc::channel(CHUNKS_MAX);
        let (begun, begins) = oneshot::channel();
        let passing = tokio::spawn(pass_on(form, chunks, begun, Broken::default()));
        begins.await.unwrap().unwrap();
        drop(incoming);
        passing.await.unwrap();
        assert!(taken.load(Ordering::Relaxed) <= CHUNKS_MAX + 4);
    }
}
