//! Points from their coming in to the next start of the server, beside the engine alone.

use std::path::Path;
use std::time::Duration;

use super::data::Size;
use super::engine::{Engine, Log};
use super::served::{Collection, DIALECTS, restart};
use crate::Options;
use crate::measure::{TURNS, tell};
use crate::memory;
use crate::server::Server;
use crate::writers::Latencies;

/// Searches that each side makes in its turn.
const SEARCHES: u64 = 100;

/// The collection that lives longest.
const NAME: &str = "points";

/// Everything that was measured.
pub(crate) struct Life {
    pub(crate) size: Size,
    pub(crate) ingests: Vec<Ingest>,
    pub(crate) memory: Resident,
    /// From a start right after the points came in, and one when they are indexed, to the first answer.
    pub(crate) restarts: Vec<Duration>,
    pub(crate) restarts_indexed: Vec<Duration>,
    pub(crate) searches: Latencies,
    pub(crate) bare_searches: Latencies,
}

/// How long it took to take all points.
pub(crate) struct Ingest {
    pub(crate) served: Duration,
    /// While an index is being built beside it.
    pub(crate) served_indexing: Duration,
    /// The engine alone, after appending to a plain file.
    pub(crate) file: Duration,
    /// The engine alone, after appending to the engine of the server's log.
    pub(crate) redb: Duration,
}

/// Memory after all points came in; KiB.
pub(crate) struct Resident {
    /// Before any collection was made.
    pub(crate) idle_kib: u64,
    pub(crate) served: Shares,
    pub(crate) bare: Shares,
}

/// What memory consists of; KiB.
pub(crate) struct Shares {
    pub(crate) all_kib: u64,
    /// Of it, what lies in no file.
    pub(crate) anonymous_kib: u64,
}

impl Shares {
    fn of(field: impl Fn(&str) -> anyhow::Result<u64>) -> anyhow::Result<Shares> {
        Ok(Shares { all_kib: field("VmRSS")?, anonymous_kib: field("RssAnon")? })
    }
}

/// Measures.
pub(crate) fn measure(options: &Options, dir: &Path) -> anyhow::Result<Life> {
    let size = options.points[0];
    let ingests = measure_ingests(options, dir, size)?;

    tell(&format!("the life of {size} points"));
    let data_dir = tempfile::tempdir_in(dir)?;
    let data_dir = data_dir.path();
    let server = Server::start(&options.server, data_dir, &DIALECTS)?;
    let idle_kib = memory::kib(server.id(), "VmRSS")?;
    Collection::create(&server, NAME, size, false)?.ingest(&server)?;
    let served = Shares::of(|field| memory::kib(server.id(), field))?;
    let mut engine = Engine::start(dir, size)?;
    engine.ingest(Log::File)?;
    let bare = Shares::of(|field| engine.memory_kib(field))?;
    let memory = Resident { idle_kib, served, bare };

    let (server, restarts) = kill_and_start(options, data_dir, server, size)?;
    tell("building the index, twice");
    let mut collection = Collection::open(&server, NAME, size)?;
    collection.index()?;
    collection.wait_until_green()?;
    engine.optimise()?;
    let (mut searches, mut bare_searches) = (Latencies::default(), Latencies::default());
    for turn in 0..u64::from(TURNS) {
        let first = size.points + turn * SEARCHES;
        engine.search(first, first + SEARCHES)?.into_iter().for_each(|took| bare_searches.push(took));
        collection.search(first, first + SEARCHES)?.into_iter().for_each(|took| searches.push(took));
    }
    let (server, restarts_indexed) = kill_and_start(options, data_dir, server, size)?;
    server.stop()?;
    Ok(Life { size, ingests, memory, restarts, restarts_indexed, searches, bare_searches })
}

fn measure_ingests(options: &Options, dir: &Path, size: Size) -> anyhow::Result<Vec<Ingest>> {
    let data_dir = tempfile::tempdir_in(dir)?;
    let server = Server::start(&options.server, data_dir.path(), &DIALECTS)?;
    let served = |indexed| {
        let mut collection = Collection::create(&server, "ingest", size, indexed)?;
        let took = collection.ingest(&server)?;
        collection.delete()?;
        anyhow::Ok(took)
    };
    let bare = |log| Engine::start(dir, size)?.ingest(log);
    let mut ingests = Vec::new();
    for run in 1..=options.runs {
        tell(&format!("run {run}: {size} points come in"));
        let file = bare(Log::File)?;
        let without_index = served(false)?;
        let redb = bare(Log::Redb)?;
        ingests.push(Ingest { served: without_index, served_indexing: served(true)?, file, redb });
    }
    server.stop()?;
    Ok(ingests)
}

/// Kills the server in the middle of things, as often as there are runs.
fn kill_and_start(
    options: &Options,
    data_dir: &Path,
    mut server: Server,
    size: Size,
) -> anyhow::Result<(Server, Vec<Duration>)> {
    let mut restarts = Vec::new();
    for _ in 0..options.runs {
        drop(server);
        let (started, took) = restart(&options.server, data_dir, NAME, size)?;
        server = started;
        restarts.push(took);
    }
    Ok((server, restarts))
}
