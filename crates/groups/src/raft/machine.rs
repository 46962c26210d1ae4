//! The state machine as the Raft library wants it: async, batched, and with panics turned into errors.
//!
//! There is no stored snapshot. The machine is durable by itself, so a snapshot is a pin taken when one is asked
//! for, and "building" one only makes sure that what it covers may leave the log.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::{Stream, TryStreamExt as _};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};
use tokio::sync::mpsc;

use super::{LogId, Reply, Snapshot as RaftSnapshot, SnapshotMeta, StoredMembership, Types, convert};
use crate::machine::{Snapshot, StateMachine};
use crate::types::{Applied, Entry, Payload, Position};

/// One call to the state machine gets at most this many entries ...
const BATCH_ENTRIES_MAX: usize = 1024;
/// ... and about this many bytes of commands.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Runs what may block off the async threads. A panic there comes back as an error.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| io::Error::new(error.kind(), format!("{what}: {error}"))),
        Err(ended) => Err(io::Error::other(format!("{what}: {ended}"))),
    }
}

/// Answers for what must not leave the log too early.
pub(crate) trait Durable: Send + Sync + 'static {
    /// Returns once everything up to and including `upto` is durable outside of the log. Blocks.
    fn ensure(&self, upto: Position) -> io::Result<()>;
}

/// A state machine, how much of it is known to be durable, and where it may put temporary files.
pub(crate) struct Host<S> {
    machine: Arc<S>,
    spool: PathBuf,
    synced: Mutex<Option<Position>>,
}

impl<S: StateMachine> Host<S> {
    pub(crate) fn new(machine: Arc<S>, spool: PathBuf) -> Self {
        Self { machine, spool, synced: Mutex::new(None) }
    }

    pub(crate) async fn applied(self: &Arc<Self>) -> io::Result<Applied> {
        let host = self.clone();
        blocking("read the applied position", move || host.machine.applied()).await
    }

    fn install(&self, applied: Applied, carried: Carried<S>) -> io::Result<()> {
        let position = applied.position;
        let file = carried.into_file(&self.spool)?;
        self.machine.install(applied, &mut BufReader::new(file))?;
        *self.synced.lock().expect("no holder panics while it writes one word") = position;
        Ok(())
    }
}

impl<S: StateMachine> Durable for Host<S> {
    fn ensure(&self, upto: Position) -> io::Result<()> {
        let synced = || self.synced.lock().expect("no holder panics while it writes one word");
        if *synced() >= Some(upto) {
            return Ok(());
        }
        let applied = self.machine.applied()?.position;
        if applied < Some(upto) {
            return Err(io::Error::other(format!("entry {upto} is to leave the log but was never applied")));
        }
        self.machine.sync()?;
        let mut synced = synced();
        *synced = applied.max(*synced);
        Ok(())
    }
}

/// A snapshot on its way: pinned here, or received from another replica.
pub(crate) enum Carried<S: StateMachine> {
    Pinned(S::Snapshot),
    /// At its start, and gone when closed.
    Received(File),
}

impl<S: StateMachine> Carried<S> {
    fn into_file(self, spool: &PathBuf) -> io::Result<File> {
        match self {
            Self::Received(file) => Ok(file),
            Self::Pinned(snapshot) => {
                let mut file = tempfile::tempfile_in(spool)?;
                snapshot.write_to(&mut file)?;
                file.flush()?;
                file.rewind()?;
                Ok(file)
            }
        }
    }
}

/// The machine behind the library's traits.
pub(crate) struct Machine<S> {
    host: Arc<Host<S>>,
    /// Held by everything that may yet touch the machine; the group's shutdown waits until all are gone.
    alive: mpsc::Sender<()>,
}

impl<S> Clone for Machine<S> {
    fn clone(&self) -> Self {
        Self { host: self.host.clone(), alive: self.alive.clone() }
    }
}

