//! Answers compressed for clients that ask for it: gzip, and of JSON and text alone. Snapshots go out as they are:
//! who fetches one wants to know its length and may ask for a part.
//!
//! Genuine servers also know br, deflate and zstd (`qdrant/qdrant:src/actix/mod.rs`); whoever prefers those
//! takes gzip or plain bytes.

use std::io::Write;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Smaller answers fit into a packet as they are.
const BYTES_MIN: u64 = 1 << 10;

/// What takes longer to compress is not done between other requests.
const BYTES_AT_ONCE_MAX: usize = 64 << 10;

/// Compresses the answer, if its client takes that.
pub(super) async fn gzip(request: Request, next: Next) -> Response {
    let accepted = accepts(request.headers());
    let response = next.run(request).await;
    let Some(bytes) = response.body().size_hint().exact().filter(|bytes| *bytes >= BYTES_MIN) else {
        return response;
    };
    if !is_text(response.headers()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    head.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if !accepted {
        return Response::from_parts(head, body);
    }
    // Its length is known: it lies in memory.
    let Ok(plain) = to_bytes(body, usize::try_from(bytes).unwrap_or(usize::MAX)).await else {
        return Response::from_parts(head, Body::empty());
    };
    let body = match plain.len() {
        ..=BYTES_AT_ONCE_MAX => compress(&plain),
        _ => {
            let shared = plain.clone();
            tokio::task::spawn_blocking(move || compress(&shared)).await.ok().flatten()
        }
    };
    match body {
        Some(compressed) => {
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, compressed.into())
        }
        None => Response::from_parts(head, plain.into()),
    }
}

fn compress(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::fast());
    encoder.write_all(plain).ok()?;
    Some(encoder.finish().ok()?.into())
}

/// Whether gzip is named, or everything is accepted, and not with a weight of zero.
fn accepts(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|list| list.to_str().ok());
    let (mut named, mut any) = (None, None);
    for coding in lists.flat_map(|list| list.split(',')) {
        let (name, params) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = params.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        let wanted = weight.is_ok_and(|weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                named = Some(wanted);
            }
            "*" => any = Some(wanted),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    !headers.contains_key(CONTENT_ENCODING)
        && (kind.starts_with("application/json") || kind.starts_with("text/"))
}
