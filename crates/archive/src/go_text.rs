//! Text as Go writes it: JSON strings of `encoding/json`, and the `%q` of `fmt`.

/// The text as a JSON string, harmless inside HTML too.
pub fn json_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// Bytes that should be text, in quotes, with escapes for whatever can't be printed.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\u{7}' => quoted.push_str("\\a"),
                '\u{8}' => quoted.push_str("\\b"),
                '\u{c}' => quoted.push_str("\\f"),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '\u{b}' => quoted.push_str("\\v"),
                '\0'..' ' | '\u{7f}' => quoted.push_str(&format!("\\x{:02x}", u32::from(character))),
                other if other.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(other))),
                plain => quoted.push(plain),
            }
        }
        for byte in chunk.invalid() {
            quoted.push_str(&format!("\\x{byte:02x}"));
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_escaped_as_go_escapes_them() {
        let text = "a\"\\\u{8}\u{c}\n\r\t\u{1}<>&\u{2028}\u{7f}é";
        let expected = "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u003c\\u003e\\u0026\\u2028\u{7f}é\"";
        assert_eq!(json_string(text), expected);
    }

    #[test]
    fn names_are_quoted_as_go_quotes_them() {
        assert_eq!(quoted(b"a\"\\\x07\x0b\n\x01\x7f\xff\xc3\xa9"), "\"a\\\"\\\\\\a\\v\\n\\x01\\x7f\\xffé\"");
        assert_eq!(quoted("\u{80}".as_bytes()), "\"\\u0080\"");
    }
}
