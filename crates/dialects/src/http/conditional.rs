//! Files that clients may have parts of already: conditions and ranges, as RFC 9110 has them.

use axum::http::HeaderMap;
use axum::http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

/// A file, as conditions know it.
#[derive(Clone, Copy)]
pub(crate) struct File<'a> {
    pub(crate) bytes: u64,
    /// Its tag, with the quotes.
    pub(crate) tag: &'a str,
    /// When it came to be, in seconds since the Unix epoch.
    pub(crate) modified_s: i64,
}

/// What of a file is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: 200.
    Whole,
    /// Some: 206.
    Range { from: u64, bytes: u64 },
    /// Nothing, for it is known already: 304.
    Known,
    /// Nothing, for it is another file than was meant: 412.
    Other,
    /// Nothing, for it does not reach so far: 416.
    Beyond,
}

impl File<'_> {
    /// What of it these headers ask for.
    pub(crate) fn asked(&self, headers: &HeaderMap) -> Part {
        let matches = self.is_among(headers, IF_MATCH, false);
        let unmodified = self.is_since(headers, IF_UNMODIFIED_SINCE).map(|is_since| !is_since);
        if matches.or(unmodified) == Some(false) {
            return Part::Other;
        }
        let unmatched = self.is_among(headers, IF_NONE_MATCH, true).map(|is_among| !is_among);
        if unmatched.or(self.is_since(headers, IF_MODIFIED_SINCE)) == Some(false) {
            return Part::Known;
        }
        match text(headers, RANGE) {
            Some(range) if self.is_meant(headers) => self.range(range),
            _ => Part::Whole,
        }
    }

    /// Whether its tag is in a list; `None` if there is none. Tags that are weak match where that is enough.
    fn is_among(&self, headers: &HeaderMap, name: HeaderName, is_weak: bool) -> Option<bool> {
        let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).peekable();
        values.peek()?;
        let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
        let strong = |tag: &str| tag.to_owned();
        let bare = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
        Some(tags.any(|tag| tag == "*" || if is_weak { bare(tag) } else { strong(tag) } == self.tag))
    }

    /// Whether it came to be after a time; `None` if there is none.
    fn is_since(&self, headers: &HeaderMap, name: HeaderName) -> Option<bool> {
        Some(self.modified_s > seconds(text(headers, name)?)?)
    }

    /// Whether a part is of use to a client that has another part.
    fn is_meant(&self, headers: &HeaderMap) -> bool {
        text(headers, IF_RANGE)
            .is_none_or(|has| has == self.tag || seconds(has).is_some_and(|time| time == self.modified_s))
    }

    fn range(&self, range: &str) -> Part {
        // Of several ranges, or of other units than bytes, all is sent.
        let Some(range) = range.trim().strip_prefix("bytes=") else { return Part::Whole };
        let Some((first, last)) = range.split_once('-').filter(|_| !range.contains(',')) else {
            return Part::Whole;
        };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let (from, end) = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(self.bytes)),
            (Some(first), None) if last.trim().is_empty() => (first, self.bytes),
            (None, Some(count)) if first.trim().is_empty() && count > 0 => {
                (self.bytes.saturating_sub(count), self.bytes)
            }
            _ => return Part::Beyond,
        };
        if from < end { Part::Range { from, bytes: end - from } } else { Part::Beyond }
    }
}

/// A time as headers have it.
pub(crate) fn http_date(seconds: i64) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

fn seconds(date: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(date).ok().map(|time| time.as_second())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const BEFORE: &str = "Sat, 21 Nov 2026 19:00:00 GMT";
    const THEN: &str = "Sat, 21 Nov 2026 19:00:01 GMT";
    const AFTER: &str = "Sat, 21 Nov 2026 19:00:02 GMT";

    #[track_caller]
    fn check(asked: &[(&str, &str)], expected: Part) {
        let pairs =
            asked.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = pairs.collect();
        let file = File { bytes: 100, tag: "\"a\"", modified_s: seconds(THEN).unwrap() };
        assert_eq!(file.asked(&headers), expected, "{asked:?}");
    }

    #[test]
    fn a_time_is_written_as_it_is_read() {
        assert_eq!(http_date(seconds(THEN).unwrap()).unwrap(), THEN);
    }

    #[test]
    fn ranges_are_parts_of_the_file() {
        let part = |from, bytes| Part::Range { from, bytes };
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-", part(10, 90)),
            ("bytes=90-200", part(90, 10)),
            ("bytes=-5", part(95, 5)),
            ("bytes=-500", part(0, 100)),
            ("bytes=0-18446744073709551615", part(0, 100)),
            ("bytes=100-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-4", Part::Beyond),
            ("bytes=a-b", Part::Beyond),
            ("bytes=-", Part::Beyond),
            ("bytes=0-1,5-6", Part::Whole),
            ("lines=0-1", Part::Whole),
        ] {
            check(&[("range", range)], expected);
        }
    }

    #[test]
    fn what_is_known_is_not_sent_and_what_is_other_neither() {
        check(&[], Part::Whole);
        for (name, value, expected) in [
            ("if-none-match", "\"a\"", Part::Known),
            ("if-none-match", "\"b\", W/\"a\"", Part::Known),
            ("if-none-match", "*", Part::Known),
            ("if-none-match", "\"b\"", Part::Whole),
            ("if-modified-since", THEN, Part::Known),
            ("if-modified-since", AFTER, Part::Known),
            ("if-modified-since", BEFORE, Part::Whole),
            ("if-modified-since", "yesterday", Part::Whole),
            ("if-match", "\"a\"", Part::Whole),
            ("if-match", "W/\"a\"", Part::Other),
            ("if-match", "\"b\"", Part::Other),
            ("if-unmodified-since", BEFORE, Part::Other),
            ("if-unmodified-since", THEN, Part::Whole),
        ] {
            check(&[(name, value)], expected);
        }
        // Tags win over times.
        check(&[("if-none-match", "\"b\""), ("if-modified-since", THEN)], Part::Whole);
        check(&[("if-match", "\"a\""), ("if-unmodified-since", BEFORE)], Part::Whole);
    }

    #[test]
    fn a_part_of_another_file_is_of_no_use() {
        let part = Part::Range { from: 1, bytes: 1 };
        for (has, expected) in [("\"a\"", part), ("\"b\"", Part::Whole), (THEN, part), (BEFORE, Part::Whole)]
        {
            check(&[("range", "bytes=1-1"), ("if-range", has)], expected);
        }
    }
}
