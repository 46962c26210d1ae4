//! Cron expressions, as far as whether they are some (`hashicorp/cronexpr:cronexpr_parse.go`).

use std::ops::RangeInclusive;

/// A place in an expression.
struct Field {
    name: &'static str,
    values: RangeInclusive<u32>,
    /// What intervals may be up to.
    last: u32,
    /// Other words for values.
    words: &'static [&'static str],
}

const fn field(name: &'static str, values: RangeInclusive<u32>, last: u32) -> Field {
    Field { name, values, last, words: &[] }
}

const FIELDS: [Field; 7] = [
    field("second", 0..=59, 59),
    field("minute", 0..=59, 59),
    field("hour", 0..=23, 23),
    field("day-of-month", 1..=31, 31),
    Field { name: "month", values: 1..=12, last: 12, words: &MONTHS },
    Field { name: "day-of-week", values: 0..=7, last: 6, words: &DAYS },
    field("year", 1970..=2099, 2099),
];

const MONTHS: [&str; 23] = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const DAYS: [&str; 14] = [
    "sun",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const ALIASES: [(&str, &str); 6] = [
    ("@yearly", "0 0 0 1 1 * *"),
    ("@annually", "0 0 0 1 1 * *"),
    ("@monthly", "0 0 0 1 * * *"),
    ("@weekly", "0 0 0 * * 0 *"),
    ("@daily", "0 0 0 * * * *"),
    ("@hourly", "0 0 * * * * *"),
];

/// Checks an expression. The error is what a genuine server says of it.
pub(super) fn check(expression: &str) -> Result<(), String> {
    let expression =
        ALIASES.iter().fold(expression.to_owned(), |text, (alias, meant)| text.replace(alias, meant));
    let given: Vec<&str> = expression.split_ascii_whitespace().take(FIELDS.len()).collect();
    if given.len() < 5 {
        return Err("missing field(s)".into());
    }
    // Seconds come first, if everything is there.
    let fields = if given.len() == FIELDS.len() { &FIELDS[..] } else { &FIELDS[1..] };
    given.iter().zip(fields).try_for_each(|(given, field)| field.check(given))
}

impl Field {
    fn check(&self, given: &str) -> Result<(), String> {
        let entries: Vec<&str> = given.split(',').filter(|entry| !entry.is_empty()).collect();
        if entries.is_empty() {
            return Err(format!("{} field: missing directive", self.name));
        }
        let mut unknown = None;
        for entry in entries {
            let plain = entry.to_lowercase();
            match plain.split_once('/') {
                Some((range, step)) if self.is_range(range, &["*"]) && is_digits(step) => {
                    if !is_step(step, self.last) {
                        return Err(format!("invalid interval {plain}"));
                    }
                }
                None if self.is_range(&plain, &["*", "?"]) || self.is_special(&plain) => {}
                _ => unknown = unknown.or(Some(entry)),
            }
        }
        unknown.map_or(Ok(()), |entry| Err(format!("syntax error in {} field: '{entry}'", self.name)))
    }

    /// One value, or two with a dash between them, or everything.
    fn is_range(&self, text: &str, all: &[&str]) -> bool {
        let range = text.split_once('-');
        all.contains(&text)
            || self.is_value(text)
            || range.is_some_and(|(first, last)| self.is_value(first) && self.is_value(last))
    }

    fn is_value(&self, text: &str) -> bool {
        let is_number = is_digits(text)
            && (text.len() <= 2 || self.last > 99)
            && text.parse().is_ok_and(|value| self.values.contains(&value));
        is_number || self.words.contains(&text)
    }

    /// The last days of something, and the like.
    fn is_special(&self, text: &str) -> bool {
        match self.name {
            "day-of-month" => {
                matches!(text, "l" | "lw") || text.strip_suffix('w').is_some_and(|day| self.is_value(day))
            }
            "day-of-week" => {
                let of_week = text.split_once('#');
                text.strip_suffix('l').is_some_and(|day| self.is_value(day))
                    || of_week.is_some_and(|(day, week)| {
                        self.is_value(day) && matches!(week, "1" | "2" | "3" | "4" | "5")
                    })
            }
            _ => false,
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Of more than two digits only years are known.
fn is_step(text: &str, last: u32) -> bool {
    let is_known = text.len() <= 2 || (text.len() == 4 && last > 99);
    is_known && text.parse::<u32>().is_ok_and(|step| (1..=last).contains(&step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_told_from_other_texts() {
        for good in [
            "* * * * *",
            "*/15 0-5,22 L,15W * MON-FRI",
            "0 0 0 1 1 * 2030",
            "@daily",
            "5 4 ? jan 5#3,6l",
            "0 */6 1/2 * * 2024-2030",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", "missing field(s)"),
            ("* * * *", "missing field(s)"),
            ("60 * * * *", "syntax error in minute field: '60'"),
            ("*/60 * * * *", "invalid interval */60"),
            (", * * * *", "minute field: missing directive"),
            ("* * L,x * *", "syntax error in day-of-month field: 'x'"),
            ("* * * * FUN", "syntax error in day-of-week field: 'FUN'"),
        ] {
            assert_eq!(check(bad), Err(why.to_owned()), "{bad}");
        }
    }
}
