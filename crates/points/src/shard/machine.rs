//! The shard: opens its live generation, applies entries, makes them durable.
//!
//! Locks, in this order: `work` (whoever flushes, captures or exchanges generations), `writer` (whoever changes
//! the engine, or holds it still), then any of the others, each for moments.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use qdrant_edge::{EdgeConfig, EdgeShard};

use super::capture::{Capture, Contents};
use super::engine::Engine;
use super::entry::{Applied, Entry};
use super::files::{self, failed};
use super::generation::{self, Generation, Record};
use super::keeper::Keeper;
use super::meter::Meter;
use super::spool::Spool;
use crate::cpu::check_cpu;
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;

/// With less than this free on its disk a shard applies nothing more: the engine writes through memory maps,
/// and a page that finds no room kills the process. Whoever proposes changes must stop well before.
pub const FREE_BYTES_MIN: u64 = 64 << 20;

/// Threads that a shard searches its segments with, at most, unless its settings say otherwise.
const SEARCH_THREADS_MAX: usize = 4;

/// How long closing waits for readings.
const CLOSING_MAX: Duration = Duration::from_secs(10);

/// What opening a shard needs.
pub struct Options {
    /// Its directory; made if it is missing. No one else may have it open.
    pub dir: PathBuf,
    /// Its settings. The vectors' names, sizes and distances are those it was made with.
    pub config: EdgeConfig,
    /// How long changes may stay without being durable, unless someone asks.
    pub flush_interval: Duration,
    /// Who flushes and optimises it.
    pub keeper: Keeper,
}

/// Whether a shard is as its settings want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing to do.
    Green,
    /// Being optimised.
    Yellow,
    /// Optimising is due and has not begun.
    Grey,
    /// It failed, and takes no more changes.
    Red,
}

/// One shard. What is applied can be read at once; what a crash takes away is applied again from the log,
/// from [`Shard::applied`] on, before anything is read.
pub struct Shard {
    pub(super) dir: PathBuf,
    flush_interval: Duration,
    pub(super) keeper: Keeper,
    pub(super) work: Mutex<()>,
    pub(super) writer: Mutex<Writer>,
    pub(super) live: RwLock<Option<Arc<EdgeShard>>>,
    pub(super) plan: Mutex<Plan>,
    pub(super) health: Mutex<Health>,
}

/// What only one may change at a time.
pub(super) struct Writer {
    /// `None` once the shard is closed.
    pub(super) engine: Option<Engine>,
    pub(super) applied: Applied,
    /// Where operations go, too, while a generation is being built.
    pub(super) spool: Option<Spool>,
    /// Whether anything was applied since the last flush.
    pub(super) dirty: bool,
    /// Why nothing more is applied.
    pub(super) stopped: Option<Error>,
}

/// What decides about optimising.
pub(super) struct Plan {
    pub(super) config: EdgeConfig,
    pub(super) meter: Meter,
}

#[derive(Default)]
pub(super) struct Health {
    pub(super) dirty_since: Option<Instant>,
    pub(super) optimising: bool,
    pub(super) optimizer_error: Option<String>,
    /// After optimising failed: not before then again.
    pub(super) retry_at: Option<Instant>,
    pub(super) failed: bool,
}

impl Shard {
    /// Opens the shard in `options.dir`, as of its last flush, or makes an empty one. `Unsupported` if this
    /// processor cannot run the engine, or a newer release wrote the directory.
    pub fn open(options: Options) -> Result<Arc<Shard>> {
        if let Some(sentence) = check_cpu() {
            return Err(Error::new(Kind::Unsupported, sentence));
        }
        let dir = options.dir;
        let config = settings(options.config);
        fs::create_dir_all(&dir).map_err(failed("create", &dir))?;
        let found = Generation::live(&dir)?;
        generation::sweep(&dir, found.as_ref())?;
        let (engine, mut record) = match found {
            Some(generation) => {
                let record = generation.record()?;
                (Engine::open(generation, &config, record.number)?, record)
            }
            None => create(&dir, &config)?,
        };
        record.meter.opened(&config, engine.shard().info()?.segments_count);
        let shard = Arc::new(Shard {
            dir,
            flush_interval: options.flush_interval,
            keeper: options.keeper,
            work: Mutex::default(),
            live: RwLock::new(Some(engine.shard().clone())),
            writer: Mutex::new(Writer {
                engine: Some(engine),
                applied: record.applied,
                spool: None,
                dirty: false,
                stopped: None,
            }),
            plan: Mutex::new(Plan { config, meter: record.meter }),
            health: Mutex::default(),
        });
        shard.keeper.add(&shard);
        Ok(shard)
    }

    /// Whether there is a shard in `dir`, which may be one that cannot be opened.
    pub fn is_in(dir: &std::path::Path) -> bool {
        !matches!(Generation::live(dir), Ok(None))
    }

