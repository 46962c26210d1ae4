//! Durations as Go writes them: `15s`, `1h30m`, `1.5ms`.

use bytes::Bytes;

use crate::quote::Quoted;

/// Why a text is no duration, in Go's words (`golang/go:src/time/format.go`, `ParseDuration`).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("time: invalid duration {0}")]
    Invalid(Quoted),
    #[error("time: missing unit in duration {0}")]
    NoUnit(Quoted),
    #[error("time: unknown unit {unit} in duration {text}")]
    UnknownUnit { unit: Quoted, text: Quoted },
}

const UNITS_NS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The nanoseconds that `text` stands for.
pub(super) fn parse(text: &str) -> Result<i64, Error> {
    let invalid = || Error::Invalid(quoted(text));
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total_ns: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit_ns = unit_ns(unit, text)?;
        let part_ns = part_ns(whole, fraction, unit_ns).ok_or_else(invalid)?;
        total_ns = total_ns.checked_add(part_ns).ok_or_else(invalid)?;
        rest = after;
    }
    let total_ns = i64::try_from(total_ns).map_err(|_| invalid())?;
    Ok(if is_negative { -total_ns } else { total_ns })
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn unit_ns(unit: &str, text: &str) -> Result<u64, Error> {
    if unit.is_empty() {
        return Err(Error::NoUnit(quoted(text)));
    }
    let known = UNITS_NS.iter().find(|(name, _)| *name == unit);
    known.map(|(_, ns)| *ns).ok_or_else(|| Error::UnknownUnit { unit: quoted(unit), text: quoted(text) })
}

/// `None` if it is out of range.
fn part_ns(whole: &str, fraction: &str, unit_ns: u64) -> Option<u64> {
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    // Digits beyond the eighteenth say nothing in nanoseconds.
    let fraction = &fraction[..fraction.len().min(18)];
    let part = fraction.bytes().fold(0_u128, |part, digit| part * 10 + u128::from(digit - b'0'));
    let scale = 10_u128.pow(fraction.len() as u32);
    let fraction_ns = u64::try_from(part * u128::from(unit_ns) / scale).ok()?;
    whole.checked_mul(unit_ns)?.checked_add(fraction_ns)
}

fn quoted(text: &str) -> Quoted {
    Quoted(Bytes::copy_from_slice(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<i64, &str>) {
        assert_eq!(parse(text).map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        check("15s", Ok(15_000_000_000));
        check("1h30m", Ok(5_400_000_000_000));
        check("-1.5ms", Ok(-1_500_000));
        check(".5s", Ok(500_000_000));
        check("+0", Ok(0));
        check("1µs", Ok(1_000));
        check("9223372036854775807ns", Ok(i64::MAX));
    }

    #[test]
    fn what_is_no_duration_is_refused_in_go_s_words() {
        check("", Err(r#"time: invalid duration """#));
        check("s", Err(r#"time: invalid duration "s""#));
        check("10", Err(r#"time: missing unit in duration "10""#));
        check("10x", Err(r#"time: unknown unit "x" in duration "10x""#));
        check("9223372036854775808ns", Err(r#"time: invalid duration "9223372036854775808ns""#));
        check("99999999999999999999h", Err(r#"time: invalid duration "99999999999999999999h""#));
    }
}
