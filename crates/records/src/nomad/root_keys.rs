//! Changes to root keys: a new one for what is encrypted from now on, and the end of old ones.
//!
//! Follows `hashicorp/nomad:nomad/keyring_endpoint.go`, `nomad/state/state_store_keyring.go` and `nomad/core_sched.go`.
//! Keys are only changed when somebody asks: there is neither a rotation nor a collection by age.

use archive::msgpack::Cursor;
use archive::nomad::{RootKey, kinds};
use serde::{Deserialize, Serialize};

use super::indexes::{self, touch};
use super::keyring::decode;
use super::refusal::{Failure, Refusal};
use super::{Answer, Reply, time_ns, variables};
use crate::{Error, Read, Txn, error, wire};

const TABLE: &str = "root_keys";

/// Encrypts what is new.
pub(super) const ACTIVE: &str = "active";

/// Decrypts what is old.
const INACTIVE: &str = "inactive";

/// Decrypts what is old until all of it is encrypted by the active key.
const REKEYING: &str = "rekeying";

/// Becomes active at a time of its own.
const PREPUBLISHED: &str = "prepublished";

/// A change to root keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a key: at once the active one, or at its `publish_time_ns` if that is not 0. Answered with
    /// [`Reply::RootKey`].
    Rotate {
        /// The key. Its state, indexes and creation time are not looked at.
        #[serde(with = "wire")]
        root_key: Box<RootKey>,
        /// Whether what older keys encrypted is to be encrypted anew.
        full: bool,
    },
    /// Makes a key active whose time has come. Answered with [`Reply::Done`].
    Publish {
        /// Its id.
        key_id: String,
    },
    /// Calls a key inactive of which nothing is left to be encrypted anew. Answered with [`Reply::Done`].
    Settle {
        /// Its id.
        key_id: String,
    },
    /// Deletes a key that is not the active one. Answered with [`Reply::Done`].
    Delete {
        /// Its id.
        key_id: String,
        /// Even if something is encrypted by it, which nobody can read then.
        force: bool,
    },
}

