//! Group commit: what arrives while a transaction is being synced goes into the next one, all of it.
//!
//! Changes reach the disk in the order in which they were asked for. A failed sync stops the log for good: what
//! the disk holds then is known only to the next open.

use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use tokio::sync::oneshot;

use super::Error;
use super::disk::{Change, Disk, Recovered};
use super::tail::Tail;
use crate::types::{Ballot, Entry, Position};

/// At most this many entries go into one transaction, so that the first of them need not wait for all.
const BATCH_ENTRIES_MAX: usize = 4096;

/// Told once, when a change is durable or will never be.
type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// The same, to be waited for.
type Outcome = oneshot::Receiver<io::Result<()>>;

/// An open log, shared by everyone who reads or writes it.
#[derive(Debug)]
pub(crate) struct Store {
    disk: RwLock<Option<Disk>>,
    queue: Mutex<Queue>,
}

/// What a log holds, the changes still on their way to disk included (all but the ballot).
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The last vote; durable.
    pub(crate) ballot: Option<Ballot>,
    /// How far the log was last known to be committed.
    pub(crate) committed: Option<Position>,
    /// The last entry that was purged.
    pub(crate) purged: Option<Position>,
    /// The last entry, or the last purged if there is none.
    pub(crate) last: Option<Position>,
    /// The index of the first entry, or where it will be.
    first: u64,
}

#[derive(Default)]
struct Queue {
    state: State,
    tail: Tail,
    waiting: Vec<Waiting>,
    /// Whether `committed` has changed since it was last written. It rides along, never syncs on its own.
    committed_unsaved: bool,
    /// Whether someone is already emptying `waiting`.
    flushing: bool,
    /// Why nothing more is accepted, once that is so.
    stopped: Option<Arc<str>>,
}

struct Waiting {
    order: Order,
    done: Done,
}

enum Order {
    Change(Change),
    /// Give the file back. Always the last order.
    Close,
}

impl Store {
    pub(super) fn new(disk: Disk, recovered: Recovered) -> Self {
        let Recovered { ballot, committed, purged, last, .. } = recovered;
        let state =
            State { ballot, committed, purged, last, first: purged.map_or(0, |purged| purged.index + 1) };
        let queue = Queue { state, ..Queue::default() };
        Self { disk: RwLock::new(Some(disk)), queue: Mutex::new(queue) }
    }

    pub(crate) fn state(&self) -> State {
        self.queue().state.clone()
    }

    /// Adds entries, readable on return; `done` is told when they are durable.
    pub(crate) fn append(
        self: &Arc<Self>,
        entries: Vec<Entry>,
        done: impl FnOnce(io::Result<()>) + Send + 'static,
    ) -> io::Result<()> {
        let mut queue = self.queue();
        queue.check_running()?;
        if queue.state.last.is_none()
            && let Some(first) = entries.first()
        {
            // A log that never held anything takes any first entry; all others must follow.
            queue.state.first = first.position.index;
        }
        let next = queue.state.last.map_or(queue.state.first, |last| last.index + 1);
        if let Some((_, entry)) = (next..).zip(&entries).find(|(due, entry)| entry.position.index != *due) {
            return Err(io::Error::other(format!("entry {} does not follow the one before", entry.position)));
        }
        for entry in &entries {
            queue.state.last = Some(entry.position);
            queue.tail.push(entry.clone());
        }
        self.submit(queue, Order::Change(Change::Append(entries)), Box::new(done));
        Ok(())
    }

    /// Stores a vote; durable on return.
    pub(crate) async fn save_ballot(self: &Arc<Self>, ballot: Ballot) -> io::Result<()> {
        settled(self.ask(|_| Order::Change(Change::Ballot(ballot)))?).await
    }

    /// Removes the entries after `last`; durable on return.
    pub(crate) async fn truncate_after(self: &Arc<Self>, last: Option<Position>) -> io::Result<()> {
        let ordered = self.ask(|queue| {
            let from = last.map_or(0, |last| last.index + 1);
            queue.tail.truncate(from);
            queue.state.last = queue.state.last.min(last).max(queue.state.purged);
            Order::Change(Change::Truncate(from))
        })?;
        settled(ordered).await
    }

