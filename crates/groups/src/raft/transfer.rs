//! Moving a snapshot to a replica that is too far behind: in chunks, each acknowledged, into a spool file.
//!
//! Memory is bounded by a few chunks on either side. The spool file has no name, so a crash leaves nothing.

use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use openraft::errors::{RPCError, Unreachable};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, mpsc};

use super::machine::{Carried, blocking};
use super::network::{Peer, nonsense};
use super::{Snapshot as RaftSnapshot, Types, convert};
use crate::machine::{Snapshot, StateMachine};
use crate::network::{Answer, Ask};
use crate::types::{Applied, Ballot};

/// The size of all chunks but the last.
const CHUNK_BYTES: usize = 512 << 10;

/// A peer's chunk may be larger than ours, up to this.
const CHUNK_BYTES_MAX: usize = 8 << 20;

/// Chunks that are ready before the peer has taken the one before.
const CHUNKS_AHEAD: usize = 2;

/// Tells the transfers that this process starts apart.
static TRANSFERS: AtomicU64 = AtomicU64::new(1);

/// Sends a snapshot and waits until it is installed. Gives the peer's vote, which may be higher than `leader`.
pub(super) async fn send<S: StateMachine>(
    peer: &Peer<S>,
    leader: Ballot,
    snapshot: RaftSnapshot<S>,
) -> Result<Ballot, RPCError<Types>> {
    let local = |error: io::Error| RPCError::from(Unreachable::from_string(error));
    let Carried::Pinned(pinned) = snapshot.snapshot else {
        return Err(local(io::Error::other("only a pinned snapshot can be sent")));
    };
    let applied = convert::applied(&snapshot.meta).map_err(|error| local(io::Error::other(error)))?;
    let transfer = TRANSFERS.fetch_add(1, Ordering::Relaxed);
    let reply = peer.timing.reply;

    match peer.ask(reply, Ask::SnapshotBegin { leader, transfer, applied }).await? {
        Answer::SnapshotReady => {}
        Answer::HigherBallot(ballot) => return Ok(ballot),
        answer => return Err(nonsense(&answer)),
    }
    let mut chunks = read_out(pinned).map_err(local)?;
    let mut digest = Sha256::new();
    let mut offset = 0;
    loop {
        let bytes = match chunks.recv().await {
            Some(Piece::Bytes(bytes)) => bytes,
            Some(Piece::End(written)) => break written.map_err(local)?,
            None => {
                return Err(local(io::Error::other(
                    "the state machine panicked while its snapshot was read",
                )));
            }
        };
        digest.update(&bytes);
        let end = offset + bytes.len() as u64;
        match peer.ask(reply, Ask::SnapshotChunk { transfer, offset, bytes }).await? {
            Answer::SnapshotReady => offset = end,
            answer => return Err(nonsense(&answer)),
        }
    }
    let end = Ask::SnapshotEnd { transfer, bytes: offset, digest: digest.finalize().into() };
    match peer.ask(peer.timing.install, end).await? {
        Answer::SnapshotInstalled(ballot) => Ok(ballot),
        answer => Err(nonsense(&answer)),
    }
}

enum Piece {
    Bytes(Vec<u8>),
    End(io::Result<()>),
}

/// Writes the snapshot out on a thread of its own, which ends soon after the receiver is dropped.
///
/// Not on the blocking pool: the thread waits for the peer, perhaps for minutes.
fn read_out(pinned: impl Snapshot) -> io::Result<mpsc::Receiver<Piece>> {
    let (pieces, chunks) = mpsc::channel(CHUNKS_AHEAD);
    thread::Builder::new().name("snapshot-out".into()).spawn(move || {
        let mut out = ChunkWriter { pieces, chunk: Vec::new() };
        let written = pinned.write_to(&mut out).and_then(|()| out.flush());
        // A receiver that is gone has no use for the end.
        out.pieces.blocking_send(Piece::End(written)).ok();
    })?;
    Ok(chunks)
}

/// Cuts what is written into chunks, and waits for room before each.
struct ChunkWriter {
    pieces: mpsc::Sender<Piece>,
    chunk: Vec<u8>,
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.capacity() == 0 {
            self.chunk.reserve_exact(CHUNK_BYTES);
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.chunk);
        let cancelled = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the transfer was cancelled");
        self.pieces.blocking_send(Piece::Bytes(chunk)).map_err(cancelled)
    }
}

/// The receiving side: at most one snapshot at a time, the newest that was begun.
pub(super) struct Inbox {
    spool: PathBuf,
    incoming: Mutex<Option<Incoming>>,
}

