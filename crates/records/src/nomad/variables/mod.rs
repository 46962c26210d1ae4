//! Variables: encrypted items under a path, which can be locked.
//!
//! Follows `hashicorp/nomad:nomad/state/state_store_variables.go` and `nomad/locks.go`. What a command carries is
//! encrypted already: neither the log nor the store ever holds items in clear.
//!
//! Two things differ. A change by the holder of a lock leaves the lock as it is, where a genuine server resets its
//! times and takes one along that nothing ends; and a variable is refused whose key is not there any more, such as
//! one encrypted just before a restore.

mod check;
mod query;

use archive::nomad::{Variable, VariableLock, VariablesQuota, kinds};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use check::{check_items, check_lock, check_namespace, check_path, settled_lock};
pub use query::{HeldLock, encrypted_by, held_locks, variable, variables};
pub(super) use query::{decode, derived};

use super::indexes::touch;
use super::refusal::{Failure, Refusal};
use super::{Reply, keyring, layout, time_ns};
use crate::{Error, Read, Txn, error, wire};

const TABLE: &str = "variables";

/// A change to a variable. Answered with [`Reply::Variable`] or [`Reply::Conflict`], deletes with [`Reply::Done`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Creates a variable, or replaces what is in it. Its indexes and times are not looked at.
    Set {
        /// The variable; its lock, if it has one, is that of which the caller claims to be the holder.
        #[serde(with = "wire")]
        variable: Box<Variable>,
        /// Only if it was last modified at this index; at 0, only if it is not there.
        cas: Option<u64>,
    },
    /// Removes a variable. To remove what is not there succeeds.
    Delete {
        /// Its namespace.
        namespace: String,
        /// Its path.
        path: String,
        /// Only if it was last modified at this index; at 0, only if it is not there.
        cas: Option<u64>,
    },
    /// Makes somebody the holder, creates the variable or replaces what is in it.
    Acquire(#[serde(with = "wire")] Box<Variable>),
    /// Ends the hold of a lock; the items stay.
    Release {
        /// Its namespace.
        namespace: String,
        /// Its path.
        path: String,
        /// The lock.
        lock_id: String,
    },
}

