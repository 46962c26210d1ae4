//! Times in JSON: RFC 3339, to the nanosecond, in the zone in which they were written.
//!
//! Follows `golang/go:src/time/format_rfc3339.go`.

use archive::msgpack::Time;
use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde::Serializer;
use serde_json::Value;

use super::{Shape, mismatch};

const S_PER_MINUTE: i32 = 60;

impl Shape for Time {
    fn read(value: Value) -> Result<Time, String> {
        match &value {
            Value::String(text) => parse(text).ok_or_else(|| {
                let layout = "2006-01-02T15:04:05Z07:00";
                format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as a time")
            }),
            other => Err(mismatch(other, "time.Time")),
        }
    }

    /// A time outside of the years 0 to 9999 is null: RFC 3339 has no words for it.
    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match text(*self) {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.serialize_none(),
        }
    }
}

super::pointer!(Time);

fn parse(text: &str) -> Option<Time> {
    let instant: Timestamp = text.parse().ok()?;
    let seconds = Pieces::parse(text).ok()?.to_numeric_offset()?.seconds();
    let nanos = instant.subsec_nanosecond();
    let unix_s = instant.as_second();
    // Before 1970 both count down.
    let (unix_s, nanos) = if nanos < 0 { (unix_s - 1, nanos + 1_000_000_000) } else { (unix_s, nanos) };
    let offset_minutes = match text.ends_with(['Z', 'z']) {
        true => None,
        false => Some(i16::try_from(seconds / S_PER_MINUTE).ok()?),
    };
    Some(Time { offset_minutes, ..Time::from_unix(unix_s, u32::try_from(nanos).ok()?) })
}

fn text(time: Time) -> Option<String> {
    let minutes = time.offset_minutes.unwrap_or_default();
    let instant = Timestamp::new(time.unix_s, i32::try_from(time.nanos).ok()?).ok()?;
    let local = Offset::from_seconds(i32::from(minutes) * S_PER_MINUTE).ok()?.to_datetime(instant);
    let zone = match minutes {
        0 => "Z".to_owned(),
        _ => {
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60)
        }
    };
    (0..=9999).contains(&local.year()).then(|| format!("{local}{zone}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::shape::Shown;

    #[test]
    fn times_are_said_as_go_says_them() {
        let at = Time::from_unix;
        let cases = [
            (Time::ZERO, json!("0001-01-01T00:00:00Z")),
            (at(0, 0), json!("1970-01-01T00:00:00Z")),
            (at(1_700_000_000, 120_000_000), json!("2023-11-14T22:13:20.12Z")),
            (at(-1, 1), json!("1969-12-31T23:59:59.000000001Z")),
            (Time { offset_minutes: Some(-330), ..at(0, 0) }, json!("1969-12-31T18:30:00-05:30")),
            (Time { offset_minutes: Some(0), ..at(0, 0) }, json!("1970-01-01T00:00:00Z")),
            (at(253_402_300_800, 0), json!(null)),
            (at(i64::MAX, 0), json!(null)),
            (Time { offset_minutes: Some(i16::MIN), ..at(0, 0) }, json!(null)),
        ];
        for (time, expected) in cases {
            assert_eq!(serde_json::to_value(Shown(&time)).unwrap(), expected);
        }
    }

    #[test]
    fn times_are_read_with_their_zone() {
        let read = |text: &str| Time::read(json!(text));
        assert_eq!(read("1970-01-01T00:00:01.5Z"), Ok(Time::from_unix(1, 500_000_000)));
        assert_eq!(read("1969-12-31T23:59:59.25Z"), Ok(Time::from_unix(-1, 250_000_000)));
        let east = Time { offset_minutes: Some(90), ..Time::from_unix(0, 0) };
        assert_eq!(read("1970-01-01T01:30:00+01:30"), Ok(east));
        for text in ["", "soon", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
