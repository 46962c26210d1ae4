//! How many records of each type there are and what they take: same figures, same table and same JSON as
//! `consul snapshot inspect` (`hashicorp/consul:command/snapshot/inspect/`) for Consul's states, and as
//! `nomad operator snapshot inspect` for Nomad's ([`crate::nomad::inspect`]).

use std::collections::BTreeMap;
use std::io::Read;

use super::{Error, Fault, Product, Record, Records};
use crate::consul::{DirEntry, kinds};
use crate::go_text::json_string;
use crate::hashicorp::Meta;
use crate::nomad;

/// How keys are broken down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDetail {
    /// Keys are grouped by this many of their parts, which `/` separates.
    pub depth: usize,
    /// Only keys that begin with this are counted.
    pub prefix: Vec<u8>,
}

impl Default for KeyDetail {
    /// What the genuine tool does unless told otherwise.
    fn default() -> KeyDetail {
        KeyDetail { depth: 2, prefix: Vec::new() }
    }
}

/// Figures of a state, or of the part of it that was added so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    product: Product,
    detail: Option<KeyDetail>,
    kinds: BTreeMap<u8, Figures>,
    keys: BTreeMap<Vec<u8>, Figures>,
    /// Bytes that belong to no record, and are counted with the first.
    header_bytes: u64,
}

/// How many records, and their bytes, the byte for the type included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Figures {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

impl Summary {
    /// No figures yet. Consul's keys are broken down if `detail` says how; the memory for that grows with the
    /// number of groups.
    pub fn new(product: Product, detail: Option<KeyDetail>) -> Summary {
        Summary { product, detail, kinds: BTreeMap::new(), keys: BTreeMap::new(), header_bytes: 0 }
    }

    /// The figures of all of `records`.
    pub fn of<R: Read>(mut records: Records<R>, detail: Option<KeyDetail>) -> Result<Summary, Error> {
        let mut summary = Summary::new(records.whose(), detail);
        summary.add_header(records.header_bytes());
        let mut record = Record::default();
        loop {
            let offset = records.offset();
            if !records.read_into(&mut record)? {
                return Ok(summary);
            }
            let (product, kind) = (summary.product, record.kind);
            summary.add(&record).map_err(|source| Error::Record { product, kind, offset, source })?;
        }
    }

    /// Adds the state's header, whose bytes the genuine tool counts as the first record's.
    pub fn add_header(&mut self, bytes: u64) {
        self.header_bytes = bytes;
    }

    /// Adds a record.
    pub fn add(&mut self, record: &Record) -> Result<(), Fault> {
        let bytes = 1 + record.bytes.len() as u64 + std::mem::take(&mut self.header_bytes);
        self.kinds.entry(record.kind).or_default().add(bytes);
        let is_key = (self.product, record.kind) == (Product::Consul, kinds::KVS);
        let Some(detail) = self.detail.as_ref().filter(|_| is_key) else { return Ok(()) };
        let key = DirEntry::decode(&record.bytes)?.key;
        if key.starts_with(&detail.prefix) {
            let parts: Vec<&[u8]> = key.split(|byte| *byte == b'/').take(detail.depth).collect();
            self.keys.entry(parts.join(&b'/')).or_default().add(bytes);
        }
        Ok(())
    }

    /// Whose state it is.
    pub fn whose(&self) -> Product {
        self.product
    }

    /// Name and figures of each type, the largest first.
    pub fn kinds(&self) -> Vec<(String, Figures)> {
        sorted(
            self.kinds.iter().map(|(kind, figures)| (self.product.kind_name(*kind).into_owned(), *figures)),
        )
    }

    /// Prefix and figures of each group of keys, the largest first.
    pub fn keys(&self) -> Vec<(String, Figures)> {
        sorted(self.keys.iter().map(|(key, figures)| (String::from_utf8_lossy(key).into_owned(), *figures)))
    }

