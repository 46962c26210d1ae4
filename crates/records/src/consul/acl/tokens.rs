//! Changes to tokens.
//!
//! Follows `hashicorp/consul:agent/consul/auth/token_writer.go` and `hashicorp/consul:agent/consul/acl_endpoint.go`.

use archive::consul::{AclToken, kinds};
use archive::msgpack::Time;

use super::access::ANONYMOUS_ACCESSOR;
use super::builtin::{RESERVED_PREFIX, ROOTS};
use super::query::{TOKENS_TABLE, is_expired};
use super::refusal::{Failure, Refusal};
use super::{is_uuid, links, store};
use crate::acl::{self, LIFE_MS_MAX, LIFE_MS_MIN, later, time};
use crate::consul::indexes::touch;
use crate::duration::GoDuration;
use crate::quote::Quoted;
use crate::{Error, Read, Txn};

const NS_PER_MS: i64 = 1_000_000;

pub(super) fn create(txn: &mut Txn<'_>, mut token: AclToken) -> Result<AclToken, Failure> {
    check_new_id(txn, "AccessorID", &token.accessor_id)?;
    check_new_id(txn, "SecretID", &token.secret_id)?;
    token.create_time = time(txn.at_ms());
    limit_life(&mut token, txn.at_ms())?;
    if !token.auth_method.is_empty() {
        return Err(Refusal::AuthMethodGiven.into());
    }
    write(txn, token, None)
}

pub(super) fn update(txn: &mut Txn<'_>, mut token: AclToken) -> Result<AclToken, Failure> {
    if !is_uuid(&token.accessor_id) {
        return Err(Refusal::AccessorNotUuid.into());
    }
    if ROOTS.contains(&token.secret_id.as_str()) {
        return Err(Refusal::Root.into());
    }
    let found = store::token(txn, &token.accessor_id)?.filter(|found| !is_expired(found, txn.at_ms()));
    let Some(before) = found else {
        return Err(Refusal::NoToken(Quoted(token.accessor_id.into())).into());
    };
    check_unchangeable(&token, &before)?;
    token.secret_id.clone_from(&before.secret_id);
    token.auth_method.clone_from(&before.auth_method);
    token.expiration_time = before.expiration_time;
    token.create_time = before.create_time;
    write(txn, token, Some(&before))
}

pub(super) fn clone(
    txn: &mut Txn<'_>,
    source: &str,
    ids: (String, String),
    description: String,
) -> Result<AclToken, Failure> {
    let found = store::token(txn, source)?.filter(|found| !is_expired(found, txn.at_ms()));
    let source = store::refresh_token(txn, found.ok_or(Refusal::NotFound)?)?;
    if !source.auth_method.is_empty() {
        return Err(Refusal::CloneOfLogin.into());
    }
    let (accessor_id, secret_id) = ids;
    let description = if description.is_empty() { source.description.clone() } else { description };
    create(txn, AclToken { accessor_id, secret_id, description, ..source })
}

pub(super) fn delete(txn: &mut Txn<'_>, accessor: &str, by: &str) -> Result<(), Failure> {
    match accessor {
        _ if !is_uuid(accessor) => Err(Refusal::DeleteWithoutUuid.into()),
        ANONYMOUS_ACCESSOR => Err(Refusal::DeleteAnonymous.into()),
        _ if store::token(txn, accessor)?.is_none() => Err(Refusal::NotFound.into()),
        _ if accessor == by => Err(Refusal::DeleteSelf.into()),
        _ => {
            txn.remove(kinds::ACL_TOKEN, accessor.as_bytes())?;
            Ok(touch(txn, TOKENS_TABLE)?)
        }
    }
}

