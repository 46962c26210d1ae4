//! From a token's secret to what it may do.
//!
//! Follows `hashicorp/nomad:nomad/auth/auth.go`.

use archive::nomad::AclToken;

use super::authorizer::{ANONYMOUS_POLICY, Authorizer, Denied, Unreadable};
use super::{query, store};
use crate::acl::{at_ms, is_expired, is_uuid};
use crate::{Error, Read};

/// The type of tokens that may do everything.
pub(super) const MANAGEMENT: &str = "management";

/// Why there is nothing to ask about a token's rights. Texts are the genuine ones.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// No token has this secret.
    #[error("{Denied}")]
    NotFound,
    /// It has expired. Where others are told no more than that permission is denied, whoever asks about their
    /// own token is told this.
    #[error("ACL token expired")]
    Expired,
    /// A policy of the token can't be read.
    #[error(transparent)]
    Rules(#[from] Unreadable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The token that requests without a secret are taken to bear. No record holds it.
pub fn anonymous_token() -> AclToken {
    AclToken {
        accessor_id: "anonymous".into(),
        name: "Anonymous Token".into(),
        kind: "client".into(),
        policies: Some(vec![ANONYMOUS_POLICY.into()]),
        ..AclToken::default()
    }
}

/// The token that every request is taken to bear where access is not controlled.
pub fn disabled_token() -> AclToken {
    AclToken {
        accessor_id: "acls-disabled".into(),
        name: "ACLs disabled token".into(),
        kind: "client".into(),
        ..AclToken::default()
    }
}

/// The token with this secret, its links by their present names; that of nobody for the empty secret.
pub fn authenticate(read: &dyn Read, secret: &str, now_ms: u64) -> Result<AclToken, Unresolved> {
    if secret.is_empty() {
        return Ok(anonymous_token());
    }
    // Anything else would be a workload's identity: none is ever given out here.
    let found = if is_uuid(secret) { store::token_by_secret(read, secret)? } else { None };
    let token = found.ok_or(Unresolved::NotFound)?;
    match is_expired(token.expiration_time, now_ms) {
        true => Err(Unresolved::Expired),
        false => Ok(store::refresh_token(read, token)?),
    }
}

/// What the bearer of a token may do.
pub fn authorizer(read: &dyn Read, token: &AclToken) -> Result<Authorizer, Unresolved> {
    if token.kind == MANAGEMENT {
        return Ok(Authorizer::unrestricted());
    }
    let mut policies = Vec::new();
    for name in query::policy_names(read, token)? {
        // Policies that are not there grant nothing.
        policies.extend(store::policy(read, &name)?);
    }
    let rules = policies.iter().map(|policy| (policy.name.as_str(), policy.rules.as_str()));
    Ok(Authorizer::client(rules)?)
}

/// What the bearer of `secret` may do; the empty secret is nobody's.
pub fn resolve(read: &dyn Read, secret: &str, now_ms: u64) -> Result<Authorizer, Unresolved> {
    let token = authenticate(read, secret, now_ms)?;
    Ok(authorizer(read, &token)?.expiring(at_ms(token.expiration_time)))
}
