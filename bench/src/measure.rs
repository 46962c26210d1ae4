//! What is measured of records, in which order: compared runs alternate, so that a busy moment hits both.

use std::path::Path;
use std::time::Duration;

use crate::bare::{Bare, FileLog, RedbLog};
use crate::http::{self, Connection, Saved};
use crate::server::{Peak, Server};
use crate::state::Archive;
use crate::writers::{Latencies, keys, throughput};
use crate::{Options, Part};

/// Clients of the busy case.
pub(crate) const CLIENTS: u64 = 64;

/// The dialect that all of this is measured through.
const CONSUL: &str = "consul";

/// Turns that compared writers take in each run.
pub(crate) const TURNS: u32 = 8;

/// Everything that was measured, one element per run.
pub(crate) struct Figures {
    pub(crate) archive: Archive,
    pub(crate) saves: Vec<Paired<Saved>>,
    pub(crate) restores: Vec<Paired<Duration>>,
    pub(crate) writes: Vec<Writes>,
    pub(crate) writers: Vec<Writers>,
    pub(crate) memory: Vec<Memory>,
}

/// An operation of the server beside the bare one.
pub(crate) struct Paired<T> {
    pub(crate) server: T,
    pub(crate) bare: Duration,
}

/// Durable writes per second.
#[derive(Default)]
pub(crate) struct Writes {
    pub(crate) one_client: f64,
    pub(crate) many_clients: f64,
    pub(crate) redb_one: f64,
    pub(crate) redb_many: f64,
    pub(crate) file_one: f64,
}

/// What a steady writer sees while the server does this or that.
#[derive(Default)]
pub(crate) struct Writers {
    pub(crate) idle: Latencies,
    pub(crate) saving: Latencies,
    pub(crate) restoring: Latencies,
}

/// Memory of the server around a state of this size.
pub(crate) struct Memory {
    pub(crate) state_bytes: u64,
    pub(crate) saving: Peak,
    pub(crate) restoring: Peak,
}

/// Measures everything. Files go into a directory of their own that is removed at the end.
pub(crate) fn all(options: &Options) -> anyhow::Result<Figures> {
    let dir = tempfile::tempdir_in(&options.dir)?;
    let dir = dir.path();
    tell("making the archive");
    let archive = Archive::make(&dir.join("state.snap"), options.keys)?;
    let mut memory = Vec::new();
    if options.measures(Part::Memory) {
        memory.push(measure_memory(options, dir, &archive)?);
    }
    if options.measures(Part::Memory) && options.large_mib > 0 {
        let keys = Archive::keys_for(options.large_mib << 20)?;
        memory.push(measure_memory(options, dir, &Archive::make(&dir.join("large.snap"), keys)?)?);
    }
    tell("loading");
    let server = Server::start(&options.server, &dir.join("data"), &[CONSUL])?;
    http::restore(server.address(CONSUL)?, &archive.path)?;
    let (mut saves, mut restores) = (Vec::new(), Vec::new());
    if options.measures(Part::Snapshots) {
        (saves, restores) = measure_snapshots(options, dir, &server, &archive)?;
    }
    let mut writes = Vec::new();
    let mut writers = Vec::new();
    for run in 1..=options.runs {
        if options.measures(Part::Writes) {
            tell(&format!("run {run}: writes"));
            writes.push(measure_writes(&server, dir, options.seconds)?);
        }
        if options.measures(Part::Writers) {
            tell(&format!("run {run}: a writer during saves and restores"));
            writers.push(measure_writers(&server, &archive, options.seconds)?);
        }
    }
    server.stop()?;
    Ok(Figures { archive, saves, restores, writes, writers, memory })
}

type Snapshots = (Vec<Paired<Saved>>, Vec<Paired<Duration>>);