/// A snapshot that has not yet come in whole. Dropping it removes what there is.
struct Incoming {
    transfer: u64,
    leader: Ballot,
    applied: Applied,
    file: File,
    digest: Sha256,
    bytes: u64,
}

/// A snapshot that came in whole.
pub(super) struct Received {
    pub(super) leader: Ballot,
    pub(super) applied: Applied,
    pub(super) file: File,
}

/// Why a piece of a snapshot is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no such transfer: begin again")]
    Unknown,
    #[error("bytes {found} were expected, not {offset}")]
    OutOfOrder { found: u64, offset: u64 },
    #[error("a chunk of {0} bytes is too large")]
    TooLarge(usize),
    #[error("the snapshot was altered on its way")]
    Altered,
    #[error("spool the snapshot: {0}")]
    Spool(#[from] io::Error),
}

impl Inbox {
    pub(super) fn new(spool: &Path) -> Self {
        Self { spool: spool.to_owned(), incoming: Mutex::new(None) }
    }

    pub(super) async fn begin(&self, leader: Ballot, transfer: u64, applied: Applied) -> Result<(), Refusal> {
        let mut slot = self.incoming.lock().await;
        // The old one first: there may not be room for two.
        *slot = None;
        let spool = self.spool.clone();
        let file = blocking("open a spool file", move || tempfile::tempfile_in(spool)).await?;
        *slot = Some(Incoming { transfer, leader, applied, file, digest: Sha256::new(), bytes: 0 });
        Ok(())
    }

    /// Takes the next chunk. One that came before, whole, is agreed to again.
    pub(super) async fn chunk(&self, transfer: u64, offset: u64, bytes: Vec<u8>) -> Result<(), Refusal> {
        let mut slot = self.incoming.lock().await;
        let incoming =
            slot.as_ref().filter(|incoming| incoming.transfer == transfer).ok_or(Refusal::Unknown)?;
        if bytes.len() > CHUNK_BYTES_MAX {
            return Err(Refusal::TooLarge(bytes.len()));
        }
        let end = offset.saturating_add(bytes.len() as u64);
        if end <= incoming.bytes {
            return Ok(());
        }
        if offset != incoming.bytes {
            return Err(Refusal::OutOfOrder { found: incoming.bytes, offset });
        }
        // Out of the slot while it changes: if this future is dropped half-way, the transfer is over.
        let mut incoming = slot.take().ok_or(Refusal::Unknown)?;
        let incoming = blocking("write to the spool file", move || {
            incoming.file.write_all(&bytes)?;
            incoming.digest.update(&bytes);
            incoming.bytes = end;
            Ok(incoming)
        });
        *slot = Some(incoming.await?);
        Ok(())
    }

    /// Gives out what came in, if it is all that was sent.
    pub(super) async fn end(&self, transfer: u64, bytes: u64, digest: [u8; 32]) -> Result<Received, Refusal> {
        let mut slot = self.incoming.lock().await;
        let incoming = slot.take_if(|incoming| incoming.transfer == transfer).ok_or(Refusal::Unknown)?;
        let Incoming { leader, applied, mut file, digest: found, bytes: found_bytes, .. } = incoming;
        if found_bytes != bytes || <[u8; 32]>::from(found.finalize()) != digest {
            return Err(Refusal::Altered);
        }
        file.rewind()?;
        Ok(Received { leader, applied, file })
    }

    /// Drops what has come in so far.
    pub(super) async fn clear(&self) {
        *self.incoming.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes until it cannot any more, then says why.
    struct Endless(Applied, std::sync::mpsc::Sender<io::ErrorKind>);

    impl Snapshot for Endless {
        fn applied(&self) -> &Applied {
            &self.0
        }

        fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
            loop {
                if let Err(error) = out.write_all(&[7; 10_000]) {
                    self.1.send(error.kind()).unwrap();
                    return Err(error);
                }
            }
        }
    }

    #[tokio::test]
    async fn reading_out_waits_for_the_peer_and_ends_when_it_is_cancelled() {
        let (ended, why) = std::sync::mpsc::channel();
        let mut chunks = read_out(Endless(Applied::default(), ended)).unwrap();
        for _ in 0..5 {
            let Some(Piece::Bytes(bytes)) = chunks.recv().await else {
                panic!("it is endless");
            };
            assert_eq!(bytes.len(), CHUNK_BYTES);
            assert!(chunks.len() <= CHUNKS_AHEAD);
        }
        drop(chunks);
        assert_eq!(why.recv(), Ok(io::ErrorKind::BrokenPipe));
    }
}
