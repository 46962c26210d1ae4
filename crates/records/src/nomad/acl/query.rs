//! Reads of tokens, policies and roles, and the index that each answer carries.
//!
//! Follows `hashicorp/nomad:nomad/acl_endpoint.go`.

use std::collections::BTreeSet;

use archive::nomad::{AclPolicy, AclRole, AclToken, kinds};

use super::store;
use crate::nomad::{Answer, indexes};
use crate::{Error, Read};

/// What genuine servers call the tables, in records of type 2.
pub(super) const TOKENS_TABLE: &str = "acl_token";
pub(super) const POLICIES_TABLE: &str = "acl_policy";
pub(super) const ROLES_TABLE: &str = "acl_roles";

/// The token with this accessor, expired or not. Its links have their present names.
pub fn token(read: &dyn Read, accessor: &str) -> Result<Answer<Option<AclToken>>, Error> {
    let found = store::token(read, accessor)?;
    let found = found.map(|token| store::refresh_token(read, token)).transpose()?;
    let index = found.as_ref().map(|token| token.modify_index);
    answer(read, TOKENS_TABLE, index, found)
}

/// The tokens whose accessors begin with `prefix`, by accessor. Without one, all of them, the oldest first.
/// Their links have no names.
pub fn tokens(read: &dyn Read, prefix: &str) -> Result<Answer<Vec<AclToken>>, Error> {
    let records = read.scan(kinds::ACL_TOKEN, prefix.as_bytes());
    let mut tokens = records.map(|record| store::decode_token(&record?.1)).collect::<Result<Vec<_>, _>>()?;
    if prefix.is_empty() {
        tokens.sort_by_key(|token| token.create_index);
    }
    answer(read, TOKENS_TABLE, None, tokens)
}

/// The policy with this name.
pub fn policy(read: &dyn Read, name: &str) -> Result<Answer<Option<AclPolicy>>, Error> {
    let found = store::policy(read, name)?;
    let index = found.as_ref().map(|policy| policy.modify_index);
    answer(read, POLICIES_TABLE, index, found)
}

/// The policies whose names begin with `prefix`, by name.
pub fn policies(read: &dyn Read, prefix: &str) -> Result<Answer<Vec<AclPolicy>>, Error> {
    let records = read.scan(kinds::ACL_POLICY, prefix.as_bytes());
    let policies = records.map(|record| store::decode_policy(&record?.1)).collect::<Result<_, _>>()?;
    answer(read, POLICIES_TABLE, None, policies)
}

/// The role with this id.
pub fn role(read: &dyn Read, id: &str) -> Result<Answer<Option<AclRole>>, Error> {
    role_answer(read, store::role(read, id)?)
}

/// The role with this name.
pub fn role_by_name(read: &dyn Read, name: &str) -> Result<Answer<Option<AclRole>>, Error> {
    role_answer(read, store::role_by_name(read, name)?)
}

fn role_answer(read: &dyn Read, found: Option<AclRole>) -> Result<Answer<Option<AclRole>>, Error> {
    let index = found.as_ref().map(|role| role.modify_index);
    answer(read, ROLES_TABLE, index, found)
}

/// The roles whose ids begin with `prefix`, by id.
pub fn roles(read: &dyn Read, prefix: &str) -> Result<Answer<Vec<AclRole>>, Error> {
    let records = read.scan(kinds::ACL_ROLE, prefix.as_bytes());
    let roles = records.map(|record| store::decode_role(&record?.1)).collect::<Result<_, _>>()?;
    answer(read, ROLES_TABLE, None, roles)
}

/// The names of the policies that a token has, by itself and through its roles, whether they are there or not.
pub fn policy_names(read: &dyn Read, token: &AclToken) -> Result<BTreeSet<String>, Error> {
    let mut names: BTreeSet<String> = token.policies.iter().flatten().cloned().collect();
    for link in token.roles.iter().flatten() {
        // What a link leads to can have been deleted: then the link gives nothing.
        if let Some(role) = store::role(read, &link.id)? {
            names.extend(role.policies.into_iter().flatten().map(|link| link.name));
        }
    }
    Ok(names)
}

/// The index of the last change to anything that says what tokens may do.
pub fn last_change(read: &dyn Read) -> Result<u64, Error> {
    let mut highest = 0;
    for table in [TOKENS_TABLE, POLICIES_TABLE, ROLES_TABLE] {
        highest = highest.max(indexes::of(read, table)?.unwrap_or_default());
    }
    Ok(highest)
}

/// An answer with the index of the thing it is about, or else that of the table.
fn answer<T>(read: &dyn Read, table: &str, index: Option<u64>, value: T) -> Result<Answer<T>, Error> {
    let index = match index {
        Some(index) => index,
        None => indexes::of(read, table)?.unwrap_or_default(),
    };
    Ok(Answer { index: index.max(read.floor()).max(1), value })
}
