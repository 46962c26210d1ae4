//! Reads of tokens, policies and roles, and the index that each answer carries.
//!
//! Follows `hashicorp/consul:agent/consul/acl_endpoint.go` and `hashicorp/consul:agent/consul/state/acl.go`.

use archive::consul::{AclPolicy, AclRole, AclToken, Link, kinds};

use super::authorizer::Authorizer;
use super::{derived, store};
use crate::consul::{Answer, indexes};
use crate::{Error, Read};

/// What genuine servers call the tables, in records of type 16.
pub(super) const TOKENS_TABLE: &str = "acl-tokens";
pub(super) const POLICIES_TABLE: &str = "acl-policies";
pub(super) const ROLES_TABLE: &str = "acl-roles";

/// Stands for a secret where it may not be seen.
pub const REDACTED: &str = "<hidden>";

/// Which tokens to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFilter<'a> {
    /// Every one.
    All,
    /// Those that link to the policy with this id.
    Policy(&'a str),
    /// Those that link to the role with this id.
    Role(&'a str),
    /// Those that this auth method created.
    AuthMethod(&'a str),
    /// Those that may act as this service.
    Service(&'a str),
}

/// The token with this accessor, unless it has expired. Its links have their present names.
pub fn token(read: &dyn Read, accessor: &str, now_ms: u64) -> Result<Answer<Option<AclToken>>, Error> {
    let found = store::token(read, accessor)?.filter(|token| !is_expired(token, now_ms));
    let token = found.map(|token| store::refresh_token(read, token)).transpose()?;
    answer(read, TOKENS_TABLE, token)
}

/// The token with this secret, which whoever knows it may see. The empty secret is the anonymous token's.
pub fn token_by_secret(
    read: &dyn Read,
    secret: &str,
    now_ms: u64,
) -> Result<Answer<Option<AclToken>>, Error> {
    let secret = super::resolve::or_anonymous(secret);
    let found = store::token_by_secret(read, secret)?.filter(|token| !is_expired(token, now_ms));
    let token = found.map(|token| store::refresh_token(read, token)).transpose()?;
    answer(read, TOKENS_TABLE, token)
}

/// The tokens that `filter` lets through and that have not expired, by accessor.
pub fn tokens(read: &dyn Read, filter: TokenFilter<'_>, now_ms: u64) -> Result<Answer<Vec<AclToken>>, Error> {
    let mut tokens = Vec::new();
    for record in read.scan(kinds::ACL_TOKEN, &[]) {
        let token = store::decode_token(&record?.1)?;
        if filter.passes(&token) && !is_expired(&token, now_ms) {
            tokens.push(store::refresh_token(read, token)?);
        }
    }
    answer(read, TOKENS_TABLE, tokens)
}

/// Hides the secret of a token from those who may not change it.
pub fn redact(token: &mut AclToken, authorizer: &Authorizer) {
    if authorizer.acl_write().is_err() {
        token.secret_id = REDACTED.into();
    }
}

/// The policy with this id.
pub fn policy(read: &dyn Read, id: &str) -> Result<Answer<Option<AclPolicy>>, Error> {
    answer(read, POLICIES_TABLE, store::policy(read, id)?)
}

/// The policy with this name.
pub fn policy_by_name(read: &dyn Read, name: &str) -> Result<Answer<Option<AclPolicy>>, Error> {
    answer(read, POLICIES_TABLE, store::policy_by_name(read, name)?)
}

/// Every policy, by id.
pub fn policies(read: &dyn Read) -> Result<Answer<Vec<AclPolicy>>, Error> {
    let records = read.scan(kinds::ACL_POLICY, &[]);
    let policies = records.map(|record| store::decode_policy(&record?.1)).collect::<Result<_, _>>()?;
    answer(read, POLICIES_TABLE, policies)
}

/// The role with this id. Its links have their present names.
pub fn role(read: &dyn Read, id: &str) -> Result<Answer<Option<AclRole>>, Error> {
    let role = store::role(read, id)?.map(|role| store::refresh_role(read, role)).transpose()?;
    answer(read, ROLES_TABLE, role)
}

/// The role with this name.
pub fn role_by_name(read: &dyn Read, name: &str) -> Result<Answer<Option<AclRole>>, Error> {
    let role = store::role_by_name(read, name)?.map(|role| store::refresh_role(read, role)).transpose()?;
    answer(read, ROLES_TABLE, role)
}

/// Every role, or every one that links to the policy with id `policy`, by id.
pub fn roles(read: &dyn Read, policy: Option<&str>) -> Result<Answer<Vec<AclRole>>, Error> {
    let mut roles = Vec::new();
    for record in read.scan(kinds::ACL_ROLE, &[]) {
        let role = store::decode_role(&record?.1)?;
        if policy.is_none_or(|policy| links_to(&role.policies, policy)) {
            roles.push(store::refresh_role(read, role)?);
        }
    }
    answer(read, ROLES_TABLE, roles)
}

/// When a token, a policy or a role was last changed: while one image is live and this stays, what
/// [`super::resolve`] gives stays, but for tokens that expire.
pub fn last_change(read: &dyn Read) -> Result<u64, Error> {
    indexes::highest(read, &[TOKENS_TABLE, POLICIES_TABLE, ROLES_TABLE])
}

/// When the next token expires, in milliseconds since the Unix epoch: from then on
/// [`super::Command::ReapTokens`] has something to do.
pub fn next_expiration_ms(read: &dyn Read) -> Result<Option<u64>, Error> {
    let suffixes = read.derived(&[derived::EXPIRATION])?;
    Ok(suffixes.first().and_then(|suffix| derived::split_expiration(suffix)).map(|(at_ms, _)| at_ms))
}

pub(super) fn is_expired(token: &AclToken, now_ms: u64) -> bool {
    derived::expires_ms(token).is_some_and(|at_ms| at_ms < now_ms)
}

impl TokenFilter<'_> {
    fn passes(&self, token: &AclToken) -> bool {
        match *self {
            TokenFilter::All => true,
            TokenFilter::Policy(id) => links_to(&token.policies, id),
            TokenFilter::Role(id) => links_to(&token.roles, id),
            TokenFilter::AuthMethod(name) => token.auth_method == name,
            TokenFilter::Service(name) => {
                token.service_identities.iter().flatten().any(|identity| identity.service_name == name)
            }
        }
    }
}

fn links_to(links: &Option<Vec<Link>>, id: &str) -> bool {
    links.iter().flatten().any(|link| link.id == id)
}

fn answer<T>(read: &dyn Read, table: &str, value: T) -> Result<Answer<T>, Error> {
    let index = indexes::of(read, table)?.unwrap_or_default();
    Ok(Answer { index: index.max(read.floor()).max(1), value })
}