pub(super) fn apply(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Failure> {
    let done = Reply::Done { index: txn.index() };
    match command {
        Command::Rotate { root_key, full } => {
            return rotate(txn, *root_key, full).map(|added| Reply::RootKey(Box::new(added)));
        }
        Command::Publish { key_id } => publish(txn, &key_id)?,
        Command::Settle { key_id } => settle(txn, &key_id)?,
        Command::Delete { key_id, force } => delete(txn, &key_id, force)?,
    }
    Ok(done)
}

/// Every root key, by id.
pub fn root_keys(read: &dyn Read) -> Result<Answer<Vec<RootKey>>, Error> {
    let keys = read.scan(kinds::ROOT_KEY, b"").map(|entry| decode(&entry?.1)).collect::<Result<_, _>>()?;
    let index = indexes::of(read, TABLE)?.unwrap_or_default();
    Ok(Answer { index: index.max(read.floor()).max(1), value: keys })
}

/// The prepublished keys whose time has come.
pub fn due(read: &dyn Read, now_ms: u64) -> Result<Vec<String>, Error> {
    let is_due = |key: &RootKey| key.state == PREPUBLISHED && key.publish_time_ns <= time_ns(now_ms);
    Ok(root_keys(read)?.value.into_iter().filter(is_due).map(|key| key.key_id).collect())
}

/// The keys of which all is to be encrypted anew.
pub fn rekeying(read: &dyn Read) -> Result<Vec<String>, Error> {
    let keys = root_keys(read)?.value;
    Ok(keys.into_iter().filter(|key| key.state == REKEYING).map(|key| key.key_id).collect())
}

fn rotate(txn: &mut Txn<'_>, root_key: RootKey, full: bool) -> Result<RootKey, Failure> {
    let is_prepublished = root_key.publish_time_ns != 0;
    if full && is_prepublished {
        return Err(failed("keyring cannot be prepublished and full rotated at the same time"));
    }
    if txn.get(kinds::ROOT_KEY, root_key.key_id.as_bytes())?.is_some() {
        return Err(failed("the id drawn for the key can't be used"));
    }
    let state = if is_prepublished { PREPUBLISHED } else { ACTIVE };
    Ok(add(txn, RootKey { state: state.into(), ..root_key }, full)?)
}

/// Stores a new key. If it is active, no other one is from now on.
pub(super) fn add(txn: &mut Txn<'_>, root_key: RootKey, full: bool) -> Result<RootKey, Error> {
    if root_key.state == ACTIVE {
        supersede(txn, full)?;
    }
    let (index, create_time_ns) = (txn.index(), time_ns(txn.at_ms()));
    let root_key = RootKey { create_time_ns, create_index: index, modify_index: index, ..root_key };
    txn.put(kinds::ROOT_KEY, root_key.key_id.as_bytes(), root_key.encode().into())?;
    touch(txn, TABLE)?;
    Ok(root_key)
}

fn supersede(txn: &mut Txn<'_>, full: bool) -> Result<(), Error> {
    for key in root_keys(txn)?.value {
        let state = match key.state.as_str() {
            ACTIVE | INACTIVE if full => REKEYING,
            ACTIVE => INACTIVE,
            _ => continue,
        };
        set_state(txn, &key.key_id, state)?;
    }
    Ok(())
}

fn publish(txn: &mut Txn<'_>, key_id: &str) -> Result<(), Failure> {
    if find(txn, key_id)?.state != PREPUBLISHED {
        return Err(failed("root key is not prepublished"));
    }
    supersede(txn, false)?;
    set_state(txn, key_id, ACTIVE)?;
    Ok(touch(txn, TABLE)?)
}

fn settle(txn: &mut Txn<'_>, key_id: &str) -> Result<(), Failure> {
    if find(txn, key_id)?.state != REKEYING || encrypts_variables(txn, key_id)? {
        return Err(failed("root key is still needed"));
    }
    set_state(txn, key_id, INACTIVE)?;
    Ok(touch(txn, TABLE)?)
}

fn delete(txn: &mut Txn<'_>, key_id: &str, force: bool) -> Result<(), Failure> {
    if key_id.is_empty() {
        return Err(failed("root key ID is required"));
    }
    if find(txn, key_id)?.state == ACTIVE {
        return Err(failed("active root key cannot be deleted - call rotate first"));
    }
    if !force && (encrypts_variables(txn, key_id)? || signs_identities(txn, key_id)?) {
        return Err(failed("root key in use, cannot delete"));
    }
    txn.remove(kinds::ROOT_KEY, key_id.as_bytes())?;
    Ok(touch(txn, TABLE)?)
}

fn find(read: &dyn Read, key_id: &str) -> Result<RootKey, Failure> {
    let bytes = read.get(kinds::ROOT_KEY, key_id.as_bytes())?;
    Ok(decode(&bytes.ok_or_else(|| failed("root key not found"))?)?)
}

fn set_state(txn: &mut Txn<'_>, key_id: &str, state: &str) -> Result<(), Error> {
    let Some(bytes) = txn.get(kinds::ROOT_KEY, key_id.as_bytes())? else { return Ok(()) };
    let root_key = RootKey { state: state.into(), modify_index: txn.index(), ..decode(&bytes)? };
    txn.put(kinds::ROOT_KEY, key_id.as_bytes(), root_key.encode_over(&bytes).into())
}

fn encrypts_variables(read: &dyn Read, key_id: &str) -> Result<bool, Error> {
    Ok(variables::encrypted_by(read, key_id).next().transpose()?.is_some())
}

/// Whether a restored allocation or node has an identity that the key signed. A genuine server passes over
/// allocations that have ended; here nothing runs and nothing ends.
fn signs_identities(read: &dyn Read, key_id: &str) -> Result<bool, Error> {
    for (kind, field) in [(kinds::ALLOC, "SigningKeyID"), (kinds::NODE, "IdentitySigningKeyID")] {
        for entry in read.scan(kind, b"") {
            if text_of(&entry?.1, field)? == key_id {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn text_of(bytes: &[u8], wanted: &str) -> Result<String, Error> {
    let mut text = String::new();
    let read = Cursor::new(bytes).fields(|field, value| {
        if field == wanted.as_bytes() {
            text = value.text()?.to_owned();
        }
        Ok(())
    });
    read.map_err(|e| error::stored("record", e))?;
    Ok(text)
}

fn failed(text: &str) -> Failure {
    Refusal::Failed(text.into()).into()
}
