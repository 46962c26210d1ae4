//! What a log entry asks of the state machine, what it answers, and the bytes of both.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, Position, Scope, consul, error, nomad, qdrant};

/// The newest command format this release reads, and the one it writes.
pub const COMMAND_VERSION: u8 = 1;

/// One proposed change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// When it was proposed, in milliseconds since the Unix epoch: the only clock that applying knows.
    pub at_ms: u64,
    /// What to do.
    pub op: Op,
    /// What to do right after, in the same batch, if `op` made another generation live:
    /// nobody sees that generation without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Box<Op>>,
}

/// The kinds of change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// A change to Consul's records.
    Consul(consul::Command),
    /// A change to Nomad's records.
    Nomad(nomad::Command),
    /// A change of collections.
    Qdrant(qdrant::Command),
    /// Makes a staged image the live generation of its scope: the one commit point of a restore.
    Commit(Commit),
    /// Makes the previous generation live again, and the live one the previous.
    Undo {
        /// Whose restore to undo.
        scope: Scope,
        /// The previous generation the caller means; another one is refused.
        image: Uuid,
    },
    /// Gives up the previous generation of a scope, if it is still this one.
    Forget {
        /// The scope.
        scope: Scope,
        /// The previous generation the caller means.
        image: Uuid,
    },
    /// Sets or removes documents that belong to no scope: tasks, catalog, settings.
    Documents(Vec<Document>),
}

/// One document outside all scopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its name, such as `task/…`.
    pub key: String,
    /// Its content; `None` removes it.
    #[serde(with = "serde_bytes")]
    pub value: Option<Vec<u8>>,
}

/// Which image becomes live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The scope it replaces.
    pub scope: Scope,
    /// The image, called after the task that staged it.
    pub image: Uuid,
    /// The digest of its records on which the voters agreed.
    #[serde(with = "serde_bytes")]
    pub digest: Vec<u8>,
    /// The highest state index in the archive.
    pub index: u64,
    /// SHA-256 of the archive, by which a replica without the image fetches it.
    #[serde(with = "serde_bytes")]
    pub blob: Vec<u8>,
    /// The term in which the restore began. A leader of another term may have called the restore failed, so
    /// the commit is refused.
    pub term: u64,
    /// Whether record types unknown to this release are part of the image by the operator's leave.
    pub unknown_records: bool,
}

/// The answer to a command, the same on every replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; nothing to tell.
    Done,
    /// The new state index of a scope whose live generation was exchanged.
    Exchanged {
        /// Its state index, above every index seen before.
        index: u64,
    },
    /// Consul's answer.
    Consul(consul::Reply),
    /// Nomad's answer.
    Nomad(nomad::Reply),
    /// The answer about collections.
    Qdrant(qdrant::Reply),
    /// Not done, for a reason that is the caller's.
    Refused(Refusal),
}

/// Why a command was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// There is no previous generation, or it is another one.
    #[error("there is nothing to undo")]
    NothingToUndo,
    /// The leader changed while a restore was running.
    #[error("the leader changed during the restore; nothing was changed")]
    TermChanged,
}

impl Commit {
    /// Whether an entry at `position` was written by the leader that began the restore.
    pub(crate) fn is_of(&self, position: Option<Position>) -> bool {
        position.is_some_and(|position| position.term == self.term)
    }
}

impl Command {
    /// A change that nothing follows.
    pub fn new(at_ms: u64, op: Op) -> Command {
        Command { at_ms, op, then: None }
    }

    /// The bytes of a log entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![COMMAND_VERSION];
        rmp_serde::encode::write_named(&mut bytes, self).expect("a Vec takes every write");
        bytes
    }

    /// Reads the bytes of log entry `index`.
    pub fn decode(index: u64, bytes: &[u8]) -> Result<Command, Error> {
        match bytes.split_first() {
            Some((&COMMAND_VERSION, body)) => {
                rmp_serde::from_slice(body).map_err(|e| error::stored("command", e))
            }
            Some((&version, _)) => Err(Error::NewerCommand { index, version, known: COMMAND_VERSION }),
            None => Err(error::stored("command", "it is empty")),
        }
    }
}

impl Reply {
    /// The bytes in which a reply travels.
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("a Vec takes every write")
    }

    /// Reads a reply.
    pub fn decode(bytes: &[u8]) -> Result<Reply, Error> {
        rmp_serde::from_slice(bytes).map_err(|e| error::stored("reply", e))
    }
}
