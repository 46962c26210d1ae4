//! Reads of sessions. Every answer has the index of the table.
//!
//! Follows `hashicorp/consul:agent/consul/state/{session,session_ce}.go`.

use std::time::Duration;

use archive::consul::Session;

use super::{SESSIONS, duration};
use crate::consul::indexes;
use crate::consul::layout::SESSION;
use crate::consul::lookups::{self, Tag, fold};
use crate::consul::query::{Answer, answer};
use crate::{Error, Read, error};

/// Sessions in ascending order of their ids.
pub type Sessions<'a> = Box<dyn Iterator<Item = Result<Session, Error>> + Send + 'a>;

/// The session called `id`.
pub fn session_get(read: &dyn Read, id: &str) -> Result<Answer<Option<Session>>, Error> {
    Ok(answer(read, table_index(read)?, stored(read, id)?))
}

/// Every session, read as the iterator is.
pub fn session_list(read: &dyn Read) -> Result<Answer<Sessions<'_>>, Error> {
    let sessions = read.scan(SESSION, b"").map(|entry| decode(&entry?.1));
    Ok(answer(read, table_index(read)?, Box::new(sessions)))
}

/// The sessions of a node, read as the iterator is.
pub fn session_list_of_node<'a>(read: &'a dyn Read, node: &str) -> Result<Answer<Sessions<'a>>, Error> {
    let ids = lookups::from(read, Tag::SessionOfNode, &[node])?.into_iter();
    let sessions = ids.filter_map(|id| read.get(SESSION, &id).transpose()).map(|bytes| decode(&bytes?));
    Ok(answer(read, table_index(read)?, Box::new(sessions)))
}

/// The sessions that end by themselves, and how long each may live without being renewed. A session must
/// outlive its time; genuine leaders give it twice that (`hashicorp/consul:agent/consul/session_ttl.go`).
pub fn sessions_with_ttl(read: &dyn Read) -> Result<Vec<(String, Duration)>, Error> {
    let mut found = Vec::new();
    for entry in read.scan(SESSION, b"") {
        let session = decode(&entry?.1)?;
        found.extend(session_ttl(&session).map(|ttl| (session.id, ttl)));
    }
    Ok(found)
}

/// How long a session may live without being renewed; `None` is forever. A time that can't be read, which
/// only an archive can hold, is none, as for genuine leaders.
pub fn session_ttl(session: &Session) -> Option<Duration> {
    let ttl_ns = duration::parse(&session.ttl).ok()?;
    u64::try_from(ttl_ns).ok().filter(|ttl_ns| *ttl_ns > 0).map(Duration::from_nanos)
}

/// The session called `id`. Genuine ones are in lower case and found in any.
pub(in crate::consul) fn stored(read: &dyn Read, id: &str) -> Result<Option<Session>, Error> {
    let found = match read.get(SESSION, id.as_bytes())? {
        None => read.get(SESSION, fold(id).as_bytes())?,
        found => found,
    };
    found.map(|bytes| decode(&bytes)).transpose()
}

fn table_index(read: &dyn Read) -> Result<u64, Error> {
    indexes::highest(read, &[SESSIONS])
}

fn decode(bytes: &[u8]) -> Result<Session, Error> {
    Session::decode(bytes).map_err(|e| error::stored("session", e))
}