    /// The last entry applied. When a shard is opened, what follows it must be applied before it is read.
    pub fn applied(&self) -> Applied {
        lock(&self.writer).applied.clone()
    }

    /// Applies consecutive entries; one reply each, as [`crate::Reply::encode`] writes it, and an empty one for an entry
    /// without operation.
    ///
    /// An operation that fails over some of its points is applied to the others, and refused. An `Err` is the
    /// disk's, or an entry that cannot be read: nothing more is applied until the shard is opened again.
    pub fn apply(&self, entries: Vec<Entry>) -> Result<Vec<Vec<u8>>> {
        let mut writer = lock(&self.writer);
        writer.check()?;
        let room = files::free(&self.dir).map_err(failed("look at", &self.dir))?;
        let replies = match room {
            ..FREE_BYTES_MIN => Err(Error::new(Kind::Full, "no room on the disk")),
            _ => entries.into_iter().map(|entry| self.apply_one(&mut writer, entry)).collect(),
        };
        if let Err(error) = &replies {
            self.stop(&mut writer, error);
        }
        drop(writer);
        self.look_after();
        replies
    }

    fn apply_one(&self, writer: &mut Writer, entry: Entry) -> Result<Vec<u8>> {
        let mut reply = Vec::new();
        if let Some(bytes) = entry.operation {
            let operation = Operation::decode(&bytes)?;
            lock(&self.plan).meter.count(operation.update());
            reply = writer.engine()?.apply(operation, &bytes)?.encode();
            if let Some(spool) = &mut writer.spool {
                spool.push(&bytes);
            }
        }
        if let Some(members) = entry.members {
            writer.applied.members = members;
        }
        writer.applied.position = Some(entry.position);
        writer.dirty = true;
        Ok(reply)
    }

    /// Tells the keeper if there is something new to do.
    fn look_after(&self) {
        let mut health = lock(&self.health);
        let clean = health.dirty_since.is_none();
        health.dirty_since.get_or_insert_with(Instant::now);
        drop(health);
        let due = {
            let plan = lock(&self.plan);
            plan.meter.may_be_due(&plan.config)
        };
        if clean || due {
            self.keeper.wake();
        }
    }

    /// When this returns, everything applied survives a power cut.
    pub fn sync(&self) -> Result<()> {
        let _work = lock(&self.work);
        let mut writer = lock(&self.writer);
        writer.check()?;
        if !writer.dirty {
            return Ok(());
        }
        lock(&self.health).dirty_since = None;
        let engine = writer.engine()?;
        let (flushed, generation, number) = (engine.flush(), engine.generation().clone(), engine.number());
        let flushed = flushed.and_then(|()| {
            let record = self.record(&writer, number);
            writer.dirty = false;
            // What is applied from here on is not in the record, and does it no harm.
            drop(writer);
            generation.write_record(&record)
        });
        if let Err(error) = &flushed {
            self.stop(&mut lock(&self.writer), error);
        }
        flushed
    }

    /// Pins a copy of the present state. Changes wait meanwhile, reading goes on: links and copies of what may
    /// change, some 10 to 100 ms. Whoever holds more than this shard meanwhile should [`Shard::sync`] before, so
    /// that there is little left to flush. The copy is not durable.
    pub fn capture(&self) -> Result<Capture> {
        let _work = lock(&self.work);
        let mut writer = lock(&self.writer);
        writer.check()?;
        self.capture_as(&mut writer, Generation::new(&self.dir).path().to_owned())
    }

    /// A copy of the present state in `dir`. The caller holds `work`.
    pub(super) fn capture_as(&self, writer: &mut Writer, dir: PathBuf) -> Result<Capture> {
        let dirty = writer.dirty;
        let engine = writer.engine()?;
        let (generation, number) = (engine.generation().clone(), engine.number());
        let flushed = if dirty { engine.flush() } else { Ok(()) };
        if let Err(error) = flushed {
            self.stop(writer, &error);
            return Err(error);
        }
        let contents = Contents::of(writer.engine()?.shard(), number)?;
        let record = self.record(writer, number);
        let capture = Capture::take(generation.path(), dir, record.applied.clone(), contents)?;
        generation::write_record(capture.dir(), &record)?;
        Ok(capture)
    }

    /// What may be written after a flush that just ended.
    fn record(&self, writer: &Writer, number: u64) -> Record {
        Record { applied: writer.applied.clone(), number, meter: lock(&self.plan).meter.clone() }
    }

