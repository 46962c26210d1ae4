//! Namespaces.
//!
//! Follows `hashicorp/nomad:nomad/namespace_endpoint.go`, `nomad/structs/structs.go` and
//! `nomad/state/state_store.go`.

use archive::nomad::{Namespace, kinds};

use super::indexes;
use super::refusal::{Failure, Refusal};
use super::{Answer, layout};
use crate::{Error, Read, Txn, error};

/// What everything is in that names no namespace. It always exists.
pub const DEFAULT_NAMESPACE: &str = "default";

const TABLE: &str = "namespaces";

const DESCRIPTION_CHARS_MAX: usize = 256;

/// What can't be deleted while a namespace has it: a record type and how the refusal calls it.
const HOLDING: [(u8, &str); 2] = [(kinds::JOB, "jobs"), (kinds::VARIABLE, "variables")];

/// The namespace called `name`.
pub fn namespace(read: &dyn Read, name: &str) -> Result<Answer<Option<Namespace>>, Error> {
    let found = read.get(kinds::NAMESPACE, name.as_bytes())?.map(|bytes| decode(&bytes)).transpose()?;
    let index = match &found {
        Some(namespace) => namespace.modify_index,
        None => indexes::of(read, TABLE)?.unwrap_or_default(),
    };
    Ok(Answer { index: index.max(read.floor()), value: found })
}

/// The namespaces whose names begin with `prefix`.
pub fn namespaces(read: &dyn Read, prefix: &str) -> Result<Answer<Vec<Namespace>>, Error> {
    let found = read.scan(kinds::NAMESPACE, prefix.as_bytes()).map(|entry| decode(&entry?.1));
    let value = found.collect::<Result<_, Error>>()?;
    Ok(Answer { index: indexes::of(read, TABLE)?.unwrap_or_default().max(read.floor()), value })
}

pub(super) fn upsert(txn: &mut Txn<'_>, namespaces: Vec<Namespace>) -> Result<(), Failure> {
    if namespaces.is_empty() {
        return Err(Refusal::Failed("must specify at least one namespace".into()).into());
    }
    for namespace in namespaces {
        check(&namespace)?;
        put(txn, namespace)?;
    }
    Ok(touch(txn)?)
}

pub(super) fn delete(txn: &mut Txn<'_>, names: &[String]) -> Result<(), Failure> {
    let refuse = |text: String| Failure::from(Refusal::Failed(text));
    if names.is_empty() {
        return Err(refuse("must specify at least one namespace to delete".into()));
    }
    for name in names {
        if name == DEFAULT_NAMESPACE {
            return Err(refuse("can not delete default namespace".into()));
        }
        if txn.get(kinds::NAMESPACE, name.as_bytes())?.is_none() {
            return Err(refuse(format!("namespace {name:?} doesn't exist")));
        }
        for (kind, what) in HOLDING {
            let held = txn.scan(kind, &layout::in_namespace(name, b"")).next().transpose()?;
            if held.is_some() {
                return Err(refuse(format!("namespace {name:?} has {what}")));
            }
        }
        txn.remove(kinds::NAMESPACE, name.as_bytes())?;
    }
    Ok(touch(txn)?)
}

/// Stores a namespace; indexes and hash of the given one are not looked at.
pub(super) fn put(txn: &mut Txn<'_>, namespace: Namespace) -> Result<(), Error> {
    let before = txn.get(kinds::NAMESPACE, namespace.name.as_bytes())?;
    let create_index = match &before {
        Some(bytes) => decode(bytes)?.create_index,
        None => txn.index(),
    };
    let mut namespace = Namespace { create_index, modify_index: txn.index(), ..namespace };
    namespace.hash = Some(namespace.content_hash());
    let bytes = namespace.encode_over(before.as_deref().unwrap_or_default());
    let id = namespace.name.clone();
    txn.put(kinds::NAMESPACE, id.as_bytes(), bytes.into())
}

/// Moves the index of the namespaces to the command being applied.
pub(super) fn touch(txn: &mut Txn<'_>) -> Result<(), Error> {
    indexes::touch(txn, TABLE)
}

fn check(namespace: &Namespace) -> Result<(), Refusal> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !(1..=128).contains(&namespace.name.len()) || !namespace.name.bytes().all(is_word) {
        return Err(Refusal::Failed(format!(
            "invalid name {:?}. Must match regex ^[a-zA-Z0-9-]{{1,128}}$",
            namespace.name
        )));
    }
    if namespace.description.len() > DESCRIPTION_CHARS_MAX {
        return Err(Refusal::Failed(format!("description longer than {DESCRIPTION_CHARS_MAX}")));
    }
    Ok(())
}

fn decode(bytes: &[u8]) -> Result<Namespace, Error> {
    Namespace::decode(bytes).map_err(|e| error::stored("namespace", e))
}
