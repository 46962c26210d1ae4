//! Bodies of JSON: how large they may be, and what is told of one that cannot be read.
//!
//! Follows `qdrant/qdrant:src/actix/mod.rs`, and what `actix/actix-web:actix-web/src/types/json.rs` says.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::http::read_up_to;

/// The largest body of JSON.
const BODY_BYTES_MAX: usize = 32 << 20;

/// Larger bodies are read where they hold up no other request.
const INLINE_BYTES_MAX: usize = 1 << 20;

/// Reads a body.
pub(super) async fn json<T>(headers: &HeaderMap, body: Body) -> Result<T, Failure>
where
    T: DeserializeOwned + Send + 'static,
{
    let bytes = bytes(headers, body).await?;
    if bytes.len() <= INLINE_BYTES_MAX {
        return parse(&bytes);
    }
    let parsed = tokio::task::spawn_blocking(move || parse(&bytes)).await;
    parsed.unwrap_or_else(|_| Err(Failure::bug()))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::bare(format!("Format error in JSON body: {error}")))
}

async fn bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    // A page in a browser cannot send this type to another host unasked.
    if !is_json(headers) {
        return Err(Failure::bare("Payload error: Content type error"));
    }
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match read_up_to(BODY_BYTES_MAX, body).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Failure::bare(too_large(declared))),
        Err(_) => Err(Failure::bare("Payload error: the body broke off")),
    }
}

fn too_large(declared: Option<usize>) -> String {
    let limit = BODY_BYTES_MAX;
    match declared {
        Some(bytes) => {
            format!(
                "Payload error: JSON payload ({bytes} bytes) is larger than allowed (limit: {limit} bytes)."
            )
        }
        None => format!("Payload error: JSON payload has exceeded limit ({limit} bytes)."),
    }
}

/// Whether the body says that it is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json")
}
