//! Consul's rules: how its records are stored, what its commands change, what its queries answer.
//!
//! Genuine behaviour, bit by bit: every rule names the file of the genuine server that it follows.

pub mod acl;
mod catalog;
mod indexes;
mod kv;
mod layout;
mod lookups;
mod query;
mod refusal;
mod session;
mod txn;

use archive::consul::{Check, DirEntry, Node, Service, Session};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use catalog::ops::{CheckOp, Deregister, NodeOp, Register, ServiceOp, Verb};
pub use catalog::query::{
    CheckState, Found, Health, Instance, InstanceFilter, InstanceHealth, NodeMeta, NodeServices,
    checks_in_state, node_checks, node_services, nodes, service_checks, service_health, service_instances,
    services,
};
pub(crate) use layout::{NOTES, derived, key, may_repeat};
pub use query::{
    Answer, KvEntries, Sees, Visible, kv_get, kv_keys, kv_keys_visible, kv_list, kv_list_visible,
};
pub use session::check_session;
pub use session::query::{
    Sessions, session_get, session_list, session_list_of_node, session_ttl, sessions_with_ttl,
};
pub use txn::txn_read;

use crate::{Error, Txn, wire};
use refusal::Failure;

/// A change to Consul's records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// One change to the key/value store. Answered with [`Reply::Bool`] or [`Reply::Failed`].
    Kv(KvOp),
    /// Several operations, of which either all take effect or none. Answered with [`Reply::Results`] or
    /// [`Reply::Errors`].
    Txn(Vec<TxnOp>),
    /// Registers a node, and with it a service and checks. Answered with [`Reply::Done`] or
    /// [`Reply::Failed`].
    Register(Register),
    /// Removes a service, a check or a node. Answered with [`Reply::Done`] or [`Reply::Failed`].
    Deregister(Deregister),
    /// Begins a session under an id that its proposer drew. Answered with [`Reply::Done`] or
    /// [`Reply::Failed`].
    SessionCreate(#[serde(with = "wire")] Session),
    /// Ends a session: what it held is released or removed. To end what is not there succeeds. Answered with
    /// [`Reply::Done`].
    SessionDestroy {
        /// The session.
        id: String,
    },
    /// A change to tokens, policies or roles. Answered with [`Reply::Acl`].
    Acl(acl::Command),
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
    /// Tells of or changes a node.
    Node(NodeOp),
    /// Tells of or changes a service.
    Service(Box<ServiceOp>),
    /// Tells of or changes a check.
    Check(Box<CheckOp>),
    /// Removes a session, but, as genuine servers do, nothing else: what it held stays locked.
    SessionDelete {
        /// The session.
        session: String,
    },
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
    /// Access control's answer.
    Acl(acl::Reply),
    /// The command breaks a rule and changed nothing; the text is the genuine one.
    Failed(String),
}

/// One thing that a transaction read or wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TxnResult {
    /// An entry; without its value unless it was asked for by one of the three `Get`s.
    Kv(#[serde(with = "wire")] DirEntry),
    /// A node.
    Node(#[serde(with = "wire")] Node),
    /// A service.
    Service(#[serde(with = "wire")] Box<Service>),
    /// A check.
    Check(#[serde(with = "wire")] Box<Check>),
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
    let mark = txn.mark();
    let outcome = match command {
        Command::Kv(op) => {
            kv::check_delay(txn, &op).and_then(|()| kv::apply(txn, op)).map(|_| Reply::Bool(true))
        }
        Command::Txn(ops) => return txn::apply(txn, ops),
        Command::Register(register) => catalog::register::register(txn, register).map(|()| Reply::Done),
        Command::Deregister(deregister) => {
            catalog::register::deregister(txn, &deregister).map(|()| Reply::Done)
        }
        Command::SessionCreate(session) => session::create(txn, session).map(|()| Reply::Done),
        Command::SessionDestroy { id } => session::destroy(txn, &id).map(|()| Reply::Done),
        Command::Acl(command) => return Ok(Reply::Acl(acl::apply(txn, command)?)),
        Command::ReapTombstones { up_to } => {
            kv::reap_tombstones(txn, up_to)?;
            return Ok(Reply::Done);
        }
    };
    match outcome {
        Ok(reply) => Ok(reply),
        Err(Failure::Broken(error)) => Err(error),
        Err(Failure::Refused(refusal)) => {
            txn.roll_back(mark);
            Ok(if refusal.is_an_answer() { Reply::Bool(false) } else { Reply::Failed(refusal.to_string()) })
        }
    }
}