pub(super) fn apply(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Failure> {
    match command {
        Command::Set { variable, cas } => set(txn, *variable, cas),
        Command::Delete { namespace, path, cas } => delete(txn, &namespace, &path, cas),
        Command::Acquire(variable) => acquire(txn, *variable),
        Command::Release { namespace, path, lock_id } => release(txn, &namespace, &path, &lock_id),
    }
}

fn set(txn: &mut Txn<'_>, variable: Variable, cas: Option<u64>) -> Result<Reply, Failure> {
    let before = Before::find(txn, &variable.namespace, &variable.path)?;
    if let Some(conflict) = before.differs(cas, &variable.namespace, &variable.path) {
        return Ok(conflict);
    }
    let lock = before.lock().cloned();
    if before.is_locked_for(variable.lock.as_ref()) {
        return Ok(locked(&variable.namespace, &variable.path));
    }
    put(txn, before, Variable { lock, ..variable })
}

fn acquire(txn: &mut Txn<'_>, variable: Variable) -> Result<Reply, Failure> {
    let before = Before::find(txn, &variable.namespace, &variable.path)?;
    if before.is_locked_for(variable.lock.as_ref()) {
        return Ok(locked(&variable.namespace, &variable.path));
    }
    put(txn, before, variable)
}

fn delete(txn: &mut Txn<'_>, namespace: &str, path: &str, cas: Option<u64>) -> Result<Reply, Failure> {
    let done = Reply::Done { index: txn.index() };
    let before = Before::find(txn, namespace, path)?;
    if let Some(conflict) = before.differs(cas, namespace, path) {
        return Ok(conflict);
    }
    if before.is_locked_for(None) {
        return Ok(locked(namespace, path));
    }
    let Some((_, variable)) = before.0 else { return Ok(done) };
    txn.remove(kinds::VARIABLE, &layout::in_namespace(namespace, path.as_bytes()))?;
    count(txn, namespace, -data_bytes(&variable))?;
    touch(txn, TABLE)?;
    Ok(done)
}

fn release(txn: &mut Txn<'_>, namespace: &str, path: &str, lock_id: &str) -> Result<Reply, Failure> {
    let Some((bytes, variable)) = Before::find(txn, namespace, path)?.0 else {
        return Err(Refusal::Failed("variable doesn't exist".into()).into());
    };
    match &variable.lock {
        None => return Err(Refusal::Failed("variable doesn't hold a lock".into()).into()),
        Some(lock) if lock.id != lock_id => return Ok(locked(namespace, path)),
        Some(_) => {}
    }
    let variable = Variable { lock: None, modify_index: txn.index(), ..variable };
    store(txn, &variable, &bytes)?;
    touch(txn, TABLE)?;
    Ok(Reply::Variable(Box::new(variable)))
}

/// Stores a variable with the lock that it has now.
fn put(txn: &mut Txn<'_>, before: Before, variable: Variable) -> Result<Reply, Failure> {
    check_namespace(&variable.namespace)?;
    check_path(&variable.path)?;
    if !keyring::exists(txn, &variable.key_id)? {
        let text = format!("no such key {:?} in keyring; nothing was changed: try again", variable.key_id);
        return Err(Refusal::Failed(text).into());
    }
    let (index, now_ns) = (txn.index(), time_ns(txn.at_ms()));
    let (bytes, create_index, create_time_ns, counted) = match before.0 {
        Some((bytes, old)) => (bytes, old.create_index, old.create_time_ns, data_bytes(&old)),
        None => (Bytes::new(), index, now_ns, 0),
    };
    let variable =
        Variable { create_index, create_time_ns, modify_index: index, modify_time_ns: now_ns, ..variable };
    store(txn, &variable, &bytes)?;
    match data_bytes(&variable) - counted {
        0 => {}
        bytes => count(txn, &variable.namespace, bytes)?,
    }
    touch(txn, TABLE)?;
    Ok(Reply::Variable(Box::new(variable)))
}

fn store(txn: &mut Txn<'_>, variable: &Variable, before: &[u8]) -> Result<(), Error> {
    let id = layout::in_namespace(&variable.namespace, variable.path.as_bytes());
    txn.put(kinds::VARIABLE, &id, variable.encode_over(before).into())
}

/// Adds to what the variables of a namespace take.
fn count(txn: &mut Txn<'_>, namespace: &str, bytes: i64) -> Result<(), Error> {
    let id = layout::in_namespace(namespace, b"");
    let before = txn.get(kinds::VARIABLES_QUOTA, &id)?;
    let mut quota = match &before {
        Some(before) => VariablesQuota::decode(before).map_err(|e| error::stored("variables quota", e))?,
        None => VariablesQuota {
            namespace: namespace.to_owned(),
            create_index: txn.index(),
            ..VariablesQuota::default()
        },
    };
    quota.size_bytes = quota.size_bytes.saturating_add(bytes).max(0);
    quota.modify_index = txn.index();
    let bytes = quota.encode_over(before.as_deref().unwrap_or_default());
    txn.put(kinds::VARIABLES_QUOTA, &id, bytes.into())
}

fn data_bytes(variable: &Variable) -> i64 {
    let bytes = variable.data.as_ref().map_or(0, |data| data.0.len());
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What was there before a change: the bytes, and what they say.
struct Before(Option<(Bytes, Variable)>);

impl Before {
    fn find(txn: &Txn<'_>, namespace: &str, path: &str) -> Result<Before, Error> {
        let found = txn.get(kinds::VARIABLE, &layout::in_namespace(namespace, path.as_bytes()))?;
        let found = found.map(|bytes| decode(&bytes).map(|variable| (bytes, variable)));
        Ok(Before(found.transpose()?))
    }

    fn lock(&self) -> Option<&VariableLock> {
        self.0.as_ref()?.1.lock.as_ref()
    }

    fn is_locked_for(&self, claimed: Option<&VariableLock>) -> bool {
        self.lock().is_some_and(|lock| claimed.is_none_or(|claimed| claimed.id != lock.id))
    }

    /// The conflict with what a check-and-set expects.
    fn differs(&self, cas: Option<u64>, namespace: &str, path: &str) -> Option<Reply> {
        match (cas?, &self.0) {
            (expected, Some((_, found))) if expected != found.modify_index => {
                Some(Reply::Conflict(Box::new(found.clone())))
            }
            (1.., None) => Some(locked(namespace, path)),
            _ => None,
        }
    }
}

/// A conflict that shows nothing: somebody else holds the lock, or there is nothing to show.
fn locked(namespace: &str, path: &str) -> Reply {
    let (namespace, path) = (namespace.to_owned(), path.to_owned());
    Reply::Conflict(Box::new(Variable { namespace, path, ..Variable::default() }))
}
