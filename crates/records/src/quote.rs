//! Strings as Go's `%q` prints them: genuine error texts quote keys and sessions this way.

use std::fmt;

use bytes::Bytes;

/// Bytes that display as a quoted Go string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Quoted(pub(super) Bytes);

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            chunk.valid().chars().try_for_each(|c| escape(f, c))?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        f.write_str("\"")
    }
}

/// Follows `golang/go:src/strconv/quote.go`.
fn escape(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        '\x07' => f.write_str("\\a"),
        '\x08' => f.write_str("\\b"),
        '\x0c' => f.write_str("\\f"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\x0b' => f.write_str("\\v"),
        '\0'..='\x1f' | '\x7f' => write!(f, "\\x{:02x}", u32::from(c)),
        '\'' => f.write_str("'"),
        _ if is_printable(c) => fmt::Write::write_char(f, c),
        '\0'..='\u{ffff}' => write!(f, "\\u{:04x}", u32::from(c)),
        _ => write!(f, "\\U{:08x}", u32::from(c)),
    }
}

/// Rust's debug format escapes what Go does not print, and combining marks, which Go does print.
fn is_printable(c: char) -> bool {
    c.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &'static [u8], expected: &str) {
        assert_eq!(Quoted(Bytes::from_static(bytes)).to_string(), expected);
    }

    #[test]
    fn plain_text_is_put_in_quotes() {
        check(b"foo/bar", r#""foo/bar""#);
        check("grün 😀 it's".as_bytes(), "\"grün 😀 it's\"");
    }

    #[test]
    fn what_cannot_be_printed_is_escaped_as_go_does() {
        check(b"a\"b\\c", r#""a\"b\\c""#);
        check(b"\x07\x08\x0c\n\r\t\x0b\0\x7f", r#""\a\b\f\n\r\t\v\x00\x7f""#);
        check("\u{200b}\u{e0001}".as_bytes(), r#""\u200b\U000e0001""#);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_visible() {
        check(b"a\xffb\xc3", r#""a\xffb\xc3""#);
    }
}
