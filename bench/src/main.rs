//! Prints one Markdown table: what a running server achieves, beside the bare work in the same run.
//!
//! `bench/run` builds everything and runs it. Machines and their moods differ: compare ratios, not seconds.

mod bare;
mod http;
mod machine;
mod measure;
mod memory;
#[cfg(feature = "qdrant")]
mod points;
mod random;
mod server;
mod state;
mod table;
mod writers;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measures a running Stillpoint beside the bare work that each operation is made of.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// The server to run.
    #[arg(long, default_value = "target/release/stillpoint")]
    server: PathBuf,
    /// Where to put archives and data directories; must be on a disk for durable writes to mean anything.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Runs, of which medians are printed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    runs: u32,
    /// Keys in the state.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..100_000_000))]
    keys: u64,
    /// Size of the large state whose memory is measured, in MiB; 0 leaves it out.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(..=16_384))]
    large_mib: u64,
    /// How long each measurement of writes lasts, in seconds.
    #[arg(long, default_value = "4", value_parser = seconds)]
    seconds: Duration,
    /// Collections whose snapshots are measured, as points × numbers of a vector, separated by commas; the first
    /// also serves for everything else about points.
    #[cfg(feature = "qdrant")]
    #[arg(long, default_value = "100000x128", value_delimiter = ',')]
    points: Vec<points::Size>,
    /// Leave collections whose snapshots are measured without an index: building one takes long.
    #[cfg(feature = "qdrant")]
    #[arg(long)]
    unindexed: bool,
    /// Be the engine alone, for another process that measures.
    #[cfg(feature = "qdrant")]
    #[arg(long, hide = true)]
    engine_in: Option<PathBuf>,
    /// Measure only these, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Memory while saving and restoring.
    Memory,
    /// Speed of saves and restores.
    Snapshots,
    /// Durable writes a second.
    Writes,
    /// How long a write takes while the server saves or restores.
    Writers,
    /// Points: how fast they are taken, found, and there again after a start; memory.
    #[cfg(feature = "qdrant")]
    Points,
    /// Snapshots of collections.
    #[cfg(feature = "qdrant")]
    Collections,
}

/// What is measured on records.
const OF_RECORDS: [Part; 4] = [Part::Memory, Part::Snapshots, Part::Writes, Part::Writers];

impl Options {
    fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| (1..=600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "a number from 1 to 600".to_owned())
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    #[cfg(feature = "qdrant")]
    if let Some(dir) = &options.engine_in {
        return points::be_the_engine(dir, options.points[0]);
    }
    let mut rows = Vec::new();
    if OF_RECORDS.iter().any(|part| options.measures(*part)) {
        rows.extend(measure::all(&options)?.rows());
    }
    #[cfg(feature = "qdrant")]
    rows.extend(points::rows(&options)?);
    let table = table::table(rows);
    let about = format!("\n{}; medians of {}; {}\n", machine::line()?, options.runs, command());
    Ok(io::stdout().write_all((table + &about).as_bytes())?)
}

/// The command that repeats this.
fn command() -> String {
    let mut arguments = std::env::args().skip(1);
    let mut command = String::from("`bench/run");
    while let Some(argument) = arguments.next() {
        match argument == "--server" {
            // `bench/run` adds it.
            true => drop(arguments.next()),
            false => command.push_str(&format!(" {argument}")),
        }
    }
    command + "`"
}
