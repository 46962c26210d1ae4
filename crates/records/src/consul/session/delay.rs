//! Lock delays: for a while after a session was taken its keys, no session can lock them.
//!
//! Genuine servers keep them in the leader's memory (`hashicorp/consul:agent/consul/state/delay_ce.go`), where
//! a new leader forgets them. Here they are notes, dated by the commands' own times: every replica knows
//! them, and restarts and elections change nothing. Archives don't carry them.
//!
//! A note is the tag, `k`, the key's length in four bytes, the key, and the time in milliseconds at which the
//! delay ends in eight; and once more the tag, `t`, that time, the key, by which they are forgotten in order.

use bytes::{BufMut, Bytes, BytesMut};

use crate::consul::layout::NOTES;
use crate::{Error, Txn, error};

const BY_KEY: u8 = b'k';
const BY_TIME: u8 = b't';

/// Lets no session lock `key` before `until_ms`.
pub(in crate::consul) fn impose(txn: &mut Txn<'_>, key: &[u8], until_ms: u64) -> Result<(), Error> {
    forget_expired(txn)?;
    if let Some(before_ms) = end_ms(txn, key)? {
        remove(txn, key, before_ms);
    }
    txn.note(by_key(key, until_ms));
    txn.note(by_time(key, until_ms));
    Ok(())
}

/// Whether a delay keeps sessions from locking `key` now.
pub(in crate::consul) fn is_imposed(txn: &Txn<'_>, key: &[u8]) -> Result<bool, Error> {
    Ok(end_ms(txn, key)?.is_some_and(|end_ms| end_ms > txn.at_ms()))
}

fn end_ms(txn: &Txn<'_>, key: &[u8]) -> Result<Option<u64>, Error> {
    let prefix = key_prefix(key);
    let Some(note) = txn.scan_derived(&prefix).next().transpose()? else { return Ok(None) };
    time(&note[prefix.len()..]).map(Some)
}

/// Each delay is forgotten once, so this costs no more than imposing them did.
fn forget_expired(txn: &mut Txn<'_>) -> Result<(), Error> {
    let mut expired = Vec::new();
    for note in txn.scan_derived(&[NOTES, &[BY_TIME]].concat()) {
        let note = note?;
        let (end, key) = note[NOTES.len() + 1..].split_at_checked(8).ok_or_else(damaged)?;
        let end_ms = time(end)?;
        if end_ms > txn.at_ms() {
            break;
        }
        expired.push((note.slice_ref(key), end_ms));
    }
    for (key, end_ms) in expired {
        remove(txn, &key, end_ms);
    }
    Ok(())
}

fn remove(txn: &mut Txn<'_>, key: &[u8], end_ms: u64) {
    txn.forget(by_key(key, end_ms));
    txn.forget(by_time(key, end_ms));
}

fn key_prefix(key: &[u8]) -> BytesMut {
    let length = u32::try_from(key.len()).expect("the rules refuse longer keys");
    let mut prefix = BytesMut::with_capacity(NOTES.len() + 13 + key.len());
    prefix.put_slice(NOTES);
    prefix.put_u8(BY_KEY);
    prefix.put_u32(length);
    prefix.put_slice(key);
    prefix
}

fn by_key(key: &[u8], end_ms: u64) -> Bytes {
    let mut note = key_prefix(key);
    note.put_u64(end_ms);
    note.freeze()
}

fn by_time(key: &[u8], end_ms: u64) -> Bytes {
    let mut note = BytesMut::with_capacity(NOTES.len() + 9 + key.len());
    note.put_slice(NOTES);
    note.put_u8(BY_TIME);
    note.put_u64(end_ms);
    note.put_slice(key);
    note.freeze()
}

fn time(bytes: &[u8]) -> Result<u64, Error> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| damaged())
}

fn damaged() -> Error {
    error::stored("lock delay", "its length is odd")
}
