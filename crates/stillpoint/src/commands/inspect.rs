//! `stillpoint inspect`: what an archive holds, in the words and figures of the genuine tool of whoever's archive it
//! is, if there is one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;
use archive::hashicorp::{Meta, Reader};
use archive::qdrant::{self, Contents, Limits};
use archive::state::inspect::{KeyDetail, Summary};
use archive::state::{self, Record, Records};

use super::opened::Opened;
use super::verify::enterprise_warning;
use super::{blocking, points};
use crate::args::{InspectArgs, InspectFormat};
use crate::output::{self, Output};

/// What a server's own snapshot directory calls the state, which has no container around it.
const RAW_STATE: &str = "state.bin";

/// No `meta.json` is larger than this.
const META_BYTES_MAX: u64 = 1 << 20;

/// What was found in an archive or a raw state.
struct Inspected {
    meta: Meta,
    summary: Summary,
    kinds: BTreeSet<u8>,
}

/// What was asked for.
enum Found {
    Records(Inspected),
    Points(Contents),
}

pub(super) async fn run(args: InspectArgs, output: Output) -> anyhow::Result<()> {
    let is_json = output.is_json() || args.format == InspectFormat::Json;
    let mut text = match blocking(move || inspect(&args)).await? {
        Found::Points(contents) if is_json => points::json(&contents),
        Found::Points(contents) => points::pretty(&contents),
        Found::Records(Inspected { meta, summary, kinds }) => {
            let kinds: Vec<u8> = kinds.into_iter().collect();
            enterprise_warning(summary.whose(), &kinds).iter().for_each(|warning| output.warn(warning));
            if is_json { summary.json(&meta) } else { summary.pretty(&meta) }
        }
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    output::write_stdout(text.as_bytes())
}

fn inspect(args: &InspectArgs) -> anyhow::Result<Found> {
    let prefix = args.kv_filter.clone().into_bytes();
    let detail = args.kv_details.then(|| KeyDetail { depth: args.kv_depth.get(), prefix });
    let path = &args.file;
    if path.file_name() == Some(OsStr::new(RAW_STATE)) {
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        let meta = read_meta(&path.with_file_name("meta.json"))?;
        let (summary, kinds) = sum_up(file, detail).with_context(|| path.display().to_string())?;
        return Ok(Found::Records(Inspected { meta, summary, kinds }));
    }
    let mut archive = Opened::open(path)?;
    let name = archive.name.clone();
    if archive.is_of_points {
        points::refuse("an archive of points", &[("--kv-details", args.kv_details)])?;
        let contents = qdrant::verify(&mut archive, Limits::default()).with_context(|| name)?;
        return Ok(Found::Points(contents));
    }
    Ok(Found::Records(inspect_archive(archive, detail).with_context(|| name)?))
}

fn read_meta(path: &Path) -> anyhow::Result<Meta> {
    let file =
        File::open(path).with_context(|| format!("open {}, which describes the state", path.display()))?;
    let mut json = Vec::new();
    file.take(META_BYTES_MAX).read_to_end(&mut json).with_context(|| format!("read {}", path.display()))?;
    Meta::from_json(&json).with_context(|| format!("decode {}", path.display()))
}

/// Where both the container and a record are damaged, the container's error is the one that explains it.
fn inspect_archive(archive: impl Read, detail: Option<KeyDetail>) -> Result<Inspected, state::Error> {
    let mut reader = Reader::new(archive);
    let summed = match sum_up(&mut reader, detail) {
        Err(error @ (state::Error::Archive(_) | state::Error::Io(_))) => return Err(error),
        summed => summed,
    };
    let verified = reader.finish().map_err(io::Error::from)?;
    let (summary, kinds) = summed?;
    Ok(Inspected { meta: verified.meta, summary, kinds })
}

fn sum_up(state: impl Read, detail: Option<KeyDetail>) -> Result<(Summary, BTreeSet<u8>), state::Error> {
    let mut records = Records::new(state)?;
    let product = records.whose();
    let mut summary = Summary::new(product, detail);
    summary.add_header(records.header_bytes());
    let mut kinds = BTreeSet::new();
    let mut record = Record::default();
    loop {
        let offset = records.offset();
        if !records.read_into(&mut record)? {
            return Ok((summary, kinds));
        }
        let kind = record.kind;
        kinds.insert(kind);
        summary.add(&record).map_err(|source| state::Error::Record { product, kind, offset, source })?;
    }
}
