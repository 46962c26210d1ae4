//! Nomad's rules.
//!
//! Genuine behaviour, bit by bit: every rule names the file of the genuine server that it follows.

pub mod acl;
pub mod keyring;
pub mod root_keys;
pub mod variables;

mod indexes;
pub mod jobs;
mod layout;
mod namespaces;
mod refusal;
mod setup;

use archive::nomad::{Namespace, RootKey, Variable};
use serde::{Deserialize, Serialize};

pub(crate) use layout::{NOTES, derived, key};
pub use namespaces::{DEFAULT_NAMESPACE, namespace, namespaces};
pub use refusal::Refusal;
pub use setup::is_initialized;

use crate::wire;
use crate::{Error, Txn};
use refusal::Failure;

/// A change to Nomad's records. Ids, secrets and times come with it: nothing is drawn while applying.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Creates namespaces, or sets what can be changed of them. Answered with [`Reply::Done`].
    UpsertNamespaces(#[serde(with = "wire::list")] Vec<Namespace>),
    /// Deletes namespaces: all of them, or none. Answered with [`Reply::Done`].
    DeleteNamespaces(Vec<String>),
    /// A change to tokens, policies or roles. Answered with [`Reply::Acl`].
    Acl(acl::Command),
    /// A change to a variable. Answered as [`variables::Command`] says.
    Variable(variables::Command),
    /// Adds what the scope lacks of what it begins with. Answered with [`Reply::Done`].
    Initialize {
        /// A root key, for want of one that can be used.
        #[serde(with = "wire")]
        root_key: Box<RootKey>,
        /// The cluster's id, a UUID, for want of one.
        cluster_id: String,
    },
    /// A change to jobs.
    Jobs(jobs::Command),
    /// A change to root keys. Answered as [`root_keys::Command`] says.
    RootKeys(root_keys::Command),
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done {
        /// The state index of the change.
        index: u64,
    },
    /// Access control's answer.
    Acl {
        /// The state index of the change.
        index: u64,
        /// The answer.
        reply: acl::Reply,
    },
    /// The variable as it is now; the state index of the change is its `modify_index`.
    Variable(#[serde(with = "wire")] Box<Variable>),
    /// Nothing was changed: this variable stood in the way. It has neither data nor indexes if there is none, or if
    /// somebody else holds its lock.
    Conflict(#[serde(with = "wire")] Box<Variable>),
    /// A job was registered, stopped or purged.
    Job {
        /// The state index of the change; that of the job, if nothing had to be changed; 0 if there was no job.
        index: u64,
        /// The job's.
        job_modify_index: u64,
    },
    /// The root key as it is now; the state index of the change is its `modify_index`.
    RootKey(#[serde(with = "wire")] Box<RootKey>),
    /// A job was made of another one.
    Child {
        /// The state index of the change; that of the job, if it was made before.
        index: u64,
        /// The index at which it was made.
        create_index: u64,
        /// The job.
        id: String,
    },
    /// The command breaks a rule and changed nothing.
    Refused(Refusal),
}

/// An answer of a query, with the index it carries.
pub use crate::consul::Answer;

/// Applies a command. What breaks a rule changes nothing and is told in the reply.
pub(crate) fn apply(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Error> {
    let mark = txn.mark();
    match change(txn, command) {
        Ok(reply) => Ok(reply),
        Err(Failure::Broken(error)) => Err(error),
        Err(Failure::Refused(refusal)) => {
            txn.roll_back(mark);
            Ok(Reply::Refused(refusal))
        }
    }
}

fn change(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Failure> {
    let index = crate::Read::index(txn);
    match command {
        Command::UpsertNamespaces(namespaces) => {
            namespaces::upsert(txn, namespaces).map(|()| Reply::Done { index })
        }
        Command::Acl(command) => acl::change(txn, command).map(|reply| Reply::Acl { index, reply }),
        Command::Variable(command) => variables::apply(txn, command),
        Command::Initialize { root_key, cluster_id } => {
            setup::initialize(txn, *root_key, cluster_id)?;
            Ok(Reply::Done { index })
        }
        Command::Jobs(command) => jobs::apply(txn, command),
        Command::RootKeys(command) => root_keys::apply(txn, command),
        Command::DeleteNamespaces(names) => namespaces::delete(txn, &names).map(|()| Reply::Done { index }),
    }
}

/// A time as Nomad's records have it: in nanoseconds since 1970.
fn time_ns(at_ms: u64) -> i64 {
    i64::try_from(at_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX)
}
