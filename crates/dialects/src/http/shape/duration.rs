//! Durations in JSON: read from words such as `15s` or from nanoseconds, written as either.

use serde::Serializer;
use serde_json::Value;

use super::{Shape, mismatch};
use crate::http::duration;

/// Nanoseconds that are written as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nanos(pub(crate) i64);

/// Nanoseconds that are written in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) i64);

/// Nanoseconds that are written in words, and none as no words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WordsOrNone(pub(crate) i64);

impl Shape for Nanos {
    fn read(value: Value) -> Result<Nanos, String> {
        let Value::String(text) = &value else {
            // Go reads any number as a float and cuts off its fraction.
            #[allow(
                clippy::cast_possible_truncation,
                reason = "saturates, which is as good as Go's answer"
            )]
            return match value.as_f64() {
                Some(number) => Ok(Nanos(value.as_i64().unwrap_or(number as i64))),
                None => Err(mismatch(&value, "time.Duration")),
            };
        };
        let (is_negative, positive) = match text.strip_prefix('-') {
            Some(positive) => (true, positive),
            None => (false, text.as_str()),
        };
        let nanos = duration(positive).and_then(|duration| i64::try_from(duration.as_nanos()).ok());
        let nanos = nanos.ok_or_else(|| format!("time: invalid duration {text:?}"))?;
        Ok(Nanos(if is_negative { -nanos } else { nanos }))
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Shape for Words {
    fn read(value: Value) -> Result<Words, String> {
        Nanos::read(value).map(|nanos| Words(nanos.0))
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&words(self.0))
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Shape for WordsOrNone {
    fn read(value: Value) -> Result<WordsOrNone, String> {
        match value.as_str() {
            Some("") => Ok(WordsOrNone(0)),
            _ => Nanos::read(value).map(|nanos| WordsOrNone(nanos.0)),
        }
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_str(""),
            nanos => Words(nanos).show(serializer),
        }
    }
}

/// A duration as Go says it (`golang/go:src/time/time.go`, `Duration.String`).
fn words(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let text = match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => decimal(nanos, 1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(nanos, 1_000_000, "ms"),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// A number of units with as many decimals as it takes.
fn decimal(nanos: u64, unit_nanos: u64, unit: &str) -> String {
    let (whole, rest) = (nanos / unit_nanos, nanos % unit_nanos);
    if rest == 0 {
        return format!("{whole}{unit}");
    }
    let digits = unit_nanos.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_said_as_go_says_them() {
        let expected = [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (20_000_000, "20ms"),
            (1_050_000_000, "1.05s"),
            (90_000_000_000, "1m30s"),
            (5_400_000_000_000, "1h30m0s"),
            (-10_000_000_000, "-10s"),
        ];
        for (nanos, text) in expected {
            assert_eq!(words(nanos), text);
        }
    }

    #[test]
    fn words_and_numbers_are_read() {
        assert_eq!(Nanos::read(json!("1m30s")), Ok(Nanos(90_000_000_000)));
        assert_eq!(Nanos::read(json!("-1s")), Ok(Nanos(-1_000_000_000)));
        assert_eq!(Nanos::read(json!(15)), Ok(Nanos(15)));
        assert_eq!(Nanos::read(json!(1.5e10)), Ok(Nanos(15_000_000_000)));
        assert_eq!(Nanos::read(json!("soon")), Err(r#"time: invalid duration "soon""#.to_owned()));
        assert!(Nanos::read(json!([])).is_err());
    }
}
