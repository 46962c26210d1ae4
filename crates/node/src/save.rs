//! Saving: a pinned view becomes an archive, streamed to whoever reads it or into a blob.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use archive::gzip::Level;
use archive::hashicorp::{self, Compression};
use archive::state::{self, Product};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use records::{Scope, ScopeState, View};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::error::{self, Error, Kind, Result};
use crate::machine;
use crate::metrics::{Hold, Metrics};

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Everything acknowledged before the read is seen: the leader confirms that it leads.
    #[default]
    Linearizable,
    /// Whatever this node has, however old.
    Stale,
}

/// How fresh a view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Whether this node knew of a leader.
    pub known_leader: bool,
    /// How long ago it last heard from the leader; zero on the leader itself.
    pub last_contact: Duration,
}

/// A pinned view of a scope and all that its archive's metadata says.
pub struct Capture {
    view: View,
    meta: hashicorp::Meta,
    freshness: Freshness,
    warnings: Vec<String>,
    hold: Hold,
}

/// Bytes handed on at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks that may wait for a slow reader.
const CHUNKS_WAITING: usize = 4;

/// A reader that accepts no byte for so long is cut off, so that no view is pinned for ever.
const STALL: Duration = Duration::from_secs(60);

/// The suffrage of a server without a vote (`hashicorp/raft:configuration.go`).
const NON_VOTER: i64 = 1;

/// Threads that compress an archive.
const COMPRESSION_WORKERS: usize = 2;

impl Capture {
    pub(crate) fn new(view: View, freshness: Freshness, hold: Hold) -> Result<Capture> {
        let totals = view.totals()?;
        let meta = meta(&view, &totals)?;
        let product = view.scope().product();
        let warnings = match enterprise_records(product, &totals) {
            0 => Vec::new(),
            n => vec![format!(
                "the archive holds {n} {product} Enterprise records: the community edition cannot restore it"
            )],
        };
        Ok(Capture { view, meta, freshness, warnings, hold })
    }

    /// The archive's metadata.
    pub fn meta(&self) -> &hashicorp::Meta {
        &self.meta
    }

    /// What it is a capture of.
    pub(crate) fn scope(&self) -> Scope {
        self.view.scope()
    }

    /// Where the scope stood.
    pub(crate) fn state(&self) -> &ScopeState {
        self.view.state()
    }

    /// The state index of the view.
    pub fn index(&self) -> u64 {
        self.view.state().index
    }

    /// How many records there are.
    pub fn records(&self) -> Result<u64> {
        Ok(self.view.totals()?.count())
    }

    /// How fresh the view is.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// What the archive's reader should know.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Writes the archive. Equal captures give equal bytes at the same level. Blocks.
    pub fn write<W: Write + Send>(&self, out: W, level: Level) -> Result<W> {
        let compression = Compression::Gzip { level, workers: COMPRESSION_WORKERS };
        let write = || -> io::Result<W> {
            let mtime_s = self.view.state().changed_at_ms / 1000;
            let mut out = hashicorp::Writer::new(out, &self.meta, mtime_s, compression)?;
            self.view.scope().product().write_header(&mut out, self.index())?;
            for record in self.view.records() {
                let record = record.map_err(io::Error::other)?;
                state::write_record(&mut out, record.kind, &record.bytes)?;
            }
            out.finish()
        };
        write().map_err(error::io("write the archive"))
    }

    /// Streams the archive: the first bytes come at once, memory is bounded, and writers never wait.
    /// An error in the stream means that the archive was cut.
    pub fn stream(self, level: Level) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let (product, metrics) = (self.view.scope().name(), self.hold.metrics());
        crate::save::stream(product.to_owned(), metrics, product, move |out| self.write(out, level))
    }
}

/// Streams what `write` writes, of an archive of `scope`. An error in the stream means that it was cut.
pub(crate) fn stream(
    scope: String,
    metrics: Arc<Metrics>,
    product: &'static str,
    write: impl FnOnce(ChannelWriter) -> Result<ChannelWriter> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let runtime = Handle::current();
    let request = tracing::Span::current();
    let writer = tokio::task::spawn_blocking(move || {
        let _entered = request.enter();
        let out = ChannelWriter { sender, runtime, chunk: BytesMut::new() };
        let written = write(out).and_then(|mut out| out.flush().map_err(error::io("send the archive")));
        written.map_err(|error| {
            tracing::warn!(scope, %error, "an archive was cut short");
            io::Error::other(error)
        })
    });
    let chunks = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (Ok(chunk), receiver))
    });
    // The end of the chunks is the archive's only if its writer says so: it may have failed, or panicked.
    let end = stream::once(writer).filter_map(move |ended| {
        let failed = match ended {
            Ok(written) => written.err(),
            Err(panic) => Some(io::Error::other(panic)),
        };
        if failed.is_none() {
            metrics.saved(product);
        }
        std::future::ready(failed.map(Err))
    });
    chunks.chain(end)
}

/// Hands bytes to an async reader, a chunk at a time.
pub(crate) struct ChannelWriter {
    sender: mpsc::Sender<Bytes>,
    runtime: Handle,
    chunk: BytesMut,
}

impl ChannelWriter {
    fn send(&mut self) -> io::Result<()> {
        let chunk = self.chunk.split().freeze();
        if chunk.is_empty() {
            return Ok(());
        }
        let sent = self.runtime.block_on(self.sender.send_timeout(chunk, STALL));
        sent.map_err(|_| {
            io::Error::new(io::ErrorKind::BrokenPipe, "the reader left, or took no byte for 60 s")
        })
    }
}

impl Write for ChannelWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        // The very first bytes go out at once: they tell the reader that the save has begun.
        if self.chunk.len() >= CHUNK_BYTES || self.sender.capacity() == CHUNKS_WAITING {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

/// How many of the records are those of an Enterprise edition.
pub(crate) fn enterprise_records(product: Product, totals: &records::Totals) -> u64 {
    let enterprise = totals.0.iter().filter(|(kind, _)| product.is_enterprise(**kind));
    enterprise.map(|(_, total)| total.count).sum()
}

/// The metadata of an archive (`hashicorp/consul:snapshot/archive.go`), with nothing ambient in it: its time is
/// that of the entry that changed the scope last.
fn meta(view: &View, totals: &records::Totals) -> Result<hashicorp::Meta> {
    let (applied, state) = (view.applied(), view.state());
    let members = machine::members(applied).map_err(error::io("read the membership"))?;
    let servers = members.everyone().iter().map(|member| hashicorp::Server {
        suffrage: if members.is_voter(member.id) { hashicorp::VOTER } else { NON_VOTER },
        id: member.name.clone(),
        address: member.address.clone(),
    });
    let configuration = hashicorp::Configuration { servers: servers.collect() };
    let state_bytes = header_bytes(view.scope().product(), state.index)? + totals.bytes() + totals.count();
    let size = i64::try_from(state_bytes)
        .map_err(|_| Error::new(Kind::TooLarge, "more than 2^63 bytes of state"))?;
    Ok(hashicorp::Meta {
        version: 1,
        id: format!("{}-{}-{}", state.term, state.index, state.changed_at_ms),
        index: state.index,
        term: state.term,
        peers: configuration.legacy_peers(),
        configuration,
        configuration_index: members.position().map_or(0, |position| position.index),
        size,
    })
}

fn header_bytes(product: Product, index: u64) -> Result<u64> {
    let mut header = Vec::new();
    product.write_header(&mut header, index).map_err(error::io("size the header"))?;
    Ok(header.len() as u64)
}
