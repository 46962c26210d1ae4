//! The ways to tokens and roles that archives don't carry: by secret, by name, by expiration.
//!
//! | tag | then | tells |
//! |---|---|---|
//! | 10 | secret in lower case, NUL, token's accessor | which token a secret belongs to |
//! | 12 | name, NUL, role's id | which role has a name |
//! | 13 | milliseconds since 1970 in 8 bytes, token's accessor | which tokens expire when |
//!
//! Policies are stored under their names.

use archive::nomad::{AclPolicy, AclRole, AclToken, identity, kinds};
use bytes::Bytes;

use crate::acl::{self, ROLE_NAME, SECRET};
use crate::key::Derived;

/// What the token, policy or role in a record is found by.
pub(in crate::nomad) fn of(kind: u8, bytes: &[u8]) -> Result<Derived, String> {
    let id = identity(kind, bytes).map_err(|e| e.to_string())?.id;
    match kind {
        kinds::ACL_TOKEN => {
            let token = AclToken::decode(bytes).map_err(|e| e.to_string())?;
            let secret = token.secret_id.to_ascii_lowercase();
            let keys = acl::token_keys(&id, &secret, token.expiration_time)?;
            Ok(Derived { keys, index: token.create_index.max(token.modify_index) })
        }
        kinds::ACL_POLICY => {
            let policy = AclPolicy::decode(bytes).map_err(|e| e.to_string())?;
            Ok(Derived { keys: Vec::new(), index: policy.create_index.max(policy.modify_index) })
        }
        _ => {
            let role = AclRole::decode(bytes).map_err(|e| e.to_string())?;
            let keys = vec![acl::name_key(ROLE_NAME, &role.name, &id)?];
            Ok(Derived { keys, index: role.create_index.max(role.modify_index) })
        }
    }
}

/// Leads to the ids of tokens with this secret: UUIDs are the same in upper and in lower case.
pub(super) fn by_secret(secret: &str) -> Bytes {
    acl::by(SECRET, &secret.to_ascii_lowercase())
}

/// Leads to the ids of roles with this name.
pub(super) fn by_role_name(name: &str) -> Bytes {
    acl::by(ROLE_NAME, name)
}