/// Deletes expired tokens, those that expired first before the others. Returns how many.
pub(super) fn reap(txn: &mut Txn<'_>) -> Result<u64, Error> {
    let mut reaped = 0;
    for id in acl::expired(txn, txn.at_ms())? {
        reaped += u64::from(txn.remove(kinds::ACL_TOKEN, &id)?);
    }
    if reaped > 0 {
        touch(txn, TOKENS_TABLE)?;
    }
    Ok(reaped)
}

/// Whether any token has this id, be it as accessor or as secret.
pub(super) fn is_in_use(read: &dyn Read, id: &str) -> Result<bool, Error> {
    Ok(store::token(read, id)?.is_some() || store::token_by_secret(read, id)?.is_some())
}

fn check_new_id(read: &dyn Read, field: &'static str, id: &str) -> Result<(), Failure> {
    match () {
        () if id.starts_with(RESERVED_PREFIX) => Err(Refusal::ReservedId(field).into()),
        () if !is_uuid(id) => Err(Refusal::InvalidId(field).into()),
        () if is_in_use(read, id)? => Err(Refusal::IdInUse(field).into()),
        () => Ok(()),
    }
}

/// Turns the wished-for time to live into a moment, and checks it.
fn limit_life(token: &mut AclToken, now_ms: u64) -> Result<(), Refusal> {
    match token.expiration_ttl_ns {
        0 => {}
        ttl_ns @ ..0 => return Err(Refusal::NegativeTtl(GoDuration(ttl_ns))),
        _ if acl::at_ms(token.expiration_time).is_some() => return Err(Refusal::TtlAndTime),
        ttl_ns => {
            token.expiration_time = Some(later(time(now_ms), ttl_ns));
            token.expiration_ttl_ns = 0;
        }
    }
    let Some(at_ms) = acl::at_ms(token.expiration_time) else { return Ok(()) };
    let life_ms = at_ms.checked_sub(now_ms).ok_or(Refusal::ExpiresInPast)?;
    let duration = |ms: u64| GoDuration(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(NS_PER_MS));
    let found = duration(life_ms);
    match life_ms {
        ..LIFE_MS_MIN => Err(Refusal::ExpiresSoon { min: duration(LIFE_MS_MIN), found }),
        LIFE_MS_MIN..=LIFE_MS_MAX => Ok(()),
        _ => Err(Refusal::ExpiresLate { max: duration(LIFE_MS_MAX), found }),
    }
}

fn check_unchangeable(token: &AclToken, before: &AclToken) -> Result<(), Refusal> {
    let accessor = || token.accessor_id.clone();
    let expires = token.expiration_time.filter(|time| *time != Time::ZERO);
    match () {
        () if !token.secret_id.is_empty() && token.secret_id != before.secret_id => Err(Refusal::OtherSecret),
        () if token.local != before.local => Err(Refusal::OtherLocality(accessor())),
        () if !token.auth_method.is_empty() && token.auth_method != before.auth_method => {
            Err(Refusal::OtherAuthMethod(accessor()))
        }
        () if token.expiration_ttl_ns != 0 => Err(Refusal::OtherExpiration(accessor())),
        () if expires.is_some_and(|time| !before.expiration_time.is_some_and(|old| is_same(old, time))) => {
            Err(Refusal::OtherExpiration(accessor()))
        }
        () => Ok(()),
    }
}

/// Checks what the token links to and stores it.
fn write(txn: &mut Txn<'_>, token: AclToken, before: Option<&AclToken>) -> Result<AclToken, Failure> {
    let token = AclToken {
        roles: links::roles(txn, token.roles)?,
        policies: links::policies(txn, token.policies)?,
        service_identities: links::services(token.service_identities, "token", token.local)?,
        node_identities: links::nodes(token.node_identities, "token")?,
        templated_policies: links::templated(token.templated_policies, "token")?,
        ..token
    };
    Ok(store::put_token(txn, token, before)?)
}

/// Whether both are the same moment, whatever zones they were written in.
fn is_same(left: Time, right: Time) -> bool {
    (left.unix_s, left.nanos) == (right.unix_s, right.nanos)
}
