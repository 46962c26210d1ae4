//! Optimising: a generation is built beside the live one, and exchanged for it.
//!
//! The engine's own optimising keeps the changes of segments under work in memory, where neither a flush nor a
//! capture sees them. So it never runs on the live generation but on a copy that nobody changes: the operations
//! applied meanwhile are spooled, and applied to the copy when it is optimised. A crash leaves the live
//! generation as it was, and the copy to be swept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use qdrant_edge::{EdgeConfig, ResourceBudget};

use super::capture::Capture;
use super::engine::Engine;
use super::files::{self, failed};
use super::generation::{Generation, Record};
use super::machine::{FREE_BYTES_MIN, Shard, Writer, lock};
use super::meter::Outcome;
use super::spool::{Spool, SpoolReader};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;

/// After optimising failed, the next attempt waits so long.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// While the copy catches up, changes are only held for the last of them: so few bytes, or whatever is left
/// after so many rounds if they come faster than they can be applied twice.
const HELD_BYTES_MAX: u64 = 256 << 10;
const ROUNDS_MAX: usize = 16;

/// A copy, and what it is a copy of.
struct Building {
    capture: Capture,
    generation: Generation,
    base: Generation,
    spooled: SpoolReader,
    config: EdgeConfig,
    number: u64,
    points: u64,
}

impl Shard {
    /// Whether the keeper should optimise now.
    pub(super) fn wants_optimising(&self) -> bool {
        let health = lock(&self.health);
        if health.optimising || health.failed || health.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        drop(health);
        self.optimising_is_due()
    }

    /// Optimises, and notes how that went. Changes and readings go on.
    pub(super) fn optimise(&self, budget: ResourceBudget) {
        let built = catch_unwind(AssertUnwindSafe(|| self.build(budget)))
            .unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the engine panicked while optimising")));
        lock(&self.writer).spool = None;
        let mut health = lock(&self.health);
        health.optimising = false;
        match built {
            Ok(()) => {
                health.optimizer_error = None;
                health.retry_at = None;
            }
            Err(error) => {
                tracing::warn!("optimise the shard in {}: {error}", self.dir.display());
                health.optimizer_error = Some(error.text);
                health.retry_at = Some(Instant::now() + RETRY_AFTER);
            }
        }
    }

    fn build(&self, budget: ResourceBudget) -> Result<()> {
        let mut building = self.begin()?;
        let mut engine = Engine::open(building.generation.clone(), &building.config, building.number)?;
        if !engine.shard().optimize_with_budget(budget)? {
            let outcome = Outcome::InVain { copied: building.capture.copied() };
            let segments = engine.shard().info()?.segments_count as u64;
            lock(&self.plan).meter.ended(&building.config, outcome, building.points, segments);
            return Ok(());
        }
        engine.flush()?;
        let path = building.generation.path();
        files::sync_tree(path).map_err(failed("sync", path))?;
        for _ in 0..ROUNDS_MAX {
            let Some(end) = self.spooled(&building)? else { return Ok(()) };
            let behind = end - building.spooled.read();
            building.catch_up(&mut engine, end)?;
            if behind <= HELD_BYTES_MAX {
                break;
            }
        }
        engine.flush()?;
        self.exchange(building, engine)
    }

    /// Captures the live generation as the beginning of a new one.
    fn begin(&self) -> Result<Building> {
        let _work = lock(&self.work);
        let mut writer = lock(&self.writer);
        let engine = writer.engine()?;
        let (base, live) = (engine.generation().clone(), engine.shard().clone());
        let needed = files::allocated(base.path()).map_err(failed("look at", base.path()))?;
        let free = files::free(&self.dir).map_err(failed("look at", &self.dir))?;
        if free < needed.saturating_mul(2).saturating_add(2 * FREE_BYTES_MIN) {
            return Err(Error::new(Kind::Full, "no room on the disk to optimise"));
        }
        let points = live.info()?.points_count as u64;
        drop(live);
        let generation = Generation::new(&self.dir);
        let capture = self.capture_as(&mut writer, generation.path().to_owned())?;
        let path = generation.path().with_extension("spool");
        let spool = Spool::create(path.clone()).map_err(failed("create", &path))?;
        let spooled = spool.reader().map_err(failed("open", &path))?;
        writer.spool = Some(spool);
        let mut plan = lock(&self.plan);
        plan.meter.begin();
        let config = plan.config.clone();
        drop(plan);
        let number = writer.engine()?.number();
        Ok(Building { capture, generation, base, spooled, config, number, points })
    }

    /// How far the spool may be read; `None` if the copy has become useless.
    fn spooled(&self, building: &Building) -> Result<Option<u64>> {
        let mut writer = lock(&self.writer);
        building.end(&mut writer)
    }

    /// Makes the copy the live generation.
    fn exchange(&self, mut building: Building, mut engine: Engine) -> Result<()> {
        let _work = lock(&self.work);
        let mut writer = lock(&self.writer);
        let Some(end) = building.end(&mut writer)? else { return Ok(()) };
        building.catch_up(&mut engine, end)?;
        engine.flush()?;
        let segments = engine.shard().info()?.segments_count as u64;
        let mut meter = lock(&self.plan).meter.clone();
        meter.ended(&building.config, Outcome::Optimised, building.points, segments);
        let record =
            Record { applied: writer.applied.clone(), number: engine.number(), meter: meter.clone() };
        building.generation.write_record(&record)?;
        fail::fail_point!("exchange::before");
        building.capture.keep();
        self.go_live(&mut writer, engine)?;
        fail::fail_point!("exchange::after");
        lock(&self.plan).meter = meter;
        Ok(())
    }

    /// Makes `engine`, whose files are durable with everything applied in them, the live one. The caller holds
    /// `work`. Readings that have the former one go on; it is removed when the last of them is done.
    pub(super) fn go_live(&self, writer: &mut Writer, engine: Engine) -> Result<()> {
        if let Err(error) = engine.generation().go_live() {
            // Which of the two a restart will find is unknown: nothing may be added to either.
            self.stop(writer, &error);
            return Err(error);
        }
        writer.spool = None;
        writer.dirty = false;
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(engine.shard().clone());
        if let Some(former) = writer.engine.replace(engine) {
            let (former, generation) = former.into_parts();
            self.keeper.retire(former, generation);
        }
        Ok(())
    }
}

impl Building {
    /// How far the spool may be read; `None` if the shard was closed, has failed or was replaced.
    fn end(&self, writer: &mut Writer) -> Result<Option<u64>> {
        match writer.engine() {
            Ok(engine) if engine.generation() == &self.base => {}
            _ => return Ok(None),
        }
        let Some(spool) = &mut writer.spool else { return Ok(None) };
        match spool.ready() {
            Ok(end) => Ok(Some(end)),
            Err(error) => Err(failed("spool operations in", self.base.path())(error)),
        }
    }

    fn catch_up(&mut self, engine: &mut Engine, end: u64) -> Result<()> {
        let read = failed("read the spool of", self.base.path());
        let mut next = || self.spooled.next(end);
        loop {
            match next() {
                Ok(Some(bytes)) => {
                    let _reply = engine.apply(Operation::decode(&bytes)?, &bytes)?;
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(read(error)),
            }
        }
    }
}
