//! The ways to tokens, policies and roles that archives don't carry: by secret, by name, by expiration.
//!
//! | tag | then | tells |
//! |---|---|---|
//! | 10 | secret, NUL, token's id | which token a secret belongs to |
//! | 11 | name in lower case, NUL, policy's id | which policy has a name |
//! | 12 | name in lower case, NUL, role's id | which role has a name |
//! | 13 | milliseconds since 1970 in 8 bytes, token's id | which tokens expire when |

use archive::consul::{AclPolicy, AclRole, AclToken, Id, identity, kinds};
use archive::msgpack::Time;
use bytes::{BufMut, Bytes, BytesMut};

use crate::key::Derived;

const SECRET: u8 = 10;
const POLICY_NAME: u8 = 11;
const ROLE_NAME: u8 = 12;
pub(super) const EXPIRATION: u8 = 13;

/// Ids, secrets and names are short, and must fit into a key together.
const TEXT_BYTES_MAX: usize = 4_096;

/// What the token, policy or role in a record is found by. Only those of the default tenancy are.
pub(in crate::consul) fn of(kind: u8, bytes: &[u8]) -> Result<Derived, String> {
    let Id { tenancy, id } = identity(kind, bytes).map_err(|e| e.to_string())?;
    let mut derived = match kind {
        kinds::ACL_TOKEN => of_token(&id, &AclToken::decode(bytes).map_err(|e| e.to_string())?),
        kinds::ACL_POLICY => {
            let policy = AclPolicy::decode(bytes).map_err(|e| e.to_string())?;
            of_name(POLICY_NAME, &id, &policy.name, policy.create_index.max(policy.modify_index))
        }
        _ => {
            let role = AclRole::decode(bytes).map_err(|e| e.to_string())?;
            of_name(ROLE_NAME, &id, &role.name, role.create_index.max(role.modify_index))
        }
    }?;
    if !tenancy.is_empty() {
        derived.keys.clear();
    }
    Ok(derived)
}

fn of_token(id: &[u8], token: &AclToken) -> Result<Derived, String> {
    check(id, &token.secret_id)?;
    let mut keys = vec![joined(SECRET, &token.secret_id, id)];
    if let Some(at_ms) = expires_ms(token) {
        keys.push(expiration(at_ms, id));
    }
    Ok(Derived { keys, index: token.create_index.max(token.modify_index) })
}

fn of_name(tag: u8, id: &[u8], name: &str, index: u64) -> Result<Derived, String> {
    check(id, name)?;
    Ok(Derived { keys: vec![joined(tag, &name.to_lowercase(), id)], index })
}

/// When a token expires, in milliseconds since the Unix epoch, if ever.
pub(super) fn expires_ms(token: &AclToken) -> Option<u64> {
    let time = token.expiration_time.filter(|time| *time != Time::ZERO)?;
    let seconds = u64::try_from(time.unix_s).unwrap_or(0);
    Some(seconds.saturating_mul(1_000).saturating_add(u64::from(time.nanos / 1_000_000)))
}

/// Leads to the ids of tokens with this secret.
pub(super) fn by_secret(secret: &str) -> Bytes {
    joined(SECRET, secret, &[])
}

/// Leads to the ids of policies with this name.
pub(super) fn by_policy_name(name: &str) -> Bytes {
    joined(POLICY_NAME, &name.to_lowercase(), &[])
}

/// Leads to the ids of roles with this name.
pub(super) fn by_role_name(name: &str) -> Bytes {
    joined(ROLE_NAME, &name.to_lowercase(), &[])
}

/// Splits what follows the tag of an expiration into its moment and the token's id.
pub(super) fn split_expiration(suffix: &[u8]) -> Option<(u64, &[u8])> {
    let (at_ms, id) = suffix.split_first_chunk()?;
    Some((u64::from_be_bytes(*at_ms), id))
}

fn expiration(at_ms: u64, id: &[u8]) -> Bytes {
    let mut key = BytesMut::with_capacity(9 + id.len());
    key.put_u8(EXPIRATION);
    key.put_u64(at_ms);
    key.put_slice(id);
    key.freeze()
}

fn joined(tag: u8, text: &str, id: &[u8]) -> Bytes {
    let mut key = BytesMut::with_capacity(2 + text.len() + id.len());
    key.put_u8(tag);
    key.put_slice(text.as_bytes());
    key.put_u8(0);
    key.put_slice(id);
    key.freeze()
}

/// Whether a secret or name can be part of a derived key.
pub(super) fn is_possible(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.contains('\0')
}

/// Refuses what could not be part of a derived key. Only from archives can it come.
fn check(id: &[u8], text: &str) -> Result<(), String> {
    let is_possible_id = id.len() <= TEXT_BYTES_MAX && !id.contains(&0);
    match is_possible_id && (text.is_empty() || is_possible(text)) {
        true => Ok(()),
        false => Err("nothing can have such an id, secret or name".into()),
    }
}
