//! What can be asked of variables, and what finds the locked ones.

use std::time::Duration;

use archive::nomad::{Variable, kinds};
use bytes::Bytes;

use super::TABLE;
use crate::nomad::{Answer, indexes, layout};
use crate::{Error, Read, error};

/// The tag of derived keys that tell which variables are locked: the id of the variable follows.
const LOCKED: &[u8] = &[20];

/// The variable at a path of a namespace.
pub fn variable(read: &dyn Read, namespace: &str, path: &str) -> Result<Answer<Option<Variable>>, Error> {
    let found = read.get(kinds::VARIABLE, &layout::in_namespace(namespace, path.as_bytes()))?;
    let value = found.map(|bytes| decode(&bytes)).transpose()?;
    let index = match &value {
        Some(variable) => variable.modify_index,
        None => table_index(read)?,
    };
    Ok(Answer { index: index.max(read.floor()), value })
}

/// The variables whose paths begin with `prefix`, in one namespace or in all: by namespace, then by path.
pub fn variables(
    read: &dyn Read,
    namespace: Option<&str>,
    prefix: &str,
) -> Result<Answer<Vec<Variable>>, Error> {
    let id_prefix = namespace.map(|namespace| layout::in_namespace(namespace, prefix.as_bytes()));
    let mut value = Vec::new();
    for entry in read.scan(kinds::VARIABLE, id_prefix.as_deref().unwrap_or_default()) {
        let variable = decode(&entry?.1)?;
        if variable.path.starts_with(prefix) {
            value.push(variable);
        }
    }
    Ok(Answer { index: table_index(read)?.max(read.floor()), value })
}

/// The variables that the root key `key_id` encrypted, read as the iterator is.
pub fn encrypted_by<'a>(
    read: &'a dyn Read,
    key_id: &'a str,
) -> impl Iterator<Item = Result<Variable, Error>> + 'a {
    let decoded = read.scan(kinds::VARIABLE, b"").map(|entry| decode(&entry?.1));
    decoded.filter(move |variable| variable.as_ref().map_or(true, |variable| variable.key_id == key_id))
}

/// A lock that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeldLock {
    /// The namespace of the variable.
    pub namespace: String,
    /// Its path.
    pub path: String,
    /// The lock.
    pub lock_id: String,
    /// How long it is held without being renewed.
    pub ttl: Duration,
    /// How long nobody gets it after it was lost.
    pub delay: Duration,
}

impl HeldLock {
    /// The lock of a variable, if somebody holds it.
    pub fn of(variable: &Variable) -> Option<HeldLock> {
        let lock = variable.lock.as_ref()?;
        let duration = |ns| Duration::from_nanos(u64::try_from(ns).unwrap_or_default());
        Some(HeldLock {
            namespace: variable.namespace.clone(),
            path: variable.path.clone(),
            lock_id: lock.id.clone(),
            ttl: duration(lock.ttl_ns),
            delay: duration(lock.lock_delay_ns),
        })
    }
}

/// Every lock that somebody holds.
pub fn held_locks(read: &dyn Read) -> Result<Vec<HeldLock>, Error> {
    let mut held = Vec::new();
    for id in read.derived(LOCKED)? {
        let Some(bytes) = read.get(kinds::VARIABLE, &id)? else { continue };
        held.extend(HeldLock::of(&decode(&bytes)?));
    }
    Ok(held)
}

/// The derived keys of a variable.
pub(in crate::nomad) fn derived(variable: &Variable) -> Vec<Bytes> {
    let id = || [LOCKED, &layout::in_namespace(namespace_of(variable), variable.path.as_bytes())].concat();
    variable.lock.iter().map(|_| id().into()).collect()
}

pub(in crate::nomad) fn decode(bytes: &[u8]) -> Result<Variable, Error> {
    let variable = Variable::decode(bytes).map_err(|e| error::stored("variable", e))?;
    let namespace = namespace_of(&variable).to_owned();
    Ok(Variable { namespace, ..variable })
}

/// What older servers wrote may name no namespace.
fn namespace_of(variable: &Variable) -> &str {
    if variable.namespace.is_empty() { crate::nomad::DEFAULT_NAMESPACE } else { &variable.namespace }
}

fn table_index(read: &dyn Read) -> Result<u64, Error> {
    Ok(indexes::of(read, TABLE)?.unwrap_or_default())
}
