//! Ways to records other than their own ids: derived keys of sessions, nodes, services and checks.
//!
//! Genuine servers find all of them whatever their case, so the parts of these keys are in lower case
//! (`hashicorp/consul:agent/consul/state/{catalog_schema,session}.go`). Their tags stand in [`super::layout`].

use archive::consul::{Id, Registration, Service, Session, identity, kinds};
use archive::msgpack::Cursor;
use bytes::{BufMut, Bytes, BytesMut};

use super::layout::SESSION;
use crate::key::Derived;
use crate::{Error, ID_BYTES_MAX, Read};

/// Separates the parts of a key, none of which may hold it.
const SEPARATOR: u8 = 0;

/// The kinds of derived keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tag {
    /// Node, session.
    SessionOfNode,
    /// Session, prepared query.
    QueryOfSession,
    /// Node, check, session.
    SessionOfCheck,
    /// Digits of the node's UUID, record.
    NodeWithId,
    /// Service's name, record.
    Instance,
    /// Name of the service it proxies, record.
    MeshInstance,
    /// Service's name, record of the check.
    CheckOfService,
    /// Status, record of the check.
    CheckWithStatus,
}

impl Tag {
    fn bytes(self) -> &'static [u8] {
        match self {
            Tag::SessionOfNode => &[2, b'n'],
            Tag::QueryOfSession => &[2, b'q'],
            Tag::SessionOfCheck => &[3],
            Tag::NodeWithId => &[4],
            Tag::Instance => &[5],
            Tag::MeshInstance => &[6],
            Tag::CheckOfService => &[7, b'n'],
            Tag::CheckWithStatus => &[7, b's'],
        }
    }
}

/// The tag of keys that lead from a name in lower case to a record whose id is not.
const FOLDED: u8 = 8;

/// A name as it is compared.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Where the keys of `tag` that lead on from `parts` begin.
pub(super) fn prefix(tag: Tag, parts: &[&str]) -> Vec<u8> {
    let mut prefix = tag.bytes().to_vec();
    for part in parts {
        prefix.extend_from_slice(fold(part).as_bytes());
        prefix.push(SEPARATOR);
    }
    prefix
}

/// What the keys of `tag` lead to from `parts`, in order.
pub(super) fn from(read: &dyn Read, tag: Tag, parts: &[&str]) -> Result<Vec<Bytes>, Error> {
    if parts.iter().any(|part| !is_plain(part)) {
        return Ok(Vec::new());
    }
    read.derived(&prefix(tag, parts))
}

/// Whether a name can be part of an id at all.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.as_bytes().contains(&SEPARATOR)
}

/// The record called `id`, whatever the case of either: its own id, and its bytes.
pub(super) fn named(read: &dyn Read, kind: u8, id: &[u8]) -> Result<Option<(Bytes, Bytes)>, Error> {
    if let Some(bytes) = read.get(kind, id)? {
        return Ok(Some((Bytes::copy_from_slice(id), bytes)));
    }
    let Ok(text) = std::str::from_utf8(id) else { return Ok(None) };
    let folded = fold(text);
    if let Some(bytes) = read.get(kind, folded.as_bytes())? {
        return Ok(Some((folded.into(), bytes)));
    }
    for id in read.derived(&folded_prefix(kind, &folded))? {
        if let Some(bytes) = read.get(kind, &id)? {
            return Ok(Some((id, bytes)));
        }
    }
    Ok(None)
}

fn folded_prefix(kind: u8, folded: &str) -> Vec<u8> {
    [&[FOLDED, kind], folded.as_bytes(), &[SEPARATOR]].concat()
}

/// The key that leads to a record whose id is not in lower case. Ids that would make it too long are found
/// in their own case alone.
pub(super) fn folded(kind: u8, id: &[u8]) -> Option<Bytes> {
    let folded = fold(std::str::from_utf8(id).ok()?);
    let is_needed = folded.as_bytes() != id && folded.len() + id.len() <= ID_BYTES_MAX;
    is_needed.then(|| [&folded_prefix(kind, &folded)[..], id].concat().into())
}

/// Collects derived keys.
#[derive(Default)]
struct Keys(Vec<Bytes>);

