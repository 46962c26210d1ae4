//! How `nomad operator snapshot inspect` shows an archive's figures
//! (`hashicorp/nomad:command/operator_snapshot_inspect.go`).

use jiff::Timestamp;
use serde_json::{Serializer, Value, json, ser::PrettyFormatter};

use crate::hashicorp::Meta;
use crate::state::inspect::Figures;

/// The genuine table, without a line feed at the end. The genuine tool shows the time in the zone of whoever looks;
/// here it is in UTC, so that equal archives look equal.
pub(crate) fn pretty(meta: &Meta, kinds: &[(String, Figures)]) -> String {
    let id: String = meta.id.chars().flat_map(char::escape_default).collect();
    let about = [
        ("Created", created(&meta.id).unwrap_or_else(|| "<none>".into())),
        ("ID", id),
        ("Size", readable(meta.size.try_into().unwrap_or_default())),
        ("Index", meta.index.to_string()),
        ("Term", meta.term.to_string()),
        ("Version", meta.version.to_string()),
    ];
    let about = about.map(|(name, value)| format!("{name:7} = {value}"));
    let total = |of: fn(&Figures) -> u64| kinds.iter().map(|(_, figures)| of(figures)).sum::<u64>();
    let row =
        |name: &str, figures: Figures| [name.to_owned(), figures.count.to_string(), readable(figures.bytes)];
    let mut rows = vec![["Type", "Count", "Size"].map(str::to_owned)];
    rows.extend(kinds.iter().map(|(name, figures)| row(name, *figures)));
    rows.push(Default::default());
    let all = Figures { count: total(|figures| figures.count), bytes: total(|figures| figures.bytes) };
    rows.push(row("Total", all));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (first, second) = (width(0), width(1));
    // The row that sets the total apart is one of spaces.
    let rows: Vec<String> =
        rows.iter().map(|[name, count, size]| format!("{name:first$}  {count:second$}  {size}")).collect();
    format!("{}\n\n{}", about.join("\n"), rows.join("\n"))
}

/// The genuine JSON, without a line feed at the end.
pub(crate) fn json(meta: &Meta, kinds: &[(String, Figures)]) -> String {
    let mut meta: Value =
        serde_json::from_str(&meta.to_json()).expect("it is JSON that we have just written");
    // The genuine tool's members are in the order of their names.
    meta.sort_all_objects();
    let row = |(name, Figures { count, bytes }): &(String, Figures)| json!({ "Count": count, "Name": name, "Sum": bytes });
    let stats: Vec<Value> = kinds.iter().map(row).collect();
    let mut text = Vec::new();
    let mut out = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    "));
    serde::Serialize::serialize(&json!({ "Meta": meta, "Stats": stats }), &mut out)
        .expect("memory takes everything");
    String::from_utf8(text).expect("JSON is text")
}

/// When the archive was made: the third part of its id, in milliseconds.
fn created(id: &str) -> Option<String> {
    let [_, _, ms] = id.split('-').collect::<Vec<_>>()[..] else { return None };
    let made = Timestamp::from_millisecond(ms.parse().ok()?).ok()?;
    (made.as_second() >= 1).then(|| made.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A size as the genuine tool prints it (`dustin/go-humanize:bytes.go`): one decimal below ten, none above.
fn readable(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let exponent = bytes.checked_ilog2().unwrap_or_default() / 10;
    let unit = UNITS[exponent as usize];
    let tenths = (bytes as f64 / (1u64 << (10 * exponent)) as f64 * 10.0).round();
    match bytes < 10 || tenths >= 100.0 {
        true => format!("{:.0} {unit}", tenths / 10.0),
        false => format!("{:.1} {unit}", tenths / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_decimal_below_ten() {
        let table = [
            (0, "0 B"),
            (9, "9 B"),
            (10, "10 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10_188, "9.9 KiB"),
            (10_239, "10 KiB"),
            (161_792, "158 KiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16 EiB"),
        ];
        for (bytes, expected) in table {
            assert_eq!(readable(bytes), expected);
        }
    }

    #[test]
    fn the_time_is_in_the_id() {
        let check = |id: &str, expected: Option<&str>| assert_eq!(created(id).as_deref(), expected, "{id}");
        check("10-215871-1718013281130", Some("2024-06-10T09:54:41Z"));
        for id in ["", "1-2", "1-2-x", "1-2-999", "1-2-3-4", "1-2-9223372036854775807"] {
            check(id, None);
        }
    }
}
