//! The digest of an archive before its first byte is sent: one pass over a capture that only hashes. It is
//! remembered, so that saving an unchanged state again needs no such pass.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Mutex;

use archive::gzip::Level;
use archive::hashicorp::Meta;
use records::Scope;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::blobs::Digest;
use crate::error::{Result, blocking};
use crate::node::Node;
use crate::save::Capture;

/// What the bytes of an archive depend on.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    scope: Scope,
    /// The generation and, in the metadata, its state index: together they tell every state from the others.
    image: Uuid,
    meta: Meta,
    level: Level,
}

/// The digests of the last few archives.
#[derive(Default)]
pub(crate) struct Digests(Mutex<VecDeque<(Key, Digest)>>);

/// How many are remembered.
const REMEMBERED_MAX: usize = 8;

impl Node {
    /// The SHA-256 of the archive that the capture makes at this level, and the capture again. Takes the time
    /// of a save, or none if it is known. Dropping the future ends it.
    pub async fn digest(&self, capture: Capture, level: Level) -> Result<(Capture, Digest)> {
        let key = Key {
            scope: capture.scope(),
            image: capture.state().live.image,
            meta: capture.meta().clone(),
            level,
        };
        if let Some(known) = self.digests().get(&key) {
            return Ok((capture, known));
        }
        let (_waiting, left) = oneshot::channel::<()>();
        let (capture, digest) = blocking(move || {
            let hashed = capture.write(Hashing { hash: Sha256::new(), left }, level)?;
            Ok((capture, Digest(hashed.hash.finalize().into())))
        })
        .await?;
        self.digests().put(key, digest);
        Ok((capture, digest))
    }
}

impl Digests {
    fn get(&self, key: &Key) -> Option<Digest> {
        let known = self.0.lock().expect("no panic while held");
        known.iter().find(|(known, _)| known == key).map(|(_, digest)| *digest)
    }

    fn put(&self, key: Key, digest: Digest) {
        let mut known = self.0.lock().expect("no panic while held");
        known.retain(|(known, _)| *known != key);
        known.truncate(REMEMBERED_MAX - 1);
        known.push_front((key, digest));
    }
}

/// Hashes what is written, until nobody waits for the outcome any more.
struct Hashing {
    hash: Sha256,
    left: oneshot::Receiver<()>,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left.try_recv() == Err(oneshot::error::TryRecvError::Closed) {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client left"));
        }
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u64) -> Key {
        let meta = Meta { index, ..Meta::default() };
        Key { scope: Scope::Nomad, image: Uuid::nil(), meta, level: Level::Fast }
    }

    #[test]
    fn the_last_few_digests_are_remembered() {
        let digests = Digests::default();
        for index in 0..=8 {
            digests.put(key(index), Digest([u8::try_from(index).unwrap(); 32]));
        }
        assert_eq!(digests.get(&key(0)), None);
        assert_eq!(digests.get(&key(8)), Some(Digest([8; 32])));
        assert_eq!(digests.get(&Key { level: Level::Small, ..key(8) }), None);
        assert_eq!(digests.get(&Key { scope: Scope::Consul, ..key(8) }), None);
        assert_eq!(digests.0.lock().unwrap().len(), REMEMBERED_MAX);
    }
}
