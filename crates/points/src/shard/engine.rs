//! The engine in one generation's directory: opened so that it never uses an operation number twice, and
//! changed by one log entry after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use qdrant_edge::{EdgeConfig, EdgeShard, OperationError, PointOperations, UpdateOperation};

use super::entry::Reply;
use super::generation::Generation;
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;

/// How many operation numbers are reserved at once. After a crash up to so many are passed over.
const RESERVE: u64 = 1 << 12;

/// No shard comes to such a number by using them one by one; a file that says so is damaged.
const NUMBER_MAX: u64 = 1 << 62;

/// The engine of one generation.
pub(super) struct Engine {
    shard: Arc<EdgeShard>,
    generation: Generation,
    numbers: Numbers,
}

/// The engine ignores an operation whose number is not above that of the point it changes, and after a crash
/// it begins again above what its segments say, which may be less than what their points say. So numbers are
/// reserved in a file before they are used, and passed over after a crash.
struct Numbers {
    used: u64,
    reserved: u64,
}

impl Engine {
    /// A new, empty engine.
    pub(super) fn create(generation: Generation, config: &EdgeConfig) -> Result<Engine> {
        let shard = Arc::new(EdgeShard::new(generation.path(), config.clone())?);
        Engine::begin(shard, generation, 0)
    }

    /// The engine as it lies in its directory. It has used no number beyond `number`.
    pub(super) fn open(generation: Generation, config: &EdgeConfig, number: u64) -> Result<Engine> {
        // Settings that `config` leaves open must not come back from an earlier one.
        config.save(generation.path())?;
        let load = || EdgeShard::load(generation.path(), Some(config.clone()));
        let loaded = catch_unwind(AssertUnwindSafe(load)).map_err(|_| {
            let path = generation.path().display();
            Error::new(Kind::Corrupt, format!("the engine panicked over the files in {path}/"))
        })?;
        Engine::begin(Arc::new(loaded?), generation, number)
    }

    fn begin(shard: Arc<EdgeShard>, generation: Generation, number: u64) -> Result<Engine> {
        let manifest = shard.snapshot_manifest()?;
        let reached = manifest.iter().filter_map(|(segment, _)| manifest.version(segment)).max().unwrap_or(0);
        let used = number.max(generation.reserved()?).max(reached);
        if used > NUMBER_MAX {
            return Err(Error::new(Kind::Corrupt, format!("its points are at operation {used}")));
        }
        for _ in reached..used {
            let nothing = PointOperations::DeletePoints { ids: Vec::new() };
            shard.update(UpdateOperation::PointOperation(nothing))?;
        }
        Ok(Engine { shard, generation, numbers: Numbers { used, reserved: 0 } })
    }

    pub(super) fn shard(&self) -> &Arc<EdgeShard> {
        &self.shard
    }

    pub(super) fn generation(&self) -> &Generation {
        &self.generation
    }

    pub(super) fn into_parts(self) -> (Arc<EdgeShard>, Generation) {
        (self.shard, self.generation)
    }

    /// The last operation number used.
    pub(super) fn number(&self) -> u64 {
        self.numbers.used
    }

    /// Makes everything applied durable, as far as the engine's files go.
    pub(super) fn flush(&self) -> Result<()> {
        Ok(self.shard.flush()?)
    }

    /// Applies one operation. An error that a client should see is in the reply; an `Err` is the disk's or a
    /// bug's, and nothing may be applied after it.
    pub(super) fn apply(&mut self, operation: Operation, bytes: &[u8]) -> Result<Reply> {
        let Err(error) = self.update(operation.into_update())? else { return Ok(Reply::Done) };
        // What stands after the failed point in the entry has not been tried.
        let singles = Operation::decode(bytes)?.into_single();
        if singles.len() > 1 {
            for single in singles {
                let _known = self.update(single.into_update())?;
            }
        }
        Ok(Reply::Refused(error))
    }

    fn update(&mut self, update: UpdateOperation) -> Result<Result<(), Error>> {
        self.take_number()?;
        let shard = &self.shard;
        match catch_unwind(AssertUnwindSafe(|| shard.update(update))) {
            Ok(Ok(())) => Ok(Ok(())),
            Ok(Err(error)) if stops(&error) => Err(error.into()),
            Ok(Err(error)) => Ok(Err(error.into())),
            Err(_) => {
                // The log would repeat it for ever: the operation is refused, the shard goes on.
                tracing::error!("the engine panicked over an operation, which is refused");
                Ok(Err(Error::new(Kind::Internal, "the engine failed over this operation")))
            }
        }
    }

    /// Gives back the numbers that were not used. Nothing may be applied after it.
    pub(super) fn give_back(&self) -> Result<()> {
        self.generation.reserve(self.numbers.used)
    }

    fn take_number(&mut self) -> Result<()> {
        self.numbers.used += 1;
        if self.numbers.used > self.numbers.reserved {
            let reserved = self.numbers.used + RESERVE;
            self.generation.reserve(reserved)?;
            self.numbers.reserved = reserved;
        }
        Ok(())
    }
}

/// Whether nothing may be applied after this failure.
fn stops(error: &OperationError) -> bool {
    matches!(
        error,
        OperationError::ServiceError { .. }
            | OperationError::InconsistentStorage { .. }
            | OperationError::FileNotFound { .. }
            | OperationError::OutOfMemory { .. }
            | OperationError::OutOfAppendableCapacity { .. }
    )
}
