//! Nomad's rules.
//!
//! Genuine behaviour, bit by bit: every rule names the file of the genuine server that it follows.

pub mod acl;

mod indexes;
pub mod jobs;
mod layout;
mod namespaces;
mod refusal;

use archive::nomad::Namespace;
use serde::{Deserialize, Serialize};

pub(crate) use layout::{NOTES, derived, key};
pub use namespaces::{DEFAULT_NAMESPACE, namespace, namespaces};
pub use refusal::Refusal;

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
    /// A change to jobs.
    Jobs(jobs::Command),
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done {
        /// The state index of the change.
        index: u64,
    },
    /// A job was registered, stopped or purged.
    Job {
        /// The state index of the change; that of the job, if nothing had to be changed; 0 if there was no job.
        index: u64,
        /// The job's.
        job_modify_index: u64,
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
        Command::Jobs(command) => jobs::apply(txn, command),
        Command::DeleteNamespaces(names) => namespaces::delete(txn, &names).map(|()| Reply::Done { index }),
    }
}