    /// Removes the entries up to and including `upto`, or moves an empty log there. Not yet durable on return:
    /// a crash brings the entries back, which harms nobody.
    pub(crate) fn purge(self: &Arc<Self>, upto: Position) -> io::Result<()> {
        self.ask(|queue| {
            queue.tail.purge(upto.index);
            queue.state.purged = queue.state.purged.max(Some(upto));
            queue.state.last = queue.state.last.max(Some(upto));
            queue.state.first = queue.state.first.max(upto.index + 1);
            Order::Change(Change::Purge(upto))
        })
        .map(drop)
    }

    /// Notes how far the log is committed. Written with the next change, or never.
    pub(crate) fn save_committed(&self, committed: Option<Position>) -> io::Result<()> {
        let mut queue = self.queue();
        queue.check_running()?;
        queue.state.committed = committed;
        queue.committed_unsaved = true;
        Ok(())
    }

    /// Writes what is waiting and closes the file. On return it can be opened again, by anyone.
    pub(crate) async fn close(self: &Arc<Self>) {
        let closing = {
            let mut queue = self.queue();
            if queue.stopped.is_none() {
                queue.stopped = Some("the log is closed".into());
            }
            let (done, closed) = oneshot::channel();
            // Closed is closed, whether or not the last write went well.
            let told = |_| {
                done.send(()).ok();
            };
            self.submit(queue, Order::Close, Box::new(told));
            closed
        };
        // The sender is lost only with the runtime, and then there is nobody left to open the file again.
        closing.await.ok();
    }

    /// Entries from the start of the range on: all that exist, or after the first only `bytes_max`.
    pub(crate) async fn read(
        self: &Arc<Self>,
        range: Range<u64>,
        bytes_max: usize,
    ) -> io::Result<Vec<Entry>> {
        let (cold, hot) = self.queue().read(range, bytes_max);
        if cold.is_empty() {
            return Ok(hot);
        }
        let log = self.clone();
        tokio::task::spawn_blocking(move || log.read_cold(cold, hot, bytes_max))
            .await
            .map_err(io::Error::other)?
    }

    /// Puts what is only on disk in front of what came from the tail.
    fn read_cold(&self, cold: Range<u64>, hot: Vec<Entry>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let end = hot.last().map_or(cold.end, |last| last.position.index + 1);
        let mut entries = {
            let disk = self.disk.read().expect("no holder of the disk panics");
            let disk = disk.as_ref().ok_or_else(|| io::Error::other("the log is closed"))?;
            disk.read(cold.clone(), bytes_max).map_err(io::Error::other)?
        };
        let complete = bytes_max == usize::MAX;
        if complete {
            entries.extend(hot);
        }
        // A purge may have come in between, and takes from the front; nothing else may be missing.
        let expected = cold.start.max(self.queue().state.first);
        entries.retain(|entry| entry.position.index >= expected);
        let gapless = entries.iter().zip(expected..).all(|(entry, index)| entry.position.index == index);
        let reached = entries.last().map_or(expected, |last| last.position.index + 1);
        if !gapless || (complete && reached < end) || (entries.is_empty() && expected < end) {
            return Err(io::Error::other(format!("the log misses an entry from {expected} on")));
        }
        Ok(entries)
    }

    /// Enqueues an order, and gives what will tell how it went.
    fn ask(self: &Arc<Self>, order: impl FnOnce(&mut Queue) -> Order) -> io::Result<Outcome> {
        let (done, outcome) = oneshot::channel();
        let mut queue = self.queue();
        queue.check_running()?;
        let order = order(&mut queue);
        // Whoever asked may have stopped listening.
        self.submit(queue, order, Box::new(move |result| drop(done.send(result))));
        Ok(outcome)
    }

    /// Enqueues an order and sees to it that someone writes.
    fn submit(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>, order: Order, done: Done) {
        queue.waiting.push(Waiting { order, done });
        if !queue.flushing {
            queue.flushing = true;
            drop(queue);
            let log = self.clone();
            tokio::task::spawn_blocking(move || while log.flush() {});
        }
    }

