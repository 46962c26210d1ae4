//! Entries of the key/value store as JSON: one, or any number of them streamed without holding them all.

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use archive::consul::DirEntry;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use records::View;
use records::consul::acl::Authorizer;
use records::consul::{KvEntries, Sees, Visible, kv_list_visible};
use serde::{Serialize, Serializer};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::blocking::stopped;
use super::reply::{Failure, render};

/// An entry as `hashicorp/consul:agent/structs/structs.go`, `DirEntry` is marshalled.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    lock_index: u64,
    key: String,
    flags: u64,
    #[serde(serialize_with = "base64_or_null")]
    value: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    session: String,
    create_index: u64,
    modify_index: u64,
}

impl From<DirEntry> for Entry {
    fn from(entry: DirEntry) -> Entry {
        Entry {
            lock_index: entry.lock_index,
            key: text(&entry.key),
            flags: entry.flags,
            value: entry.value,
            session: entry.session,
            create_index: entry.create_index,
            modify_index: entry.modify_index,
        }
    }
}

/// A key as text: bytes that are none are replaced, as Go replaces them.
pub(super) fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

fn base64_or_null<S: Serializer>(value: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
        None => serializer.serialize_none(),
    }
}

/// Bytes of JSON handed on at a time, and more only if a single entry is larger.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that may wait for a slow reader.
const CHUNKS_WAITING: usize = 4;

/// A reader that accepts no byte for so long is cut off, so that no view is pinned for ever.
const STALL: Duration = Duration::from_secs(60);

/// A listing that is ready to be sent.
pub(super) struct Listing {
    /// The index it carries.
    pub(super) index: u64,
    /// Its JSON; `None` if there is no entry to be seen.
    pub(super) body: Option<Body>,
    /// Whether there are entries that may not be seen.
    pub(super) hides: bool,
}

/// Lists the entries under a prefix that `may` lets be seen. Memory is bounded, however many there are; if reading them fails after
/// the first, the body breaks off.
pub(super) async fn list(
    view: View,
    may: Arc<Authorizer>,
    prefix: Bytes,
    is_pretty: bool,
) -> Result<Listing, Failure> {
    let (sender, chunks) = mpsc::channel(CHUNKS_WAITING);
    let (begin, begun) = oneshot::channel();
    let out = Sender { sender, runtime: Handle::current() };
    let writer = tokio::task::spawn_blocking(move || {
        let sees = |key: &[u8]| may.key_read(key).is_ok();
        let sees: Sees<'_> = if may.reads_all_keys() { None } else { Some(&sees) };
        let Visible { answer, hides } = match kv_list_visible(&view, &prefix, sees) {
            Ok(visible) => visible,
            Err(error) => {
                // If nobody waits for it any more, the client has left.
                let _ = begin.send(Err(error));
                return Ok(());
            }
        };
        let mut entries = answer.value.peekable();
        let is_empty = entries.peek().is_none();
        if begin.send(Ok((answer.index, hides, is_empty))).is_err() || is_empty {
            return Ok(());
        }
        write(Box::new(entries), is_pretty, &out)
    });
    let (index, hides, is_empty) = begun.await.map_err(|_| stopped("it gave no answer"))??;
    let body = (!is_empty).then(|| Body::from_stream(joined(chunks, writer)));
    Ok(Listing { index, body, hides })
}

/// Writes the entries as one array.
fn write(entries: KvEntries<'_>, is_pretty: bool, out: &Sender) -> io::Result<()> {
    let (first, between, last) = if is_pretty { ("[\n", ",\n", "\n]\n") } else { ("[", ",", "]") };
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    let mut before = first;
    for entry in entries {
        let json = render(is_pretty, &Entry::from(entry.map_err(io::Error::other)?));
        chunk.extend_from_slice(before.as_bytes());
        before = between;
        if is_pretty {
            // Within JSON a line can only end where the formatter ended it.
            for line in json.split_inclusive(|byte| *byte == b'\n') {
                chunk.extend_from_slice(b"    ");
                chunk.extend_from_slice(line);
            }
        } else {
            chunk.extend_from_slice(&json);
        }
        if chunk.len() >= CHUNK_BYTES {
            out.send(std::mem::take(&mut chunk).into())?;
        }
    }
    chunk.extend_from_slice(last.as_bytes());
    out.send(chunk.into())
}

struct Sender {
    sender: mpsc::Sender<Bytes>,
    runtime: Handle,
}

impl Sender {
    fn send(&self, chunk: Bytes) -> io::Result<()> {
        let sent = self.runtime.block_on(self.sender.send_timeout(chunk, STALL));
        sent.map_err(|_| {
            io::Error::new(io::ErrorKind::BrokenPipe, "the reader left, or took no byte for 60 s")
        })
    }
}

/// The chunks of a body. Their end is the body's only if their writer says so: it may have failed, or panicked.
fn joined(
    chunks: mpsc::Receiver<Bytes>,
    writer: JoinHandle<io::Result<()>>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let chunks =
        stream::unfold(chunks, |mut chunks| async { chunks.recv().await.map(|chunk| (Ok(chunk), chunks)) });
    let end = stream::once(writer).filter_map(|ended| {
        let failed = match ended {
            Ok(written) => written.err(),
            Err(panic) => Some(io::Error::other(panic)),
        };
        ready(failed.map(Err))
    });
    chunks.chain(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn collect(writer: impl FnOnce() -> io::Result<()> + Send + 'static) -> Vec<Option<Bytes>> {
        let (sender, chunks) = mpsc::channel(1);
        sender.try_send(Bytes::from_static(b"[")).unwrap();
        drop(sender);
        joined(chunks, tokio::task::spawn_blocking(writer)).map(Result::ok).collect().await
    }

    #[tokio::test]
    async fn a_body_ends_well_only_if_its_writer_did() {
        let chunk = || Some(Bytes::from_static(b"["));
        assert_eq!(collect(|| Ok(())).await, [chunk()]);
        assert_eq!(collect(|| Err(io::Error::other("the disk is gone"))).await, [chunk(), None]);
        assert_eq!(collect(|| panic!("a bug")).await, [chunk(), None]);
    }

    #[test]
    fn keys_that_are_no_text_and_values_that_are_none_can_be_shown() {
        let entry = DirEntry { key: b"a\xff".to_vec(), modify_index: 2, ..DirEntry::default() };
        let json = String::from_utf8(render(false, &Entry::from(entry))).unwrap();
        let expected = "{\"LockIndex\":0,\"Key\":\"a\u{fffd}\",\"Flags\":0,\"Value\":null,\
                        \"CreateIndex\":0,\"ModifyIndex\":2}";
        assert_eq!(json, expected);
    }
}