impl<S: StateMachine> Machine<S> {
    pub(crate) fn new(host: Arc<Host<S>>, alive: mpsc::Sender<()>) -> Self {
        Self { host, alive }
    }

    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Host<S>) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        // The clone goes along, so that shutdown waits for work whose caller has gone away.
        let machine = self.clone();
        blocking(what, move || work(&machine.host)).await
    }

    async fn pin(&self) -> io::Result<RaftSnapshot<S>> {
        let pinned = self.run("pin the state", |host| host.machine.snapshot()).await?;
        Ok(RaftSnapshot { meta: convert::snapshot_meta(pinned.applied()), snapshot: Carried::Pinned(pinned) })
    }

    async fn apply_batch(&self, batch: Batch) -> io::Result<()> {
        let Batch { entries, responders, .. } = batch;
        let expected = entries.len();
        let replies = self.run("apply entries", move |host| host.machine.apply(entries)).await?;
        if replies.len() != expected {
            return Err(io::Error::other(format!("{} replies to {expected} entries", replies.len())));
        }
        for (responder, reply) in responders.into_iter().zip(replies) {
            if let Some(responder) = responder {
                responder.send(Reply(reply));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    responders: Vec<Option<ApplyResponder<Types>>>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, entry: Entry, responder: Option<ApplyResponder<Types>>) {
        if let Payload::Command(command) = &entry.payload {
            self.bytes += command.len();
        }
        self.entries.push(entry);
        self.responders.push(responder);
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= BATCH_ENTRIES_MAX || self.bytes >= BATCH_BYTES_MAX
    }
}

impl<S: StateMachine> RaftStateMachine<Types> for Machine<S> {
    type SnapshotData = Carried<S>;
    type SnapshotBuilder = Builder<S>;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let applied = self.run("read the applied position", |host| host.machine.applied()).await?;
        let meta = convert::snapshot_meta(&applied);
        Ok((meta.last_log_id, meta.last_membership))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        let mut batch = Batch::default();
        while let Some((entry, responder)) = entries.try_next().await? {
            batch.push(convert::entry(entry).map_err(io::Error::other)?, responder);
            if batch.is_full() {
                self.apply_batch(std::mem::take(&mut batch)).await?;
            }
        }
        if !batch.entries.is_empty() {
            self.apply_batch(batch).await?;
        }
        Ok(())
    }

    /// Pins here, between two calls of apply. Before the first entry there is nothing to snapshot, unless forced.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Builder<S>> {
        let builder = self.get_snapshot_builder().await;
        let is_of_nothing =
            matches!(&builder.pinned, Some(Ok(snapshot)) if snapshot.meta.last_log_id.is_none());
        (force || !is_of_nothing).then_some(builder)
    }

    async fn get_snapshot_builder(&mut self) -> Builder<S> {
        Builder { machine: self.clone(), pinned: Some(self.pin().await) }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Carried<S>) -> io::Result<()> {
        let applied = convert::applied(meta).map_err(io::Error::other)?;
        self.run("install a snapshot", move |host| host.install(applied, snapshot)).await
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<RaftSnapshot<S>>> {
        let snapshot = self.pin().await?;
        Ok(snapshot.meta.last_log_id.is_some().then_some(snapshot))
    }
}

/// A pin that becomes a snapshot once the machine is synced.
pub(crate) struct Builder<S: StateMachine> {
    machine: Machine<S>,
    pinned: Option<io::Result<RaftSnapshot<S>>>,
}

impl<S: StateMachine> RaftSnapshotBuilder<Types> for Builder<S> {
    type SnapshotData = Carried<S>;

    async fn build_snapshot(&mut self) -> io::Result<RaftSnapshot<S>> {
        let snapshot =
            self.pinned.take().ok_or_else(|| io::Error::other("there is nothing to snapshot"))??;
        if let Some(upto) = snapshot.meta.last_log_id.as_ref().map(convert::position) {
            // The log may be purged up to here at once, and then must not have to wait.
            self.machine.run("sync the state machine", move |host| host.ensure(upto)).await?;
        }
        Ok(snapshot)
    }
}
