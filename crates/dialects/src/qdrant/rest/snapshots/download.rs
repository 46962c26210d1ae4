//! Archives on their way out.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use node::PointsScope;
use node::collections::Packing;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Call, place};
use crate::http::conditional::{File, Part, http_date};
use crate::qdrant::rest::answer::{Answer, Outcome};
use crate::qdrant::snapshots;

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A stored snapshot, or the part of it that was asked for.
pub(super) async fn stored(call: Call) -> Outcome {
    let name = call.path("snapshot").unwrap_or_default();
    let snapshot = snapshots::find(&call.app.node, place(&call)?, name).await?;
    let tag = format!("\"{}\"", snapshot.sha256);
    let modified_s = i64::try_from(snapshot.created_at_ms / 1000).unwrap_or(i64::MAX);
    let file = File { bytes: snapshot.size, tag: &tag, modified_s };
    let mut headers = HeaderMap::new();
    set(&mut headers, ETAG, tag.clone());
    set(&mut headers, LAST_MODIFIED, http_date(modified_s).unwrap_or_default());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (status, from, bytes) = match file.asked(&call.headers) {
        Part::Whole => (StatusCode::OK, 0, snapshot.size),
        Part::Range { from, bytes } => {
            set(&mut headers, CONTENT_RANGE, format!("bytes {from}-{}/{}", from + bytes - 1, snapshot.size));
            (StatusCode::PARTIAL_CONTENT, from, bytes)
        }
        Part::Known => return whole((StatusCode::NOT_MODIFIED, headers).into_response()),
        Part::Other => return whole((StatusCode::PRECONDITION_FAILED, headers).into_response()),
        Part::Beyond => {
            set(&mut headers, CONTENT_RANGE, format!("bytes */{}", snapshot.size));
            return whole((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    headers.insert(CONTENT_TYPE, OCTETS);
    headers.insert(CONTENT_LENGTH, bytes.into());
    set(&mut headers, CONTENT_DISPOSITION, attachment(&snapshot.name));
    let body = Body::from_stream(call.app.node.read_snapshot_part(&snapshot, from, bytes)?);
    whole((status, headers, body).into_response())
}

/// A shard as it is now, stored nowhere. An archive without its end was cut.
pub(super) async fn streamed(call: Call) -> Outcome {
    let scope = snapshots::scope(&call.app.node, place(&call)?).await?;
    let name = match &scope {
        PointsScope::Shard(name, shard) => {
            let now_s = i64::try_from(call.app.node.now_ms() / 1000).unwrap_or_default();
            let now = Timestamp::from_second(now_s).unwrap_or_default().strftime("%Y-%m-%d-%H-%M-%S");
            format!("{name}-shard-{shard}-{now}.snapshot")
        }
        other => other.to_string(),
    };
    let capture = call.app.node.capture_points(scope).await?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, OCTETS);
    set(&mut headers, CONTENT_DISPOSITION, attachment(&name));
    let body = Body::from_stream(capture.stream(Packing::Streamable));
    whole((headers, body).into_response())
}

fn whole(response: Response) -> Outcome {
    Ok(Answer::Whole(response))
}

/// Sets a header whose value is of our making; what could not be one is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// What RFC 8187 lets stand as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A file of this name. Whoever does not know of names beyond ASCII gets one without them.
fn attachment(name: &str) -> String {
    let plain = |char: char| {
        if char.is_ascii_graphic() && !"\"\\".contains(char) || char == ' ' { char } else { '_' }
    };
    let ascii: String = name.chars().map(plain).collect();
    match ascii == name {
        true => format!("attachment; filename=\"{name}\""),
        false => {
            format!(
                "attachment; filename=\"{ascii}\"; filename*=UTF-8''{}",
                utf8_percent_encode(name, ESCAPED)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_ends_nothing() {
        assert_eq!(attachment("a b-1.snapshot"), "attachment; filename=\"a b-1.snapshot\"");
        assert_eq!(
            attachment("ü\"\r\n;.snapshot"),
            "attachment; filename=\"____;.snapshot\"; filename*=UTF-8''%C3%BC%22%0D%0A%3B.snapshot"
        );
    }
}
