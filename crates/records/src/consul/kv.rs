//! Changes to keys: what each does to the entry, to its tombstone and to the tables' indexes.
//!
//! Follows `hashicorp/consul:agent/consul/state/{kvs,kvs_ce,graveyard,graveyard_ce}.go`.

use archive::consul::DirEntry;
use bytes::Bytes;

use super::indexes::touch;
use super::layout::{KVS, SESSION, TOMBSTONE};
use super::query::{self, KVS_TABLE, TOMBSTONES_TABLE};
use super::refusal::{Failure, Refusal};
use super::session::delay;
use super::{KvOp, KvPair};
use crate::quote::Quoted;
use crate::{Error, ID_BYTES_MAX, Read, Txn};

/// Makes one change. Returns the entry as it now stands, or nothing after a removal; refused, it has changed
/// nothing.
pub(super) fn apply(txn: &mut Txn<'_>, op: KvOp) -> Result<Option<DirEntry>, Failure> {
    op.check()?;
    match op {
        KvOp::Set(pair) => set(txn, pair).map(Some),
        KvOp::Cas { pair, index } => cas(txn, pair, index).map(Some),
        KvOp::Lock { pair, session } => lock(txn, pair, session).map(Some),
        KvOp::Unlock { pair, session } => unlock(txn, pair, session).map(Some),
        KvOp::Delete { key } => delete(txn, &key).map(|()| None),
        KvOp::DeleteCas { key, index } => delete_cas(txn, key, index).map(|()| None),
        KvOp::DeleteTree { prefix } => delete_tree(txn, &prefix).map(|()| None),
    }
}

impl KvOp {
    /// Refuses keys that no entry can have. Only a whole tree may be named by nothing.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self {
            KvOp::Set(pair) => check_key(&pair.key),
            KvOp::Cas { pair, .. } | KvOp::Lock { pair, .. } | KvOp::Unlock { pair, .. } => {
                check_key(&pair.key)
            }
            KvOp::Delete { key } | KvOp::DeleteCas { key, .. } => check_key(key),
            KvOp::DeleteTree { prefix } if prefix.is_empty() => Ok(()),
            KvOp::DeleteTree { prefix } => check_key(prefix),
        }
    }
}

pub(super) fn check_key(key: &[u8]) -> Result<(), Refusal> {
    match key.len() {
        0 => Err(Refusal::NoKey),
        1..=ID_BYTES_MAX => Ok(()),
        bytes => Err(Refusal::LongKey(bytes)),
    }
}

/// Refuses to lock a key that a session was taken only just now. Genuine leaders look at this before they
/// propose the operation, so in a transaction it is told with what no state could make right.
pub(super) fn check_delay(txn: &Txn<'_>, op: &KvOp) -> Result<(), Failure> {
    match op {
        KvOp::Lock { pair, .. } if delay::is_imposed(txn, &pair.key)? => {
            Err(Refusal::Delayed(Quoted(pair.key.clone())).into())
        }
        _ => Ok(()),
    }
}

/// Removes every tombstone of a delete up to index `up_to`. The table's index stays.
pub(super) fn reap_tombstones(txn: &mut Txn<'_>, up_to: u64) -> Result<(), Error> {
    let mut reaped = Vec::new();
    for stone in txn.scan(TOMBSTONE, &[]) {
        let (id, bytes) = stone?;
        if query::decode(&bytes)?.modify_index <= up_to {
            reaped.push(id);
        }
    }
    for id in reaped {
        txn.remove(TOMBSTONE, &id)?;
    }
    Ok(())
}

fn set(txn: &mut Txn<'_>, pair: KvPair) -> Result<DirEntry, Failure> {
    let found = query::entry(txn, &pair.key)?;
    let session = found.as_ref().map(|entry| entry.session.clone()).unwrap_or_default();
    // Genuine servers take the count of locks from the request, which never carries one: a set forgets it.
    store(txn, found, pair, session, 0)
}

fn cas(txn: &mut Txn<'_>, pair: KvPair, index: u64) -> Result<DirEntry, Failure> {
    let found = query::entry(txn, &pair.key)?;
    let expected = (index != 0).then_some(index);
    if found.map(|entry| entry.modify_index) != expected {
        return Err(Refusal::StaleSet(Quoted(pair.key)).into());
    }
    set(txn, pair)
}