fn measure_snapshots(
    options: &Options,
    dir: &Path,
    server: &Server,
    archive: &Archive,
) -> anyhow::Result<Snapshots> {
    let (mut store, _) = Bare::restore(&archive.path, dir)?;
    // Neither side pays for a cold cache.
    http::save(server.address(CONSUL)?)?;
    store.save()?;
    let (mut saves, mut restores) = (Vec::new(), Vec::new());
    for run in 1..=options.runs {
        tell(&format!("run {run}: save and restore"));
        let bare = store.save()?;
        saves.push(Paired { bare, server: http::save(server.address(CONSUL)?)? });
        let (fresh, bare) = Bare::restore(&archive.path, dir)?;
        restores.push(Paired { bare, server: http::restore(server.address(CONSUL)?, &archive.path)? });
        store = fresh;
    }
    Ok((saves, restores))
}

/// Means over short turns: how fast a disk syncs changes from second to second.
fn measure_writes(server: &Server, dir: &Path, lasts: Duration) -> anyhow::Result<Writes> {
    let dir = tempfile::tempdir_in(dir)?;
    let mut redb = RedbLog::create(dir.path())?;
    let mut file = FileLog::create(dir.path())?;
    let turn = lasts / TURNS;
    let mut sum = Writes::default();
    for _ in 0..TURNS {
        sum.redb_one += redb.append(1, turn)?;
        sum.one_client += throughput(server.address(CONSUL)?, 1, turn)?;
        sum.file_one += file.append(turn)?;
        sum.redb_many += redb.append(CLIENTS, turn)?;
        sum.many_clients += throughput(server.address(CONSUL)?, CLIENTS, turn)?;
    }
    let mean = |sum: f64| sum / f64::from(TURNS);
    Ok(Writes {
        redb_one: mean(sum.redb_one),
        one_client: mean(sum.one_client),
        file_one: mean(sum.file_one),
        redb_many: mean(sum.redb_many),
        many_clients: mean(sum.many_clients),
    })
}

/// In many short turns, as a percentile tells most about the worst of moments.
fn measure_writers(server: &Server, archive: &Archive, lasts: Duration) -> anyhow::Result<Writers> {
    let address = server.address(CONSUL)?;
    let turn = lasts / 2;
    let mut writers = Writers::default();
    let mut write = keys(address)?;
    for _ in 0..TURNS {
        writers.idle.add_idle(turn, &mut write)?;
        writers.saving.add_during(turn, &mut write, || http::save(address).map(drop))?;
        writers.restoring.add_during(turn, &mut write, || http::restore(address, &archive.path).map(drop))?;
    }
    Ok(writers)
}

/// A server that was started on the state and has its caches full, but has neither saved nor restored: what
/// an earlier operation left allocated would hide what the next one takes.
fn measure_memory(options: &Options, dir: &Path, archive: &Archive) -> anyhow::Result<Memory> {
    tell(&format!("memory around {} MB of state", archive.state_bytes / 1_000_000));
    let data_dir = tempfile::tempdir_in(dir)?;
    let loader = Server::start(&options.server, data_dir.path(), &[CONSUL])?;
    http::restore(loader.address(CONSUL)?, &archive.path)?;
    loader.stop()?;
    let watch = |operation: &dyn Fn(&Server) -> anyhow::Result<()>| {
        let server = Server::start(&options.server, data_dir.path(), &[CONSUL])?;
        fill_caches(&server)?;
        let peak = server.watch_memory(|| operation(&server))?;
        server.stop()?;
        anyhow::Ok(peak)
    };
    Ok(Memory {
        state_bytes: archive.state_bytes,
        saving: watch(&|server| http::save(server.address(CONSUL)?).map(drop))?,
        restoring: watch(&|server| http::restore(server.address(CONSUL)?, &archive.path).map(drop))?,
    })
}

/// Makes the server pass over every key while it answers with the few prefixes.
fn fill_caches(server: &Server) -> anyhow::Result<()> {
    Connection::open(server.address(CONSUL)?)?.get("/v1/kv/?keys&separator=/")
}

pub(crate) fn tell(what: &str) {
    eprintln!("{what} ...");
}