    /// The genuine table, without a line feed at the end.
    pub fn pretty(&self, meta: &Meta) -> String {
        if self.product == Product::Nomad {
            return nomad::inspect::pretty(meta, &self.kinds());
        }
        let about = [
            [" ID", &meta.id],
            [" Size", &meta.size.to_string()],
            [" Index", &meta.index.to_string()],
            [" Term", &meta.term.to_string()],
            [" Version", &meta.version.to_string()],
        ];
        let about = about.map(|row| row.map(printable).to_vec());
        let mut text = format!("{}\n\n{}", aligned(&about), table(" Type", &self.kinds()));
        if !self.keys.is_empty() {
            text.push_str(&format!("\n\n{}", table(" Key Name", &self.keys())));
        }
        text
    }

    /// The genuine JSON, without a line feed at the end.
    pub fn json(&self, meta: &Meta) -> String {
        if self.product == Product::Nomad {
            return nomad::inspect::json(meta, &self.kinds());
        }
        let keys = match self.keys.is_empty() {
            true => "null".into(),
            false => json_list(&self.keys()),
        };
        let lines = [
            "{\n   \"Meta\": {\n".into(),
            format!("      \"ID\": {},\n", json_string(&meta.id)),
            format!("      \"Size\": {},\n", meta.size),
            format!("      \"Index\": {},\n", meta.index),
            format!("      \"Term\": {},\n", meta.term),
            format!("      \"Version\": {}\n", meta.version),
            format!("   }},\n   \"Stats\": {},\n", json_list(&self.kinds())),
            format!("   \"StatsKV\": {keys},\n"),
            format!("   \"TotalSize\": {},\n", total(&self.kinds())),
            format!("   \"TotalSizeKV\": {}\n}}", total(&self.keys())),
        ];
        lines.concat()
    }
}

fn sorted(rows: impl Iterator<Item = (String, Figures)>) -> Vec<(String, Figures)> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|(a_name, a), (b_name, b)| b.bytes.cmp(&a.bytes).then_with(|| a_name.cmp(b_name)));
    rows
}

fn total(rows: &[(String, Figures)]) -> u64 {
    rows.iter().map(|(_, figures)| figures.bytes).sum()
}

fn table(title: &str, figures: &[(String, Figures)]) -> String {
    let rule = || [" ----", "----", "----"].map(String::from).to_vec();
    let mut rows = vec![[title, "Count", "Size"].map(String::from).to_vec(), rule()];
    for (name, Figures { count, bytes }) in figures {
        rows.push(vec![printable(&format!(" {name}")), count.to_string(), readable(*bytes)]);
    }
    rows.push(rule());
    rows.push(vec![" Total".into(), String::new(), readable(total(figures))]);
    aligned(&rows)
}

/// Rows whose columns are six spaces apart and at least eight wide, as Go's `text/tabwriter` was set up.
fn aligned(rows: &[Vec<String>]) -> String {
    let width_of = |column: usize| {
        let widths =
            rows.iter().filter(|row| column + 1 < row.len()).map(|row| row[column].chars().count() + 6);
        widths.max().unwrap_or(0).max(8)
    };
    let lines = rows.iter().map(|row| {
        let (last, padded) = row.split_last().expect("every row has cells");
        let padded = padded.iter().enumerate().map(|(column, cell)| format!("{cell:0$}", width_of(column)));
        padded.collect::<String>() + last
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Keys hold any bytes, which a terminal must not be made to act on.
fn printable(text: &str) -> String {
    let escape = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A size as the genuine tool prints it: one decimal, which is left out when it is 0.
fn readable(bytes: u64) -> String {
    let units = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
    match units.into_iter().find(|(_, bits)| bytes >> bits > 0) {
        Some((unit, bits)) => {
            let value = format!("{:.1}", bytes as f64 / (1u64 << bits) as f64);
            format!("{}{unit}", value.strip_suffix(".0").unwrap_or(&value))
        }
        None if bytes == 0 => "0".into(),
        None => format!("{bytes}B"),
    }
}

fn json_list(rows: &[(String, Figures)]) -> String {
    let items: Vec<String> = rows
        .iter()
        .map(|(name, Figures { count, bytes })| {
            let name = json_string(name);
            format!(
                "\n      {{\n         \"Name\": {name},\n         \"Sum\": {bytes},\n         \"Count\": {count}\n      }}"
            )
        })
        .collect();
    match items.is_empty() {
        true => "[]".into(),
        false => format!("[{}\n   ]", items.join(",")),
    }
}
