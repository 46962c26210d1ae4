//! One-time tokens: secrets that stand in for a token's own, once and for a short while.
//!
//! Follows `hashicorp/nomad:nomad/acl_endpoint.go` and `nomad/state/state_store.go`. Snapshots don't carry them, so
//! they are notes: the tag, the secret, the time in milliseconds at which it expires in eight bytes, the accessor.

use archive::nomad::AclToken;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::store;
use crate::acl::{is_expired, is_uuid};
use crate::nomad::indexes::touch;
use crate::nomad::layout::NOTES;
use crate::nomad::refusal::{Failure, Refusal};
use crate::{Error, Read, Txn, error};

/// How long it can be exchanged, as on genuine servers.
const LIFE_MS: u64 = 10 * 60 * 1_000;

const TABLE: &str = "one_time_token";

/// Bytes of a UUID.
const SECRET_BYTES: usize = 36;

/// A one-time token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeToken {
    /// What it is exchanged by.
    pub secret: String,
    /// The token that it stands in for.
    pub accessor: String,
    /// Until when, in milliseconds since the Unix epoch.
    pub expires_ms: u64,
}

/// Makes one for a token, in place of the one that it had.
pub(super) fn create(txn: &mut Txn<'_>, accessor: String, secret: String) -> Result<OneTimeToken, Failure> {
    if !is_uuid(&secret) || store::token(txn, &accessor)?.is_none() {
        return Err(Refusal::Failed("a one-time token needs a token to stand in for".into()).into());
    }
    let notes = txn.scan_derived(NOTES).collect::<Result<Vec<Bytes>, _>>()?;
    for note in notes {
        let old = read(&note[NOTES.len()..])?;
        if old.accessor == accessor || old.expires_ms < txn.at_ms() {
            txn.forget(note);
        }
    }
    let token = OneTimeToken { secret, accessor, expires_ms: txn.at_ms().saturating_add(LIFE_MS) };
    txn.note(note(&token));
    touch(txn, TABLE)?;
    Ok(token)
}

/// Gives out the token that a secret stands for; `None` if there is none any more.
pub(super) fn exchange(txn: &mut Txn<'_>, secret: &str) -> Result<Option<AclToken>, Error> {
    let Some((found, token)) = lookup(txn, secret, txn.at_ms())? else { return Ok(None) };
    txn.forget(note(&found));
    touch(txn, TABLE)?;
    Ok(Some(token))
}

/// Whether a secret could be exchanged now. Who may not can ask again and again: so it is looked up, which costs
/// no log entry.
pub fn is_exchangeable(read: &dyn Read, secret: &str, now_ms: u64) -> Result<bool, Error> {
    Ok(lookup(read, secret, now_ms)?.is_some())
}

fn lookup(
    read_from: &dyn Read,
    secret: &str,
    now_ms: u64,
) -> Result<Option<(OneTimeToken, AclToken)>, Error> {
    if !is_uuid(secret) {
        return Ok(None);
    }
    let prefix = [NOTES, secret.to_ascii_lowercase().as_bytes()].concat();
    let Some(suffix) = read_from.derived(&prefix)?.into_iter().next() else { return Ok(None) };
    let found = read(&[&prefix[NOTES.len()..], &suffix].concat())?;
    let token = store::token(read_from, &found.accessor)?;
    let token = token.filter(|token| !is_expired(token.expiration_time, now_ms));
    match token.filter(|_| found.expires_ms >= now_ms) {
        Some(token) => Ok(Some((found, store::refresh_token(read_from, token)?))),
        None => Ok(None),
    }
}

fn note(token: &OneTimeToken) -> Bytes {
    let OneTimeToken { secret, accessor, expires_ms } = token;
    let secret = secret.to_ascii_lowercase();
    [NOTES, secret.as_bytes(), &expires_ms.to_be_bytes(), accessor.as_bytes()].concat().into()
}

/// Reads what follows the tag.
fn read(note: &[u8]) -> Result<OneTimeToken, Error> {
    let damaged = || error::stored("one-time token", "it is cut short");
    let (secret, rest) = note.split_at_checked(SECRET_BYTES).ok_or_else(damaged)?;
    let (expires_ms, accessor) = rest.split_first_chunk().ok_or_else(damaged)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(OneTimeToken {
        secret: text(secret),
        accessor: text(accessor),
        expires_ms: u64::from_be_bytes(*expires_ms),
    })
}
