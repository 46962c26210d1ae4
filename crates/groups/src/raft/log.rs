//! The log as the Raft library wants it.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, stream};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};

use super::convert;
use super::machine::Durable;
use super::{LogId, RaftEntry, Types, Vote};
use crate::log::Store;

/// About this many bytes of entries go into one request to a follower, and into memory at a time when applying.
const READ_BYTES_MAX: usize = 4 << 20;

/// Our log behind the library's traits. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogStore {
    store: Arc<Store>,
    durable: Arc<dyn Durable>,
}

impl LogStore {
    /// `durable` is asked before entries are forgotten.
    pub(crate) fn new(store: Arc<Store>, durable: Arc<dyn Durable>) -> Self {
        Self { store, durable }
    }

    async fn entries(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<RaftEntry>> {
        let entries = self.store.read(range, bytes_max).await?;
        Ok(entries.into_iter().map(convert::raft_entry).collect())
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<RaftEntry>> {
        self.entries(half_open(&range), usize::MAX).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<RaftEntry>> {
        self.entries(start..end, READ_BYTES_MAX).await
    }

    /// Reads piece by piece, so that a long way to catch up does not have to fit into memory.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<RaftEntry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let pieces = stream::try_unfold((self.clone(), half_open(&range)), |(log, mut range)| async move {
            if range.is_empty() {
                return Ok(None);
            }
            let piece = log.entries(range.clone(), READ_BYTES_MAX).await?;
            let Some(last) = piece.last() else {
                return Ok(None);
            };
            range.start = last.log_id.index + 1;
            Ok::<_, io::Error>(Some((piece, (log, range))))
        });
        pieces.flat_map(|piece| match piece {
            Ok(entries) => stream::iter(entries.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        })
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.store.state().ballot.map(convert::vote))
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let state = self.store.state();
        Ok(LogState {
            last_purged_log_id: state.purged.map(convert::log_id),
            last_log_id: state.last.map(convert::log_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.store.save_ballot(convert::ballot(vote)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.store.save_committed(committed.as_ref().map(convert::position))
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.store.state().committed.map(convert::log_id))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries =
            entries.into_iter().map(convert::entry).collect::<Result<_, _>>().map_err(io::Error::other)?;
        self.store.append(entries, move |result| callback.io_completed(result))
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        self.store.truncate_after(last_log_id.as_ref().map(convert::position)).await
    }

    async fn purge(&mut self, log_id: LogId) -> io::Result<()> {
        let upto = convert::position(&log_id);
        let durable = self.durable.clone();
        super::machine::blocking("sync the state machine", move || durable.ensure(upto)).await?;
        self.store.purge(upto)
    }
}

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}
