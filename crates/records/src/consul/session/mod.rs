//! Sessions: they hold locks on keys, and end with their node, with a check that fails, or by being destroyed.
//!
//! Follows `hashicorp/consul:agent/consul/state/{session,session_ce}.go` and
//! `hashicorp/consul:agent/consul/session_endpoint.go`.

pub(super) mod delay;
mod duration;
pub(super) mod query;
pub(super) mod refusal;

use archive::consul::{Check, Session};
use bytes::Bytes;

use super::catalog::check::{self, CRITICAL, Dating, OF_SESSION, PASSING};
use super::layout::{self, PREPARED_QUERY, SESSION};
use super::lookups::{self, Tag};
use super::refusal::Failure;
use super::{catalog, indexes, kv};
use crate::{Error, Read, Txn, error};
use refusal::Refusal;

const SESSIONS: &str = "sessions";

/// What becomes of a session's keys: they are let go.
const RELEASE: &str = "release";

/// What becomes of a session's keys: they are removed.
const DELETE: &str = "delete";

/// The longest lock delay that is honoured.
const LOCK_DELAY_MAX_NS: i64 = 60 * 1_000_000_000;

const TTL_MIN_NS: i64 = 10 * 1_000_000_000;
const TTL_MAX_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// Refuses what no state could make right. Genuine servers tell this before they propose anything, so a
/// dialect may, too: what is told later reads `apply failed: …` there.
pub fn check_session(session: &Session) -> Result<(), String> {
    fault(session).map_or(Ok(()), |refusal| Err(refusal.to_string()))
}

fn fault(session: &Session) -> Option<Refusal> {
    if session.node.is_empty() {
        return Some(Refusal::NoNode);
    }
    if !["", RELEASE, DELETE].contains(&session.behavior.as_str()) {
        return Some(Refusal::Behavior(session.behavior.clone()));
    }
    if session.ttl.is_empty() {
        return None;
    }
    match duration::parse(&session.ttl) {
        Err(cause) => Some(Refusal::BadTtl { ttl: session.ttl.clone(), cause: cause.to_string() }),
        Ok(0 | TTL_MIN_NS..=TTL_MAX_NS) => None,
        Ok(ttl_ns) => Some(Refusal::TtlOutOfRange(ttl_ns)),
    }
}

/// Begins a session. Its node and its checks must be there, and none of these may fail.
pub(super) fn create(txn: &mut Txn<'_>, mut session: Session) -> Result<(), Failure> {
    if let Some(refusal) = fault(&session) {
        return Err(refusal.into());
    }
    if session.id.is_empty() {
        return Err(Refusal::NoId.into());
    }
    if txn.get(SESSION, session.id.as_bytes())?.is_some() {
        return Err(Refusal::Exists(session.id).into());
    }
    if session.behavior.is_empty() {
        RELEASE.clone_into(&mut session.behavior);
    }
    (session.create_index, session.modify_index) = (txn.index(), txn.index());
    if catalog::node(txn, &session.node)?.is_none() {
        return Err(Refusal::MissingNode.into());
    }
    lookups::checks(&session).try_for_each(|check| alive(txn, &session.node, check))?;
    let bytes: Bytes = session.encode().into();
    layout::storable(SESSION, &bytes).map_err(Refusal::Unstorable)?;
    txn.put(SESSION, session.id.as_bytes(), bytes)?;
    indexes::touch(txn, SESSIONS)?;
    let sessions = show(txn, &session, PASSING)?;
    end(txn, sessions)
}

/// Refuses a check that is not there, or that fails. One that follows the life of a session fails as long as
/// there is none.
fn alive(txn: &Txn<'_>, node: &str, id: &str) -> Result<(), Failure> {
    match catalog::check(txn, node, id)? {
        None => Err(Refusal::MissingCheck(id.to_owned()).into()),
        Some(check) if check.status == CRITICAL && check.kind != OF_SESSION => {
            Err(Refusal::CriticalCheck { id: id.to_owned(), status: check.status }.into())
        }
        Some(_) => Ok(()),
    }
}

/// Ends a session as if nobody held anything through it. To end what is not there succeeds.
pub(super) fn destroy(txn: &mut Txn<'_>, id: &str) -> Result<(), Failure> {
    match query::stored(txn, id)? {
        Some(session) => end(txn, vec![session.id.into()]),
        None => Ok(()),
    }
}

/// Ends sessions: their keys are released or removed, and for a while can't be locked. Checks that follow
/// their lives fail, which may end further sessions.
pub(super) fn end(txn: &mut Txn<'_>, mut sessions: Vec<Bytes>) -> Result<(), Failure> {
    while let Some(id) = sessions.pop() {
        let Some(bytes) = txn.get(SESSION, &id)? else { continue };
        let session = Session::decode(&bytes).map_err(|e| error::stored("session", e))?;
        txn.remove(SESSION, &id)?;
        indexes::touch(txn, SESSIONS)?;
        let_go(txn, &session)?;
        remove_queries(txn, &session.id)?;
        sessions.extend(show(txn, &session, CRITICAL)?);
    }
    Ok(())
}

fn let_go(txn: &mut Txn<'_>, session: &Session) -> Result<(), Failure> {
    let delay_ns = u64::try_from(session.lock_delay_ns.min(LOCK_DELAY_MAX_NS)).unwrap_or_default();
    for key in txn.derived(&layout::held_by(&session.id, b""))? {
        if session.behavior == DELETE {
            kv::delete(txn, &key)?;
        } else {
            kv::release(txn, &key)?;
        }
        if delay_ns > 0 {
            let until_ms = txn.at_ms().saturating_add(delay_ns.div_ceil(1_000_000));
            delay::impose(txn, &key, until_ms)?;
        }
    }
    Ok(())
}

fn remove_queries(txn: &mut Txn<'_>, session: &str) -> Result<(), Error> {
    let queries = lookups::from(txn, Tag::QueryOfSession, &[session])?;
    for id in &queries {
        txn.remove(PREPARED_QUERY, id)?;
    }
    if queries.is_empty() { Ok(()) } else { indexes::touch(txn, "prepared-queries") }
}

/// Sets the checks of its node that follow the session's life; returns the sessions that must end with them.
fn show(txn: &mut Txn<'_>, session: &Session, status: &str) -> Result<Vec<Bytes>, Failure> {
    let follows = |check: &Check| check.kind == OF_SESSION && check.definition.session_name == session.name;
    let state = if status == PASSING { "in force" } else { "is invalid" };
    let mut sessions = Vec::new();
    for check in catalog::checks(txn, &session.node)?.into_iter().filter(follows) {
        let output = format!("Session '{}' {state}", session.id);
        let check = Check { status: status.to_owned(), output, ..check };
        sessions.extend(check::put(txn, check, Dating::Kept)?);
    }
    Ok(sessions)
}

/// Forgets a session as transactions do: genuine servers leave its keys locked, by nobody who could ever
/// unlock them.
pub(super) fn forget(txn: &mut Txn<'_>, id: &str) -> Result<(), Failure> {
    match query::stored(txn, id)? {
        Some(session) => {
            txn.remove(SESSION, session.id.as_bytes())?;
            Ok(indexes::touch(txn, SESSIONS)?)
        }
        None => Err(Refusal::NotFound.into()),
    }
}