fn lock(txn: &mut Txn<'_>, pair: KvPair, session: String) -> Result<DirEntry, Failure> {
    if session.is_empty() {
        return Err(Refusal::NoSession.into());
    }
    if txn.get(SESSION, session.as_bytes())?.is_none() {
        return Err(Refusal::UnknownSession(Quoted(session.into())).into());
    }
    let found = query::entry(txn, &pair.key)?;
    let lock_index = match &found {
        None => 1,
        Some(entry) if entry.session == session => entry.lock_index,
        // An archive may hold any count; genuine arithmetic wraps.
        Some(entry) if entry.session.is_empty() => entry.lock_index.wrapping_add(1),
        Some(_) => return Err(Refusal::Held(Quoted(pair.key)).into()),
    };
    store(txn, found, pair, session, lock_index)
}

fn unlock(txn: &mut Txn<'_>, pair: KvPair, session: String) -> Result<DirEntry, Failure> {
    if session.is_empty() {
        return Err(Refusal::NoSession.into());
    }
    match query::entry(txn, &pair.key)? {
        Some(entry) if entry.session == session => {
            let lock_index = entry.lock_index;
            store(txn, Some(entry), pair, String::new(), lock_index)
        }
        _ => Err(Refusal::NotHolder(Quoted(pair.key)).into()),
    }
}

/// Puts the entry in place of `found`. What equals it already is left as it is, index included.
fn store(
    txn: &mut Txn<'_>,
    found: Option<DirEntry>,
    pair: KvPair,
    session: String,
    lock_index: u64,
) -> Result<DirEntry, Failure> {
    let KvPair { key, value, flags } = pair;
    let is_same = |found: &DirEntry| {
        found.value.as_deref().unwrap_or_default() == value
            && (found.flags, found.lock_index) == (flags, lock_index)
            && found.session == session
    };
    let found = match found {
        Some(found) if is_same(&found) => return Ok(found),
        Some(found) => found,
        None => DirEntry { key: key.to_vec(), create_index: txn.index(), ..DirEntry::default() },
    };
    let value = (!value.is_empty()).then(|| value.to_vec());
    let entry = DirEntry { value, flags, session, lock_index, modify_index: txn.index(), ..found };
    txn.put(KVS, &key, entry.encode().into())?;
    touch(txn, KVS_TABLE)?;
    Ok(entry)
}

/// Ends the hold on a key, whoever has it.
pub(super) fn release(txn: &mut Txn<'_>, key: &[u8]) -> Result<(), Failure> {
    let Some(entry) = query::entry(txn, key)? else { return Ok(()) };
    let entry = DirEntry { session: String::new(), modify_index: txn.index(), ..entry };
    txn.put(KVS, key, entry.encode().into())?;
    Ok(touch(txn, KVS_TABLE)?)
}

/// Removes a key. To remove what is not there succeeds.
pub(super) fn delete(txn: &mut Txn<'_>, key: &[u8]) -> Result<(), Failure> {
    if txn.remove(KVS, key)? {
        bury(txn, key)?;
        touch(txn, KVS_TABLE)?;
    }
    Ok(())
}

fn delete_cas(txn: &mut Txn<'_>, key: Bytes, index: u64) -> Result<(), Failure> {
    match query::entry(txn, &key)? {
        Some(entry) if entry.modify_index != index => Err(Refusal::StaleDelete(Quoted(key)).into()),
        _ => delete(txn, &key),
    }
}

fn delete_tree(txn: &mut Txn<'_>, prefix: &[u8]) -> Result<(), Failure> {
    let keys = txn.scan(KVS, prefix).map(|entry| Ok(entry?.0)).collect::<Result<Vec<_>, Error>>()?;
    if keys.is_empty() {
        return Ok(());
    }
    for key in keys {
        txn.remove(KVS, &key)?;
    }
    // When everything goes, the table's own index tells every watcher; a tombstone would tell nothing more.
    if !prefix.is_empty() {
        bury(txn, prefix)?;
    }
    touch(txn, KVS_TABLE)?;
    Ok(())
}

/// Leaves a tombstone, so that the index of a listing does not fall when its newest key goes.
fn bury(txn: &mut Txn<'_>, key: &[u8]) -> Result<(), Error> {
    let stone = DirEntry { key: key.to_vec(), modify_index: txn.index(), ..DirEntry::default() };
    txn.put(TOMBSTONE, key, stone.encode().into())?;
    touch(txn, TOMBSTONES_TABLE)
}
