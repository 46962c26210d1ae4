//! Archives on their way in.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use archive::state;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures_util::TryStreamExt;
use node::{Error, Kind};

use super::{Failure, Lingering};

/// An archive on its way in, and what was seen of it.
pub(crate) struct Upload {
    is_form: bool,
    /// Whether there was any of the bytes that `curl -d @file` strips.
    has_stripped: Arc<AtomicBool>,
}

impl Upload {
    /// Refuses bodies that wrap the archive into something else.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Upload, Failure> {
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
    pub(crate) fn follow(&self, body: Lingering) -> node::Body {
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
    pub(crate) fn refuse(&self, error: Error) -> Failure {
        if error.kind() == Kind::Corrupt && self.is_form && !self.has_stripped.load(Ordering::Relaxed) {
            return Failure::invalid(
                "the archive lost bytes on its way, as `curl -d @file` does it: send it with curl --data-binary @file",
            );
        }
        if let Some(unknown @ records::Error::UnknownKind { .. }) = error.cause() {
            let text = format!("{unknown}; ?allow-unknown-records restores such records as they are");
            return Failure::genuine(error.kind(), text);
        }
        match error.cause::<state::Error>() {
            Some(state::Error::Archive(damage)) => Failure::genuine(error.kind(), damage.genuine_text()),
            Some(refusal) => Failure::genuine(error.kind(), with_causes(refusal)),
            None => error.into(),
        }
    }
}

/// An error and what led to it, in one line.
fn with_causes(error: &state::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text.push_str(&format!(": {deeper}"));
        cause = deeper.source();
    }
    text
}
