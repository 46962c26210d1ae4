//! JSON as Go writes it.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::Query;

/// An answer of one JSON value.
pub(crate) fn json(query: &Query, value: &impl Serialize) -> Response {
    let is_pretty = query.has("pretty");
    let mut body = render(is_pretty, value);
    if is_pretty {
        body.push(b'\n');
    }
    json_body(body)
}

/// An answer whose body is JSON already.
pub(crate) fn json_body(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.into()).into_response()
}

/// The bytes that `golang/go:src/encoding/json` gives the value.
pub(crate) fn render(is_pretty: bool, value: &impl Serialize) -> Vec<u8> {
    escape_html(render_plain(is_pretty, value))
}

/// The same with nothing escaped that would mean something inside HTML only.
pub(crate) fn render_plain(is_pretty: bool, value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    let written = if is_pretty {
        let formatter = PrettyFormatter::with_indent(b"    ");
        value.serialize(&mut Serializer::with_formatter(&mut json, formatter))
    } else {
        value.serialize(&mut Serializer::new(&mut json))
    };
    written.expect("plain data, written to memory");
    json
}

/// Go escapes what would mean something inside HTML. All of it can only stand within strings.
fn escape_html(json: Vec<u8>) -> Vec<u8> {
    // U+2028 and U+2029 end a line in JavaScript; both begin with this byte.
    const SEPARATORS: u8 = 0xe2;
    if !json.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&' | &SEPARATORS)) {
        return json;
    }
    let mut escaped = Vec::with_capacity(json.len() + json.len() / 8);
    let mut rest = json.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let (replaced, taken): (&[u8], usize) = match rest {
            [b'<', ..] => (b"\\u003c", 1),
            [b'>', ..] => (b"\\u003e", 1),
            [b'&', ..] => (b"\\u0026", 1),
            [SEPARATORS, 0x80, 0xa8, ..] => (b"\\u2028", 3),
            [SEPARATORS, 0x80, 0xa9, ..] => (b"\\u2029", 3),
            _ => {
                escaped.push(*first);
                rest = after;
                continue;
            }
        };
        escaped.extend_from_slice(replaced);
        rest = &rest[taken..];
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_go_writes() {
        let text = "<a> & b\u{2028}\u{2029}\u{2030} é\u{1}";
        assert_eq!(
            String::from_utf8(render(false, &text)).unwrap(),
            "\"\\u003ca\\u003e \\u0026 b\\u2028\\u2029\u{2030} é\\u0001\""
        );
    }

    #[test]
    fn pretty_json_is_indented_by_four() {
        let value = serde_json::json!([{"a": 1, "b": []}]);
        let expected = "[\n    {\n        \"a\": 1,\n        \"b\": []\n    }\n]";
        assert_eq!(String::from_utf8(render(true, &value)).unwrap(), expected);
    }
}
