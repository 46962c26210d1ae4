//! What this crate asks of a state machine, and of the pinned views it gives out.

use std::io::{self, Read, Write};

use crate::types::{Applied, Entry};

/// A deterministic state, changed by the committed entries of one group and by nothing else.
///
/// Every method may block and is called off the async threads; `apply` and `install` one at a time, in log
/// order. An `Err` or a panic stops the group for good: a refusal that a client should see belongs in a reply.
pub trait StateMachine: Send + Sync + 'static {
    /// A pinned view, which later entries do not change.
    type Snapshot: Snapshot;

    /// How far the state has come. Read at start and before the log is purged.
    fn applied(&self) -> io::Result<Applied>;

    /// Applies consecutive entries and returns one reply for each.
    ///
    /// The data, the last position and the last membership must become visible and, later, durable together.
    /// Nothing need be durable on return: what a crash takes away is applied again from the log.
    fn apply(&self, entries: Vec<Entry>) -> io::Result<Vec<Vec<u8>>>;

    /// Pins the present state, in constant time.
    fn snapshot(&self) -> io::Result<Self::Snapshot>;

    /// Replaces the state by what another replica's [`Snapshot::write_to`] wrote, as of `applied`.
    ///
    /// Whatever happens in between, afterwards the machine holds the old state or the new one, and the new one
    /// is durable on return. Bytes that cannot be read completely are an error.
    fn install(&self, applied: Applied, bytes: &mut dyn Read) -> io::Result<()>;

    /// Makes everything applied so far durable. The log forgets no entry before this has returned for it.
    fn sync(&self) -> io::Result<()>;
}

/// A pinned view of a state machine.
pub trait Snapshot: Send + Sync + 'static {
    /// The position and membership of the view.
    fn applied(&self) -> &Applied;

    /// Writes the whole state. Runs on a thread of its own, for as long as the receiver takes.
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()>;
}
