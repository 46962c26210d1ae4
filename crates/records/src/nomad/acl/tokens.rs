//! Changes to tokens.
//!
//! Follows `hashicorp/nomad:nomad/acl_endpoint.go`, `nomad/structs/acl.go` and `nomad/state/state_store.go`.

use std::collections::BTreeSet;

use archive::msgpack::Time;
use archive::nomad::{AclToken, RoleLink, kinds};

use super::flaws::Flaws;
use super::query::TOKENS_TABLE;
use super::resolve::MANAGEMENT;
use super::store;
use crate::acl::{self, LIFE_MS_MAX, LIFE_MS_MIN, is_uuid};
use crate::duration::GoDuration;
use crate::nomad::indexes::touch;
use crate::nomad::refusal::{Failure, Refusal};
use crate::{Error, Read, Txn};

const NAME_BYTES_MAX: usize = 256;

const NS_PER_MS: i64 = 1_000_000;

pub(super) fn create(txn: &mut Txn<'_>, mut token: AclToken) -> Result<AclToken, Failure> {
    for id in [&token.accessor_id, &token.secret_id] {
        if !is_uuid(id) || is_in_use(txn, id)? {
            return Err(Refusal::Failed("the ids drawn for the token can't be used".into()).into());
        }
    }
    token.create_time = acl::time(txn.at_ms());
    if token.expiration_time.is_none() && token.expiration_ttl_ns != 0 {
        token.expiration_time = Some(acl::later(token.create_time, token.expiration_ttl_ns));
    }
    let mut flaws = flaws(&token);
    add_flaws_of_life(&token, &mut flaws);
    flaws.check("token")?;
    write(txn, token)
}

pub(super) fn update(txn: &mut Txn<'_>, mut token: AclToken) -> Result<AclToken, Failure> {
    let Some(before) = store::token(txn, &token.accessor_id)? else {
        return Err(Refusal::Invalid(format!("cannot find token {}", token.accessor_id)).into());
    };
    let mut flaws = flaws(&token);
    flaws.add_if(token.global != before.global, "cannot toggle global mode");
    flaws.add_if(token.expiration_ttl_ns != before.expiration_ttl_ns, "cannot update expiration TTL");
    let is_other = |time: Time| before.expiration_time.is_none_or(|old| moment_ns(old) != moment_ns(time));
    flaws.add_if(token.expiration_time.is_some_and(is_other), "cannot update expiration time");
    flaws.check("token")?;
    token.secret_id = before.secret_id;
    token.create_time = before.create_time;
    // Genuine servers forget an expiration that is not said again: a token that was lent would be given away.
    token.expiration_time = before.expiration_time;
    write(txn, token)
}

pub(super) fn delete(txn: &mut Txn<'_>, accessor: &str) -> Result<(), Failure> {
    if !txn.remove(kinds::ACL_TOKEN, accessor.as_bytes())? {
        return Err(Refusal::Invalid(format!("Cannot delete nonexistent tokens: {accessor}")).into());
    }
    Ok(touch(txn, TOKENS_TABLE)?)
}

/// Deletes expired tokens, those that expired first before the others.
pub(super) fn reap(txn: &mut Txn<'_>) -> Result<(), Error> {
    let expired = acl::expired(txn, txn.at_ms())?;
    for id in &expired {
        txn.remove(kinds::ACL_TOKEN, id)?;
    }
    if expired.is_empty() { Ok(()) } else { touch(txn, TOKENS_TABLE) }
}

/// Whether any token has this id, be it as accessor or as secret.
pub(super) fn is_in_use(read: &dyn Read, id: &str) -> Result<bool, Error> {
    Ok(store::token(read, id)?.is_some() || store::token_by_secret(read, id)?.is_some())
}

fn flaws(token: &AclToken) -> Flaws {
    let mut flaws = Flaws::default();
    flaws.add_if(token.name.len() > NAME_BYTES_MAX, "token name too long");
    let has_links = token.policies.as_ref().is_some_and(|policies| !policies.is_empty())
        || token.roles.as_ref().is_some_and(|roles| !roles.is_empty());
    match token.kind.as_str() {
        "client" => flaws.add_if(!has_links, "client token missing policies or roles"),
        MANAGEMENT => {
            flaws.add_if(has_links, "management token cannot be associated with policies or roles");
        }
        _ => flaws.add("token type must be client or management"),
    }
    flaws
}

/// Checks how long a new token is to live.
fn add_flaws_of_life(token: &AclToken, flaws: &mut Flaws) {
    if token.expiration_ttl_ns < 0 {
        let ttl = GoDuration(token.expiration_ttl_ns);
        flaws.add(format!("token expiration TTL '{ttl}' should not be negative"));
    }
    let Some(at) = token.expiration_time.filter(|time| *time != Time::ZERO) else { return };
    let life_ns = moment_ns(at) - moment_ns(token.create_time);
    flaws.add_if(life_ns < 0, "expiration time cannot be before create time");
    // Durations of the genuine server end where 64 bits do.
    let bounded = life_ns.clamp(i64::MIN.into(), i64::MAX.into());
    let life = GoDuration(i64::try_from(bounded).expect("it was clamped"));
    let [min, max] = [LIFE_MS_MIN, LIFE_MS_MAX].map(|ms| GoDuration(ms as i64 * NS_PER_MS));
    if life.0 > max.0 {
        flaws.add(format!("expiration time cannot be more than {max} in the future (was {life})"));
    } else if life.0 < min.0 {
        flaws.add(format!("expiration time cannot be less than {min} in the future (was {life})"));
    }
}

/// Checks what the token links to and stores it.
fn write(txn: &mut Txn<'_>, token: AclToken) -> Result<AclToken, Failure> {
    let token = AclToken { roles: links(txn, token.roles)?, ..token };
    let token = store::put_token(txn, token)?;
    Ok(store::refresh_token(txn, token)?)
}

/// The links to roles, which come with an id or a name: each once, by id alone.
fn links(read: &dyn Read, links: Option<Vec<RoleLink>>) -> Result<Option<Vec<RoleLink>>, Failure> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for link in links.into_iter().flatten() {
        let (found, named) = match link.id.is_empty() {
            true => (store::role_by_name(read, &link.name)?, link.name),
            false => (store::role(read, &link.id)?, link.id),
        };
        let role = found.ok_or_else(|| Refusal::Invalid(format!("cannot find role {named}")))?;
        if seen.insert(role.id.clone()) {
            kept.push(RoleLink { id: role.id, name: String::new() });
        }
    }
    // Genuine servers hold no links as nil.
    Ok((!kept.is_empty()).then_some(kept))
}

/// Nanoseconds since the Unix epoch.
fn moment_ns(time: Time) -> i128 {
    i128::from(time.unix_s) * 1_000_000_000 + i128::from(time.nanos)
}
