//! The ways to tokens, policies and roles that archives don't carry: by secret, by name, by expiration.
//!
//! | tag | then | tells |
//! |---|---|---|
//! | 10 | secret, NUL, token's id | which token a secret belongs to |
//! | 11 | name in lower case, NUL, policy's id | which policy has a name |
//! | 12 | name in lower case, NUL, role's id | which role has a name |
//! | 13 | milliseconds since 1970 in 8 bytes, token's id | which tokens expire when |

use archive::consul::{AclPolicy, AclRole, AclToken, Id, identity, kinds};
use bytes::Bytes;

use crate::acl::{self, POLICY_NAME, ROLE_NAME, SECRET};
use crate::key::Derived;

/// What the token, policy or role in a record is found by. Only those of the default tenancy are.
pub(in crate::consul) fn of(kind: u8, bytes: &[u8]) -> Result<Derived, String> {
    let Id { tenancy, id } = identity(kind, bytes).map_err(|e| e.to_string())?;
    let mut derived = match kind {
        kinds::ACL_TOKEN => {
            let token = AclToken::decode(bytes).map_err(|e| e.to_string())?;
            let keys = acl::token_keys(&id, &token.secret_id, token.expiration_time)?;
            Derived { keys, index: token.create_index.max(token.modify_index) }
        }
        kinds::ACL_POLICY => {
            let policy = AclPolicy::decode(bytes).map_err(|e| e.to_string())?;
            let keys = vec![acl::name_key(POLICY_NAME, &policy.name.to_lowercase(), &id)?];
            Derived { keys, index: policy.create_index.max(policy.modify_index) }
        }
        _ => {
            let role = AclRole::decode(bytes).map_err(|e| e.to_string())?;
            let keys = vec![acl::name_key(ROLE_NAME, &role.name.to_lowercase(), &id)?];
            Derived { keys, index: role.create_index.max(role.modify_index) }
        }
    };
    if !tenancy.is_empty() {
        derived.keys.clear();
    }
    Ok(derived)
}

/// Leads to the ids of tokens with this secret.
pub(super) fn by_secret(secret: &str) -> Bytes {
    acl::by(SECRET, secret)
}

/// Leads to the ids of policies with this name.
pub(super) fn by_policy_name(name: &str) -> Bytes {
    acl::by(POLICY_NAME, &name.to_lowercase())
}

/// Leads to the ids of roles with this name.
pub(super) fn by_role_name(name: &str) -> Bytes {
    acl::by(ROLE_NAME, &name.to_lowercase())
}
