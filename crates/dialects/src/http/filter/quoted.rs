//! Texts and numbers as Go's `strconv` reads them.

/// What is between two quotes (`golang/go:src/strconv/quote.go`, `Unquote`).
pub(super) fn unquote(inner: &str, quote: char) -> Option<String> {
    if quote == '`' {
        return Some(inner.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        match c {
            '\n' => return None,
            '\\' => escape(&mut rest, &mut bytes)?,
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    // A text that is not UTF-8 is equal to nothing that JSON can say.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn escape(rest: &mut std::str::Chars<'_>, bytes: &mut Vec<u8>) -> Option<()> {
    let simple = match rest.next()? {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        'x' => u8::try_from(digits(rest, 2, 16, 0)?).ok()?,
        first @ '0'..='7' => u8::try_from(digits(rest, 2, 8, first.to_digit(8)?)?).ok()?,
        'u' => return character(digits(rest, 4, 16, 0)?, bytes),
        'U' => return character(digits(rest, 8, 16, 0)?, bytes),
        _ => return None,
    };
    bytes.push(simple);
    Some(())
}

fn character(code: u32, bytes: &mut Vec<u8>) -> Option<()> {
    bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}

fn digits(rest: &mut std::str::Chars<'_>, count: usize, radix: u32, first: u32) -> Option<u32> {
    (0..count)
        .try_fold(first, |value, _| value.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?))
}

/// Why a text is no value of a type. Displays as the genuine error.
fn refused(function: &str, text: &str, why: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: {why}")
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(refused("ParseBool", text, "invalid syntax")),
    }
}

pub(super) fn signed(text: &str) -> Result<i64, String> {
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = magnitude(digits).map_err(|why| refused("ParseInt", text, why))?;
    let value = if is_negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    i64::try_from(value).map_err(|_| refused("ParseInt", text, "value out of range"))
}

pub(super) fn unsigned(text: &str) -> Result<u64, String> {
    magnitude(text).map_err(|why| refused("ParseUint", text, why))
}

pub(super) fn float(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| refused("ParseFloat", text, "invalid syntax"))
}

/// Digits with what tells their base, of which single underscores are no part.
fn magnitude(text: &str) -> Result<u64, &'static str> {
    const SYNTAX: &str = "invalid syntax";
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let has_prefix = radix != 10;
    let is_placed =
        !digits.ends_with('_') && !digits.contains("__") && (has_prefix || !digits.starts_with('_'));
    // Underscores are for numbers that tell their base, and base 10 goes without saying.
    let digits = if is_placed { digits.replace('_', "") } else { return Err(SYNTAX) };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(SYNTAX);
    }
    u64::from_str_radix(&digits, radix).map_err(|_| "value out of range")
}
