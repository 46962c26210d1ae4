//! Bodies that are read to their end even if nobody wants the rest: a client that is still sending would not see
//! why it was refused.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long the rest of a body is read for nobody. Then its connection is cut.
const LINGER_MAX: Duration = Duration::from_secs(30);

/// The chunks of a body. If it is dropped before they end, the rest is read and dropped in the background.
pub(crate) struct Lingering {
    /// Until their end has come.
    chunks: Option<BodyDataStream>,
}

impl Lingering {
    pub(crate) fn new(body: Body) -> Lingering {
        Lingering { chunks: Some(body.into_data_stream()) }
    }
}

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(chunks) = &mut self.chunks else { return Poll::Ready(None) };
        let next = ready!(chunks.poll_next_unpin(context));
        if !matches!(next, Some(Ok(_))) {
            self.chunks = None;
        }
        Poll::Ready(next)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let (Some(mut chunks), Ok(runtime)) = (self.chunks.take(), Handle::try_current()) else { return };
        let rest = async move { while let Some(Ok(_)) = chunks.next().await {} };
        runtime.spawn(timeout(LINGER_MAX, rest));
    }
}
