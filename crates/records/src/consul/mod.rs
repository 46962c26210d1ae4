//! Consul's rules: how its records are stored, what its commands change, what its queries answer.
//!
//! Genuine behaviour, bit by bit: every rule names the file of the genuine server that it follows.

mod kv;
mod layout;
mod query;
mod quote;
mod refusal;
mod txn;

use archive::consul::DirEntry;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) use layout::{derived, key, known, may_repeat, rank};
pub use query::{Answer, KvEntries, kv_get, kv_keys, kv_list};
pub use txn::txn_read;

use crate::{Error, Txn};
use refusal::Failure;

/// A change to Consul's records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// One change to the key/value store. Answered with [`Reply::Bool`] or [`Reply::Failed`].
    Kv(KvOp),
    /// Several operations, of which either all take effect or none. Answered with [`Reply::Results`] or
    /// [`Reply::Errors`].
    Txn(Vec<TxnOp>),
    /// Forgets the tombstones of deletes up to a state index. Answered with [`Reply::Done`].
    ReapTombstones {
        /// The index, inclusive.
        up_to: u64,
    },
}

/// A change to one key, or to all keys under a prefix. Keys are any bytes but none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum KvOp {
    /// Sets a key, whatever is there. Who holds it stays as it is.
    Set(KvPair),
    /// Sets a key if it was last modified at `index`; at 0, if it is not there.
    Cas {
        /// What to set.
        pair: KvPair,
        /// The expected `ModifyIndex`.
        index: u64,
    },
    /// Sets a key and makes a session its holder, unless another one is.
    Lock {
        /// What to set.
        pair: KvPair,
        /// The session, which must exist.
        session: String,
    },
    /// Sets a key and ends the hold of a session on it, if it is the holder.
    Unlock {
        /// What to set.
        pair: KvPair,
        /// The session.
        session: String,
    },
    /// Removes a key. To remove what is not there succeeds.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Removes a key if it was last modified at `index`. To remove what is not there succeeds.
    DeleteCas {
        /// The key.
        key: Bytes,
        /// The expected `ModifyIndex`.
        index: u64,
    },
    /// Removes every key that begins with `prefix`.
    DeleteTree {
        /// The prefix; the empty one means all keys.
        prefix: Bytes,
    },
}

/// What a client sets under a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KvPair {
    /// The key.
    pub key: Bytes,
    /// Its value. As in genuine servers an empty value is no value: both read back as null.
    pub value: Bytes,
    /// A number that means something to clients only.
    pub flags: u64,
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TxnOp {
    /// Changes keys; fails where alone it would answer false.
    Kv(KvOp),
    /// Reads or checks keys.
    KvRead(KvRead),
}

/// What a transaction can ask of keys without changing them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum KvRead {
    /// The entry under a key; fails without one.
    Get {
        /// The key.
        key: Bytes,
    },
    /// The entry under a key; without one, an entry that has nothing but the key.
    GetOrEmpty {
        /// The key.
        key: Bytes,
    },
    /// All entries whose keys begin with a prefix.
    GetTree {
        /// The prefix. Unlike everywhere else genuine servers refuse an empty one here.
        prefix: Bytes,
    },
    /// Fails unless the key was last modified at `index`.
    CheckIndex {
        /// The key.
        key: Bytes,
        /// The expected `ModifyIndex`.
        index: u64,
    },
    /// Fails unless the key's holder is `session`; the empty one stands for nobody.
    CheckSession {
        /// The key.
        key: Bytes,
        /// The session.
        session: String,
    },
    /// Fails if there is such a key.
    CheckNotExists {
        /// The key.
        key: Bytes,
    },
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; nothing to tell.
    Done,
    /// Whether the change was made. False: another index or another holder stood in its way.
    Bool(bool),
    /// What a transaction read and wrote, in the order of its operations, some of which yield nothing and
    /// some several results.
    Results(Vec<TxnResult>),
    /// Why a transaction changed nothing: every operation that failed.
    Errors(Vec<TxnError>),
    /// The command breaks a rule and changed nothing; the text is the genuine one.
    Failed(String),
}

/// One thing that a transaction read or wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TxnResult {
    /// An entry; without its value unless it was asked for by one of the three `Get`s.
    Kv(#[serde(with = "dir_entry")] DirEntry),
}

/// Why one operation of a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnError {
    /// Its place among the operations, from 0.
    pub op_index: usize,
    /// The genuine text.
    pub what: String,
}

/// Applies a command. What breaks a rule changes nothing and is told in the reply.
pub(crate) fn apply(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Error> {
    match command {
        Command::Kv(op) => match kv::apply(txn, op) {
            Ok(_) => Ok(Reply::Bool(true)),
            Err(Failure::Refused(refusal)) if refusal.is_an_answer() => Ok(Reply::Bool(false)),
            Err(Failure::Refused(refusal)) => Ok(Reply::Failed(refusal.to_string())),
            Err(Failure::Broken(error)) => Err(error),
        },
        Command::Txn(ops) => txn::apply(txn, ops),
        Command::ReapTombstones { up_to } => {
            kv::reap_tombstones(txn, up_to)?;
            Ok(Reply::Done)
        }
    }
}

/// An entry within a reply, in the bytes of its record.
mod dir_entry {
    use archive::consul::DirEntry;
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(entry: &DirEntry, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&entry.encode())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DirEntry, D::Error> {
        let bytes = serde_bytes::deserialize::<Vec<u8>, D>(deserializer)?;
        DirEntry::decode(&bytes).map_err(D::Error::custom)
    }
}
