//! Durations as Go prints them: genuine error texts hold some.

use std::fmt;

const NS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds that display as Go's `time.Duration` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoDuration(pub i64);

impl fmt::Display for GoDuration {
    /// Follows `golang/go:src/time/time.go`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match ns {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{ns}ns"),
            1_000..1_000_000 => write!(f, "{}µs", Decimal { value: ns, unit: 1_000 }),
            1_000_000..NS_PER_S => write!(f, "{}ms", Decimal { value: ns, unit: 1_000_000 }),
            _ => {
                let (minutes, rest) = (ns / (60 * NS_PER_S), ns % (60 * NS_PER_S));
                match (minutes / 60, minutes % 60) {
                    (0, 0) => {}
                    (0, minutes) => write!(f, "{minutes}m")?,
                    (hours, minutes) => write!(f, "{hours}h{minutes}m")?,
                }
                write!(f, "{}s", Decimal { value: rest, unit: NS_PER_S })
            }
        }
    }
}

/// A value in units, without zeros at its end.
struct Decimal {
    value: u64,
    unit: u64,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, mut rest) = (self.value / self.unit, self.value % self.unit);
        write!(f, "{whole}")?;
        let mut unit = self.unit;
        for place in 0.. {
            if rest == 0 {
                break;
            }
            unit /= 10;
            write!(f, "{}{}", if place == 0 { "." } else { "" }, rest / unit)?;
            rest %= unit;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_look_as_go_prints_them() {
        let table = [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (1_000_000_000, "1s"),
            (3_300_000_001, "3.300000001s"),
            (60_000_000_000, "1m0s"),
            (86_400_000_000_000, "24h0m0s"),
            (-5_000_000_000, "-5s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ];
        for (ns, expected) in table {
            assert_eq!(GoDuration(ns).to_string(), expected);
        }
    }
}
