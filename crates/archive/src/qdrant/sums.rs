//! `SHA256SUMS`: what the members of an archive hash to, in the form that `sha256sum -c` takes.

use std::collections::BTreeMap;
use std::io;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::{Digest, Sha256};

use super::Error;
use super::layout::SUMS;

/// Bytes handed over at a time, and how often before whoever hands over has to wait.
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS: usize = 4;

/// Hex digits of a hash.
const HEX_BYTES: usize = 64;

/// Members by name and what they hash to, in their order.
type Hashes = Vec<(String, [u8; 32])>;

/// Hashes members one after the other in a thread of its own: whoever writes an archive, or reads one, has
/// enough to do with hashing the whole. The thread is gone once this is.
pub(super) struct Hashing {
    to: Option<Sender<Message>>,
    /// Chunks that were hashed and can be filled again.
    back: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    worker: Option<JoinHandle<Hashes>>,
}

enum Message {
    Begin(String),
    Bytes(Vec<u8>),
}

impl Hashing {
    pub(super) fn start() -> io::Result<Hashing> {
        let (to, messages) = bounded(CHUNKS);
        let (give_back, back) = bounded(CHUNKS);
        let worker =
            thread::Builder::new().name("archive-sums".into()).spawn(move || hash(&messages, &give_back))?;
        Ok(Hashing { to: Some(to), back, chunk: Vec::new(), worker: Some(worker) })
    }

    /// What is fed from now on belongs to this member.
    pub(super) fn begin(&mut self, name: &str) {
        self.hand_over();
        self.send(Message::Begin(name.to_owned()));
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.chunk.capacity() == 0 {
                self.chunk = self.back.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK_BYTES));
            }
            let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
            self.chunk.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.chunk.len() == CHUNK_BYTES {
                self.hand_over();
            }
        }
    }

    /// The members in the order in which they came.
    pub(super) fn finish(mut self) -> io::Result<Hashes> {
        self.hand_over();
        let hashed = self.end().unwrap_or_else(|| Ok(Vec::new()));
        hashed.map_err(|_| io::Error::other("the thread that hashes has panicked"))
    }

    /// Waits for the thread, which has little left to do once nobody can send.
    fn end(&mut self) -> Option<thread::Result<Hashes>> {
        self.to = None;
        self.worker.take().map(JoinHandle::join)
    }

    fn hand_over(&mut self) {
        if !self.chunk.is_empty() {
            let chunk = std::mem::take(&mut self.chunk);
            self.send(Message::Bytes(chunk));
        }
    }

    fn send(&self, message: Message) {
        // The worker goes only once there is nobody to send; should it panic, `finish` says so.
        let _ = self.to.as_ref().map(|to| to.send(message));
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn hash(messages: &Receiver<Message>, give_back: &Sender<Vec<u8>>) -> Hashes {
    let mut hashed = Vec::new();
    let mut current: Option<(String, Sha256)> = None;
    let finish = |current: Option<(String, Sha256)>| {
        current.map(|(name, hasher)| (name, <[u8; 32]>::from(hasher.finalize())))
    };
    for message in messages {
        match message {
            Message::Begin(name) => hashed.extend(finish(current.replace((name, Sha256::new())))),
            Message::Bytes(mut chunk) => {
                if let Some((_, hasher)) = &mut current {
                    hasher.update(&chunk);
                }
                chunk.clear();
                // Nobody may want it back.
                let _ = give_back.try_send(chunk);
            }
        }
    }
    hashed.extend(finish(current));
    hashed
}

/// How many bytes the file for these members has.
pub(super) fn rendered_bytes<'a>(names: impl Iterator<Item = &'a str>) -> u64 {
    names.map(|name| (HEX_BYTES + 2 + name.len() + 1) as u64).sum()
}

/// The file for these members.
pub(super) fn render(hashed: &[(String, [u8; 32])]) -> String {
    hashed.iter().map(|(name, hash)| format!("{}  {name}\n", hex(hash))).collect()
}

/// Checks that `sums` lists all of `hashed` and nothing else.
pub(super) fn check(sums: &[u8], hashed: &[(String, [u8; 32])]) -> Result<(), Error> {
    let fault = |name: &str, fault| Error::Sums { name: name.to_owned(), fault };
    let mut listed = parse(sums).ok_or_else(|| fault(SUMS, "is damaged"))?;
    for (name, hash) in hashed {
        match listed.remove(name.as_str()) {
            None => return Err(fault(name, "does not list a member")),
            Some(expected) if expected != hex(hash) => {
                return Err(fault(name, "has another hash for a member"));
            }
            Some(_) => {}
        }
    }
    match listed.first_key_value() {
        None => Ok(()),
        Some((name, _)) => Err(fault(name, "lists a member that is missing")),
    }
}

/// Hashes by name, if it is as [`render`] makes it.
fn parse(sums: &[u8]) -> Option<BTreeMap<&str, &str>> {
    let text = std::str::from_utf8(sums).ok()?;
    let mut listed = BTreeMap::new();
    for line in text.split_inclusive('\n') {
        let (hash, name) = line.strip_suffix('\n')?.split_once("  ")?;
        let is_hash = hash.len() == HEX_BYTES
            && hash.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
        if !is_hash || listed.insert(name, hash).is_some() {
            return None;
        }
    }
    Some(listed)
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
