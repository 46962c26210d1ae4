//! A shard as its group's state machine: points underneath.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use points::Shard;

/// The state machine of a shard's group.
pub(crate) struct ShardMachine {
    shard: Arc<Shard>,
    /// Bytes of entries applied since the log was cut last.
    logged: AtomicU64,
}

impl ShardMachine {
    pub(crate) fn new(shard: Arc<Shard>) -> ShardMachine {
        ShardMachine { shard, logged: AtomicU64::new(0) }
    }

    pub(crate) fn shard(&self) -> &Arc<Shard> {
        &self.shard
    }

    /// Bytes of entries applied since [`cut`](Self::cut).
    pub(crate) fn logged_bytes(&self) -> u64 {
        self.logged.load(Ordering::Relaxed)
    }

    /// The log is being cut: what was applied until now counts no more.
    pub(crate) fn cut(&self) {
        self.logged.store(0, Ordering::Relaxed);
    }
}

impl groups::StateMachine for ShardMachine {
    type Snapshot = ShardSnapshot;

    fn applied(&self) -> io::Result<groups::Applied> {
        to_group(&self.shard.applied())
    }

    fn apply(&self, entries: Vec<groups::Entry>) -> io::Result<Vec<Vec<u8>>> {
        let bytes = entries.iter().map(|entry| match &entry.payload {
            groups::Payload::Command(command) => command.len() as u64,
            groups::Payload::Blank | groups::Payload::Members(_) => 0,
        });
        self.logged.fetch_add(bytes.sum(), Ordering::Relaxed);
        self.shard.apply(entries.into_iter().map(from_group).collect()).map_err(io::Error::other)
    }

    fn snapshot(&self) -> io::Result<ShardSnapshot> {
        Ok(ShardSnapshot { applied: self.applied()?, shard: Arc::clone(&self.shard) })
    }

    fn install(&self, applied: groups::Applied, bytes: &mut dyn Read) -> io::Result<()> {
        let position = applied.position.map(|p| points::Position { term: p.term, index: p.index });
        let applied = points::Applied { position, members: applied.members.to_bytes() };
        self.shard.install(applied, bytes).map_err(io::Error::other)
    }

    fn sync(&self) -> io::Result<()> {
        self.shard.sync().map_err(io::Error::other)
    }
}

/// A shard to be sent to another replica.
///
/// It is captured when it is sent, which may be later than `applied` says: the replica then repeats entries that
/// it already has, and repeating a suffix of the log leads to the same state. So a point from which the log may be
/// cut costs no copy.
pub(crate) struct ShardSnapshot {
    applied: groups::Applied,
    shard: Arc<Shard>,
}

impl groups::Snapshot for ShardSnapshot {
    fn applied(&self) -> &groups::Applied {
        &self.applied
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let capture = self.shard.capture().map_err(io::Error::other)?;
        capture.write_to(out).map_err(io::Error::other)
    }
}

fn to_group(applied: &points::Applied) -> io::Result<groups::Applied> {
    let members = match applied.members.as_slice() {
        [] => groups::Members::default(),
        bytes => groups::Members::from_bytes(bytes).map_err(io::Error::other)?,
    };
    let position = applied.position.map(|p| groups::Position { term: p.term, index: p.index });
    Ok(groups::Applied { position, members })
}

fn from_group(entry: groups::Entry) -> points::Entry {
    let position = points::Position { term: entry.position.term, index: entry.position.index };
    let (members, operation) = match entry.payload {
        groups::Payload::Blank => (None, None),
        groups::Payload::Members(members) => (Some(members.to_bytes()), None),
        groups::Payload::Command(command) => (None, Some(command.to_vec())),
    };
    points::Entry { position, members, operation }
}