    /// Writes one batch of what is waiting. False when there was nothing.
    fn flush(&self) -> bool {
        let Some(batch) = self.queue().take_batch() else {
            return false;
        };
        let closes = matches!(batch.last(), Some(Waiting { order: Order::Close, .. }));
        // A panic below would leave everyone waiting for ever; it stops the log like any other failure.
        let result = catch_unwind(AssertUnwindSafe(|| self.write(&batch)))
            .unwrap_or_else(|_| Err(Error::Io(io::Error::other("the log's writer panicked"))));
        if closes {
            self.disk.write().expect("no holder of the disk panics").take();
        }
        self.settle(batch, result);
        true
    }

    fn write(&self, batch: &[Waiting]) -> Result<(), Error> {
        let changes = || {
            batch.iter().filter_map(|waiting| match &waiting.order {
                Order::Change(change) => Some(change),
                Order::Close => None,
            })
        };
        let disk = self.disk.read().expect("no holder of the disk panics");
        match disk.as_ref() {
            Some(disk) if changes().next().is_some() => disk.commit(changes()),
            _ => Ok(()),
        }
    }

    /// Tells everyone how it went.
    fn settle(&self, batch: Vec<Waiting>, result: Result<(), Error>) {
        let failure = result.err().map(|error| Arc::<str>::from(error.to_string()));
        let mut told = batch;
        {
            let mut queue = self.queue();
            match &failure {
                None => told.iter().for_each(|waiting| queue.note_durable(&waiting.order)),
                Some(failure) => {
                    tracing::error!(%failure, "the log has stopped until it is opened again");
                    queue.stopped = Some(failure.clone());
                    // The order to close stands: the file has to be given back all the same.
                    told.extend(
                        queue.waiting.extract_if(.., |waiting| !matches!(waiting.order, Order::Close)),
                    );
                }
            }
        }
        for waiting in told {
            (waiting.done)(
                failure.as_ref().map_or(Ok(()), |failure| Err(io::Error::other(failure.to_string()))),
            );
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of the queue panics")
    }
}

async fn settled(outcome: Outcome) -> io::Result<()> {
    outcome.await.unwrap_or_else(|_| Err(io::Error::other("the log's writer is gone")))
}

impl Queue {
    fn check_running(&self) -> io::Result<()> {
        self.stopped.as_ref().map_or(Ok(()), |why| Err(io::Error::other(why.to_string())))
    }

    /// The next orders to carry out together; none, and then nobody is flushing any more.
    fn take_batch(&mut self) -> Option<Vec<Waiting>> {
        if self.waiting.is_empty() {
            self.flushing = false;
            return None;
        }
        let mut entries = 0;
        let end = self.waiting.iter().position(|waiting| {
            entries += waiting.order.entries();
            entries > BATCH_ENTRIES_MAX
        });
        let end = end.unwrap_or(self.waiting.len()).max(1);
        let mut batch: Vec<_> = self.waiting.drain(..end).collect();
        if self.committed_unsaved
            && let Some(committed) = self.state.committed
        {
            self.committed_unsaved = false;
            let order = Order::Change(Change::Committed(committed));
            batch.insert(0, Waiting { order, done: Box::new(drop) });
        }
        Some(batch)
    }

    fn note_durable(&mut self, order: &Order) {
        match order {
            Order::Change(Change::Append(entries)) => {
                if let Some(last) = entries.last() {
                    self.tail.flushed(last.position.index);
                }
            }
            Order::Change(Change::Ballot(ballot)) => self.state.ballot = Some(*ballot),
            _ => {}
        }
    }

    /// What is only on disk, as a range, and what comes after it, from memory.
    fn read(&self, range: Range<u64>, bytes_max: usize) -> (Range<u64>, Vec<Entry>) {
        let start = range.start.max(self.state.first);
        let end = range.end.min(self.state.last.map_or(0, |last| last.index + 1));
        let hot_from = self.tail.first().unwrap_or(end).clamp(start, end.max(start));
        (start..hot_from, self.tail.read(hot_from..end, bytes_max))
    }
}

impl Order {
    fn entries(&self) -> usize {
        match self {
            Self::Change(Change::Append(entries)) => entries.len(),
            _ => 0,
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("state", &self.state)
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}
