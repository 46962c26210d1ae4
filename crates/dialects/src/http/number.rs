//! Numbers and durations as Go reads them.

use std::str::FromStr;
use std::time::Duration;

use node::Kind;

use super::Failure;

/// An unsigned number as Go reads one: digits and nothing else. The failure is worded as Go words it.
pub(crate) fn unsigned(text: &str) -> Result<u64, Failure> {
    unsigned_or_why(text).map_err(|why| Failure::genuine(Kind::Invalid, why))
}

/// The same for who answers with more words, or another status.
pub(crate) fn unsigned_or_why(text: &str) -> Result<u64, String> {
    let refuse = |why| format!("strconv.ParseUint: parsing {text:?}: {why}");
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse("invalid syntax"));
    }
    u64::from_str(text).map_err(|_| refuse("value out of range"))
}

/// The same of a number that may have a sign.
pub(crate) fn signed_or_why(text: &str) -> Result<i64, String> {
    let refuse = |why| format!("strconv.ParseInt: parsing {text:?}: {why}");
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse("invalid syntax"));
    }
    i64::from_str(text).map_err(|_| refuse("value out of range"))
}

/// A duration as Go writes one, such as `1m30s` or `1.5h` (`golang/go:src/time/format.go`); nothing negative
/// is told from zero.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let positive = text.strip_prefix(['+', '-']).unwrap_or(text);
    if positive == "0" {
        return Some(Duration::ZERO);
    }
    let (mut total, mut rest) = duration_part(positive)?;
    while !rest.is_empty() {
        let (nanos, after) = duration_part(rest)?;
        total = total.checked_add(nanos)?;
        rest = after;
    }
    // Go counts nanoseconds in an i64.
    i64::try_from(total).ok()?;
    Some(if text.starts_with('-') { Duration::ZERO } else { Duration::from_nanos(total) })
}

/// The first number with its unit, in nanoseconds, and what follows.
fn duration_part(text: &str) -> Option<(u64, &str)> {
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let after_point = rest.strip_prefix('.');
    let (fraction, rest) = after_point.map_or(("", rest), |rest| rest.split_at(digits(rest)));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit_bytes = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_bytes);
    let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let whole = if whole.is_empty() { 0 } else { u64::from_str(whole).ok()? };
    let mut nanos = whole.checked_mul(unit)?;
    let mut scale = unit;
    for digit in fraction.bytes() {
        scale /= 10;
        nanos = nanos.checked_add(u64::from(digit - b'0') * scale)?;
    }
    Some((nanos, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let ms = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(ms("10s"), Some(10_000));
        assert_eq!(ms("1m30s"), Some(90_000));
        assert_eq!(ms("1.5h"), Some(5_400_000));
        assert_eq!(ms(".5s"), Some(500));
        assert_eq!(ms("1.s"), Some(1_000));
        assert_eq!(ms("2ms3µs"), Some(2));
        assert_eq!(ms("0"), Some(0));
        assert_eq!(ms("-5s"), Some(0));
        for text in ["", "10", "s", ".", ".s", "1x", "1s2", "+", "1 s", "99999999h", "99999999999999999999s"]
        {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_digits_and_nothing_else() {
        assert_eq!(unsigned("18446744073709551615").unwrap(), u64::MAX);
        for text in ["", "+1", "-1", "0x1", "1_0", "18446744073709551616"] {
            assert!(unsigned(text).is_err(), "{text}");
        }
    }
}
