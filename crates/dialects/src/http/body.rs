//! Bodies that are held whole.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use super::Failure;

/// What is read of a body after it has turned out to be too large.
const DRAINED_BYTES_MAX: usize = 4 << 20;

/// A body of at most `max` bytes; `None` if it is larger, of which no more than that is ever held. The rest is
/// read and dropped, up to [`DRAINED_BYTES_MAX`]: a client that is still sending would not see the answer.
pub(crate) async fn read_up_to(max: usize, body: Body) -> Result<Option<Bytes>, Failure> {
    let mut chunks = body.into_data_stream();
    let (mut kept, mut read) = (BytesMut::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|error| Failure::invalid(format!("the request's body broke off: {error}")))?;
        read += chunk.len();
        match read {
            fits if fits <= max => kept.extend_from_slice(&chunk),
            drained if drained <= max + DRAINED_BYTES_MAX => {}
            _ => break,
        }
    }
    Ok((read <= max).then(|| kept.freeze()))
}