impl Keys {
    fn add(&mut self, tag: Tag, parts: &[&str], target: &[u8]) -> Result<(), String> {
        if parts.iter().any(|part| part.contains('\0')) {
            return Err("a name in it holds a zero byte".into());
        }
        let prefix = prefix(tag, parts);
        let bytes = prefix.len() + target.len();
        if bytes > ID_BYTES_MAX {
            return Err(format!("its names have {bytes} bytes, at most {ID_BYTES_MAX} can be stored"));
        }
        let mut key = BytesMut::with_capacity(bytes);
        key.put_slice(&prefix);
        key.put_slice(target);
        self.0.push(key.freeze());
        Ok(())
    }
}

/// What is derived from a registration.
pub(super) fn registration(bytes: &[u8]) -> Result<Derived, String> {
    let registration = Registration::decode(bytes).map_err(|e| e.to_string())?;
    let Id { tenancy, id } = identity(kinds::REGISTER, bytes).map_err(|e| e.to_string())?;
    let Registration { node, service, check, .. } = &registration;
    let mut index = node.create_index.max(node.modify_index);
    let mut keys = Keys::default();
    // Only what is our own, in the default tenancy, is served.
    let is_served = tenancy.is_empty() && node.peer_name.is_empty();
    if let Some(service) = service {
        index = index.max(service.create_index).max(service.modify_index);
    }
    if let Some(check) = check {
        index = index.max(check.create_index).max(check.modify_index);
    }
    match (service, check) {
        _ if !is_served => {}
        (_, Some(check)) => {
            keys.add(Tag::CheckWithStatus, &[&check.status], &id)?;
            if !check.service_name.is_empty() {
                keys.add(Tag::CheckOfService, &[&check.service_name], &id)?;
            }
        }
        (Some(service), None) => {
            keys.add(Tag::Instance, &[&service.service], &id)?;
            if let Some(name) = mesh_name(service) {
                keys.add(Tag::MeshInstance, &[name], &id)?;
            }
        }
        (None, None) if !node.id.is_empty() => keys.add(Tag::NodeWithId, &[&uuid_digits(&node.id)], &id)?,
        (None, None) => {}
    }
    if is_served {
        keys.0.extend(folded(kinds::REGISTER, &id));
    }
    Ok(Derived { keys: keys.0, index })
}

/// The service that an instance makes part of the mesh, if any.
pub(super) fn mesh_name(service: &Service) -> Option<&str> {
    match service.kind.as_str() {
        "connect-proxy" => Some(&service.proxy.destination_service_name),
        _ if service.connect.native => Some(&service.service),
        _ => None,
    }
}

/// A UUID, or the beginning of one, without the hyphens in it.
pub(super) fn uuid_digits(uuid: &str) -> String {
    uuid.replace('-', "")
}

/// What is derived from a session.
pub(super) fn session(bytes: &[u8], session: &Session) -> Result<Vec<Bytes>, String> {
    let mut keys = Keys::default();
    // Genuine servers cannot hold a session without a node; where there is one it belongs to nothing.
    if session.node.is_empty() || !is_default(SESSION, bytes)? {
        return Ok(keys.0);
    }
    keys.add(Tag::SessionOfNode, &[&session.node], session.id.as_bytes())?;
    for check in checks(session) {
        keys.add(Tag::SessionOfCheck, &[&session.node, check], session.id.as_bytes())?;
    }
    Ok(keys.0)
}

/// Every check that a session depends on.
pub(super) fn checks(session: &Session) -> impl Iterator<Item = &str> {
    let of_node = session.checks.iter().chain(&session.node_checks).flatten().map(String::as_str);
    of_node.chain(session.service_checks.iter().flatten().map(|check| check.id.as_str()))
}

/// What is derived from a prepared query: it ends with its session.
pub(super) fn prepared_query(bytes: &[u8]) -> Result<Vec<Bytes>, String> {
    let mut session: &[u8] = &[];
    let decoded = Cursor::new(bytes).fields(|field, value| {
        if field == b"Session" {
            session = value.raw()?;
        }
        Ok(())
    });
    decoded.map_err(|e| e.to_string())?;
    let mut keys = Keys::default();
    let Id { tenancy, id } = identity(kinds::PREPARED_QUERY, bytes).map_err(|e| e.to_string())?;
    if !session.is_empty() && tenancy.is_empty() {
        keys.add(Tag::QueryOfSession, &[&String::from_utf8_lossy(session)], &id)?;
    }
    Ok(keys.0)
}

fn is_default(kind: u8, bytes: &[u8]) -> Result<bool, String> {
    identity(kind, bytes).map(|id| id.tenancy.is_empty()).map_err(|e| e.to_string())
}
