//! `stillpoint verify`: a complete check of an archive, without any server.

use std::collections::BTreeMap;

use anyhow::Context;
use archive::state::{self, Product, Verdict};
use client::native::{Totals, TypeTotals};
use serde::Serialize;

use super::opened::Opened;
use super::{blocking, points};
use crate::args::VerifyArgs;
use crate::output::{Output, printable};

/// What a verified archive is.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    product: String,
    id: String,
    index: u64,
    term: u64,
    version: i64,
    last_index: u64,
    records: u64,
    state_bytes: u64,
    types: Totals,
    warnings: Vec<String>,
}

/// What was found.
enum Verified {
    Records(String, Verdict),
    Points(points::Checked),
}

pub(super) async fn run(args: VerifyArgs, output: Output) -> anyhow::Result<()> {
    match blocking(move || verify(&args, output)).await? {
        Verified::Records(name, verdict) => tell(name, &verdict, output),
        Verified::Points(report) => report.tell(output),
    }
}

fn tell(name: String, verdict: &Verdict, output: Output) -> anyhow::Result<()> {
    let warnings = warnings(verdict);
    warnings.iter().for_each(|warning| output.warn(warning));
    let meta = verdict.container.meta.clone();
    let report = Report {
        file: name,
        product: verdict.product.to_string(),
        id: meta.id,
        index: meta.index,
        term: meta.term,
        version: meta.version,
        last_index: verdict.last_index,
        records: records(verdict),
        state_bytes: verdict.container.state_bytes,
        types: totals(verdict),
        warnings,
    };
    let text = format!(
        "{}: whole, of {}, index {}, term {}, {} records, {} bytes of state\n",
        printable(&report.file),
        report.product,
        report.index,
        report.term,
        report.records,
        report.state_bytes
    );
    output.result(&report, &text)
}

fn verify(args: &VerifyArgs, output: Output) -> anyhow::Result<Verified> {
    let archive = Opened::open(&args.file)?;
    let name = archive.name.clone();
    if archive.is_of_points {
        let of_records = [("--allow-unknown-records", args.allow_unknown_records)];
        points::refuse("an archive of points", &of_records)?;
        return Ok(Verified::Points(points::check(archive, &args.file, output)?));
    }
    let bar = output.progress("verify", archive.bytes);
    let options = options(args.allow_unknown_records);
    let verdict = state::verify(bar.wrap_read(archive), None, options).with_context(|| name.clone())?;
    Ok(Verified::Records(name, verdict))
}

pub(super) fn options(allow_unknown_kinds: bool) -> state::Options {
    state::Options { allow_unknown_kinds, ..state::Options::default() }
}

pub(super) fn records(verdict: &Verdict) -> u64 {
    verdict.counts.values().map(|count| count.records).sum()
}

/// Counts and sizes by the types' names.
pub(super) fn totals(verdict: &Verdict) -> Totals {
    let named = verdict.counts.iter().map(|(kind, count)| {
        (
            verdict.product.kind_name(*kind).into_owned(),
            TypeTotals { count: count.records, bytes: count.bytes },
        )
    });
    named.collect::<BTreeMap<_, _>>()
}

/// What is worth knowing about an archive that is whole.
pub(super) fn warnings(verdict: &Verdict) -> Vec<String> {
    let found: Vec<u8> = verdict.counts.keys().copied().collect();
    let mut warnings: Vec<String> = enterprise_warning(verdict.product, &found).into_iter().collect();
    if verdict.repeated > 0 {
        warnings.push(format!("records that repeat an earlier one to the byte: {}", verdict.repeated));
    }
    warnings
}

/// A sentence about the Enterprise types among `found`, if there are any.
pub(super) fn enterprise_warning(product: Product, found: &[u8]) -> Option<String> {
    let numbers: Vec<String> =
        found.iter().filter(|kind| product.is_enterprise(**kind)).map(u8::to_string).collect();
    (!numbers.is_empty()).then(|| {
        let numbers = numbers.join(", ");
        format!("records of {product} Enterprise (type {numbers}): a genuine community server refuses them")
    })
}