    /// For reading. What is applied later is seen too, until the shard is optimised or replaced: ask again for
    /// each request, and let it go soon: closing waits for it. An error once the shard is closed.
    pub fn live(&self) -> Result<Arc<EdgeShard>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)
    }

    /// Changes settings; what exists is brought in line by optimising. `Invalid` if vectors change.
    pub fn configure(&self, config: EdgeConfig) -> Result<()> {
        let config = settings(config);
        let mut writer = lock(&self.writer);
        let live = writer.engine()?.shard().clone();
        let mut plan = lock(&self.plan);
        config.check_compatible_with_segment_config(&plan.config.plain_segment_config()).map_err(|why| {
            Error::invalid(format!("these settings do not fit the points that there are: {why}"))
        })?;
        live.set_hnsw_config(config.hnsw_config())?;
        live.set_optimizers_config(config.optimizers())?;
        for (name, params) in &config.vectors {
            if let Some(hnsw) = params.hnsw_config {
                live.set_vector_hnsw_config(name, hnsw)?;
            }
        }
        plan.config = config;
        drop(plan);
        drop(writer);
        self.keeper.wake();
        Ok(())
    }

    /// How it is.
    pub fn status(&self) -> Status {
        let health = lock(&self.health);
        match (health.failed, health.optimising) {
            (true, _) => return Status::Red,
            (_, true) => return Status::Yellow,
            _ => drop(health),
        }
        match self.optimising_is_due() {
            true => Status::Grey,
            false => Status::Green,
        }
    }

    /// Why the last optimising failed, if it did. It is tried again.
    pub fn optimizer_error(&self) -> Option<String> {
        lock(&self.health).optimizer_error.clone()
    }

    pub(super) fn optimising_is_due(&self) -> bool {
        let plan = lock(&self.plan);
        if !plan.meter.may_be_due(&plan.config) {
            return false;
        }
        let (config, meter) = (plan.config.clone(), plan.meter.clone());
        drop(plan);
        let info = self.live().map(|live| live.info());
        info.is_ok_and(|info| info.is_ok_and(|info| meter.is_due(&config, &info)))
    }

    /// Makes everything durable, takes no more changes, and lets go of the directory: waits for readings that go
    /// on, for the engine writes its files again when it ends, and whoever opens them next must come after.
    pub fn close(&self) -> Result<()> {
        let synced = self.sync();
        let _work = lock(&self.work);
        let mut writer = lock(&self.writer);
        writer.stopped.get_or_insert_with(closed);
        writer.spool = None;
        let engine = writer.engine.take();
        drop(writer);
        self.keeper.remove(self);
        self.live.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(engine) = engine else { return synced };
        let closed = synced.and_then(|()| engine.give_back());
        self.release(engine.into_parts().0);
        closed
    }

    fn release(&self, mut engine: Arc<EdgeShard>) {
        let begun = Instant::now();
        while let Err(still_read) = Arc::try_unwrap(engine).map(drop) {
            engine = still_read;
            if begun.elapsed() > CLOSING_MAX {
                tracing::warn!("the shard in {} is closed while it is read", self.dir.display());
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// When the keeper should flush.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        lock(&self.health).dirty_since.map(|since| since + self.flush_interval)
    }

    /// Applies nothing more after `error`.
    pub(super) fn stop(&self, writer: &mut Writer, error: &Error) {
        tracing::error!("the shard in {} stops: {error}", self.dir.display());
        writer.stopped.get_or_insert_with(|| error.clone());
        let mut health = lock(&self.health);
        health.failed = true;
        health.dirty_since = None;
    }
}

impl Writer {
    pub(super) fn engine(&mut self) -> Result<&mut Engine> {
        self.check()?;
        self.engine.as_mut().ok_or_else(closed)
    }

    pub(super) fn check(&self) -> Result<()> {
        match &self.stopped {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

fn closed() -> Error {
    Error::new(Kind::Internal, "the shard is closed")
}

fn create(dir: &std::path::Path, config: &EdgeConfig) -> Result<(Engine, Record)> {
    let generation = Generation::new(dir);
    let engine = Engine::create(generation.clone(), config)?;
    engine.flush()?;
    let record = Record { applied: Applied::default(), number: engine.number(), meter: Meter::empty(config) };
    generation.write_record(&record)?;
    files::sync_tree(generation.path()).map_err(failed("sync", generation.path()))?;
    generation.go_live()?;
    Ok((engine, record))
}

/// `config`, with what a shard decides itself.
pub(super) fn settings(mut config: EdgeConfig) -> EdgeConfig {
    // The log of the group is the only one.
    config.wal_enabled = Some(false);
    config.wal_options = None;
    config.hnsw_config = Some(config.hnsw_config());
    config.optimizers = Some(config.optimizers());
    config.max_search_threads.get_or_insert_with(|| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        processors.saturating_sub(1).clamp(1, SEARCH_THREADS_MAX)
    });
    config
}

/// A panic elsewhere leaves these states whole: each is changed in one step, or stops the shard.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
