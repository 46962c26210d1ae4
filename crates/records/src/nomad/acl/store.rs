//! Finds and keeps tokens, policies and roles: by id, by secret, by name.

use archive::nomad::{AclPolicy, AclRole, AclToken, kinds};

use super::derived;
use super::query::{POLICIES_TABLE, ROLES_TABLE, TOKENS_TABLE};
use crate::nomad::indexes::touch;
use crate::{Error, Read, Txn, error};

pub(super) fn token(read: &dyn Read, accessor: &str) -> Result<Option<AclToken>, Error> {
    read.get(kinds::ACL_TOKEN, accessor.as_bytes())?.map(|bytes| decode_token(&bytes)).transpose()
}

/// The token with this secret. Should an archive give one secret to several, it is the first of them.
pub(super) fn token_by_secret(read: &dyn Read, secret: &str) -> Result<Option<AclToken>, Error> {
    match read.derived(&derived::by_secret(secret))?.first() {
        Some(id) => read.get(kinds::ACL_TOKEN, id)?.map(|bytes| decode_token(&bytes)).transpose(),
        None => Ok(None),
    }
}

pub(super) fn policy(read: &dyn Read, name: &str) -> Result<Option<AclPolicy>, Error> {
    read.get(kinds::ACL_POLICY, name.as_bytes())?.map(|bytes| decode_policy(&bytes)).transpose()
}

pub(super) fn role(read: &dyn Read, id: &str) -> Result<Option<AclRole>, Error> {
    read.get(kinds::ACL_ROLE, id.as_bytes())?.map(|bytes| decode_role(&bytes)).transpose()
}

pub(super) fn role_by_name(read: &dyn Read, name: &str) -> Result<Option<AclRole>, Error> {
    match read.derived(&derived::by_role_name(name))?.first() {
        Some(id) => read.get(kinds::ACL_ROLE, id)?.map(|bytes| decode_role(&bytes)).transpose(),
        None => Ok(None),
    }
}

/// Stores a token in place of the one with its accessor, with hash and indexes as they have to be.
pub(super) fn put_token(txn: &mut Txn<'_>, mut token: AclToken) -> Result<AclToken, Error> {
    let before = txn.get(kinds::ACL_TOKEN, token.accessor_id.as_bytes())?;
    token.create_index = match &before {
        Some(bytes) => decode_token(bytes)?.create_index,
        None => txn.index(),
    };
    token.modify_index = txn.index();
    token.hash = Some(token.content_hash());
    let bytes = token.encode_over(before.as_deref().unwrap_or_default());
    txn.put(kinds::ACL_TOKEN, token.accessor_id.as_bytes(), bytes.into())?;
    touch(txn, TOKENS_TABLE)?;
    Ok(token)
}

/// Stores a policy in place of the one with its name, with hash and indexes as they have to be.
pub(super) fn put_policy(txn: &mut Txn<'_>, mut policy: AclPolicy) -> Result<(), Error> {
    let before = txn.get(kinds::ACL_POLICY, policy.name.as_bytes())?;
    policy.create_index = match &before {
        Some(bytes) => decode_policy(bytes)?.create_index,
        None => txn.index(),
    };
    policy.modify_index = txn.index();
    policy.hash = Some(policy.content_hash());
    let bytes = policy.encode_over(before.as_deref().unwrap_or_default());
    txn.put(kinds::ACL_POLICY, policy.name.as_bytes(), bytes.into())?;
    touch(txn, POLICIES_TABLE)
}

/// Stores a role in place of the one with its id, with hash and indexes as they have to be.
pub(super) fn put_role(txn: &mut Txn<'_>, mut role: AclRole) -> Result<AclRole, Error> {
    let before = txn.get(kinds::ACL_ROLE, role.id.as_bytes())?;
    role.create_index = match &before {
        Some(bytes) => decode_role(bytes)?.create_index,
        None => txn.index(),
    };
    role.modify_index = txn.index();
    role.hash = Some(role.content_hash());
    let bytes = role.encode_over(before.as_deref().unwrap_or_default());
    txn.put(kinds::ACL_ROLE, role.id.as_bytes(), bytes.into())?;
    touch(txn, ROLES_TABLE)?;
    Ok(role)
}

/// Gives the links of a token the present names of their roles and drops those that lead nowhere.
pub(super) fn refresh_token(read: &dyn Read, mut token: AclToken) -> Result<AclToken, Error> {
    let Some(links) = token.roles.take() else { return Ok(token) };
    let mut kept = Vec::with_capacity(links.len());
    for mut link in links {
        if let Some(role) = role(read, &link.id)? {
            link.name = role.name;
            kept.push(link);
        }
    }
    token.roles = Some(kept);
    Ok(token)
}

pub(super) fn decode_token(bytes: &[u8]) -> Result<AclToken, Error> {
    AclToken::decode(bytes).map_err(|e| error::stored("ACL token", e))
}

pub(super) fn decode_policy(bytes: &[u8]) -> Result<AclPolicy, Error> {
    AclPolicy::decode(bytes).map_err(|e| error::stored("ACL policy", e))
}

pub(super) fn decode_role(bytes: &[u8]) -> Result<AclRole, Error> {
    AclRole::decode(bytes).map_err(|e| error::stored("ACL role", e))
}
