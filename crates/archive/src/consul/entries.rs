//! The records that are understood field by field. What is decoded from a community archive and encoded
//! again is the same bytes: keys sorted, every field written (`hashicorp/consul:agent/structs/structs.go`).

use crate::msgpack::{Cursor, Encoder, Error};

/// A key and its value, or, with only `key` and `modify_index` set, the trace of a deleted one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirEntry {
    /// Any bytes: keys come from URLs and need not be text.
    pub key: Vec<u8>,
    /// `None` is how genuine servers hold an empty value.
    pub value: Option<Vec<u8>>,
    /// A number that clients may use as they like.
    pub flags: u64,
    /// The session that holds the lock, or empty.
    pub session: String,
    /// How often the lock was taken.
    pub lock_index: u64,
    /// The index at which the key was created.
    pub create_index: u64,
    /// The index at which the key was last changed.
    pub modify_index: u64,
    /// Of Consul Enterprise; not encoded.
    pub namespace: String,
    /// Of Consul Enterprise; not encoded.
    pub partition: String,
}

impl DirEntry {
    /// Decodes the value of a `KVS` or `Tombstone` record.
    pub fn decode(bytes: &[u8]) -> Result<DirEntry, Error> {
        let mut entry = DirEntry::default();
        decode_map(bytes, |key, value| {
            match key {
                b"CreateIndex" => entry.create_index = value.uint()?,
                b"Flags" => entry.flags = value.uint()?,
                b"Key" => entry.key = value.raw()?.to_vec(),
                b"LockIndex" => entry.lock_index = value.uint()?,
                b"ModifyIndex" => entry.modify_index = value.uint()?,
                b"Namespace" => entry.namespace = value.text()?.into(),
                b"Partition" => entry.partition = value.text()?.into(),
                b"Session" => entry.session = value.text()?.into(),
                b"Value" if value.take_nil()? => entry.value = None,
                b"Value" => entry.value = Some(value.raw()?.to_vec()),
                _ => {}
            }
            Ok(())
        })?;
        Ok(entry)
    }

    /// Encodes the value of a `KVS` or `Tombstone` record of the community edition.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.map(7);
        out.raw("CreateIndex").uint(self.create_index);
        out.raw("Flags").uint(self.flags);
        out.raw("Key").raw(&self.key);
        out.raw("LockIndex").uint(self.lock_index);
        out.raw("ModifyIndex").uint(self.modify_index);
        out.raw("Session").raw(&self.session);
        out.raw("Value").raw_or_nil(self.value.as_ref());
        out.into_bytes()
    }
}

/// A session, which can hold locks on keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// A UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The node whose health it depends on.
    pub node: String,
    /// `release` or `delete`: what becomes of its keys when it ends.
    pub behavior: String,
    /// How long, in nanoseconds, its keys can't be locked after it ended.
    pub lock_delay_ns: i64,
    /// How long it lives without being renewed, such as `15s`; empty means forever.
    pub ttl: String,
    /// Checks of the node that it depends on, in the form older servers used.
    pub checks: Option<Vec<String>>,
    /// Checks of the node that it depends on.
    pub node_checks: Option<Vec<String>>,
    /// Checks of services that it depends on.
    pub service_checks: Option<Vec<ServiceCheck>>,
    /// The index at which it was created.
    pub create_index: u64,
    /// The index at which it was last changed.
    pub modify_index: u64,
    /// Of Consul Enterprise; not encoded.
    pub namespace: String,
    /// Of Consul Enterprise; not encoded.
    pub partition: String,
}

/// A check of a service that a session depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceCheck {
    /// The check.
    pub id: String,
    /// Its namespace; written by the community edition too.
    pub namespace: String,
}

impl Session {
    /// Decodes the value of a `Session` record.
    pub fn decode(bytes: &[u8]) -> Result<Session, Error> {
        let mut session = Session::default();
        decode_map(bytes, |key, value| {
            match key {
                b"Behavior" => session.behavior = value.text()?.into(),
                b"Checks" => session.checks = decode_list(value, decode_text)?,
                b"CreateIndex" => session.create_index = value.uint()?,
                b"ID" => session.id = value.text()?.into(),
                b"LockDelay" => session.lock_delay_ns = value.int()?,
                b"ModifyIndex" => session.modify_index = value.uint()?,
                b"Name" => session.name = value.text()?.into(),
                b"Namespace" => session.namespace = value.text()?.into(),
                b"Node" => session.node = value.text()?.into(),
                b"NodeChecks" => session.node_checks = decode_list(value, decode_text)?,
                b"Partition" => session.partition = value.text()?.into(),
                b"ServiceChecks" => session.service_checks = decode_list(value, ServiceCheck::decode)?,
                b"TTL" => session.ttl = value.text()?.into(),
                _ => {}
            }
            Ok(())
        })?;
        Ok(session)
    }

    /// Encodes the value of a `Session` record of the community edition.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.map(11);
        out.raw("Behavior").raw(&self.behavior);
        out.raw("Checks");
        encode_list(&mut out, self.checks.as_deref(), encode_text);
        out.raw("CreateIndex").uint(self.create_index);
        out.raw("ID").raw(&self.id);
        out.raw("LockDelay").int(self.lock_delay_ns);
        out.raw("ModifyIndex").uint(self.modify_index);
        out.raw("Name").raw(&self.name);
        out.raw("Node").raw(&self.node);
        out.raw("NodeChecks");
        encode_list(&mut out, self.node_checks.as_deref(), encode_text);
        out.raw("ServiceChecks");
        encode_list(&mut out, self.service_checks.as_deref(), ServiceCheck::encode);
        out.raw("TTL").raw(&self.ttl);
        out.into_bytes()
    }
}

impl ServiceCheck {
    fn decode(cursor: &mut Cursor) -> Result<ServiceCheck, Error> {
        let mut check = ServiceCheck::default();
        cursor.fields(|key, value| {
            match key {
                b"ID" => check.id = value.text()?.into(),
                b"Namespace" => check.namespace = value.text()?.into(),
                _ => {}
            }
            Ok(())
        })?;
        Ok(check)
    }

    fn encode(&self, out: &mut Encoder) {
        out.map(2).raw("ID").raw(&self.id).raw("Namespace").raw(&self.namespace);
    }
}

/// The last index of a table, or of a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexEntry {
    /// The table, such as `kvs`, or a part of it, such as `service.web`.
    pub key: String,
    /// The index.
    pub value: u64,
}

impl IndexEntry {
    /// Decodes the value of an `Index` record.
    pub fn decode(bytes: &[u8]) -> Result<IndexEntry, Error> {
        let mut entry = IndexEntry::default();
        decode_map(bytes, |key, value| {
            match key {
                b"Key" => entry.key = value.text()?.into(),
                b"Value" => entry.value = value.uint()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(entry)
    }

    /// Encodes the value of an `Index` record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.map(2).raw("Key").raw(&self.key).raw("Value").uint(self.value);
        out.into_bytes()
    }
}

/// Decodes bytes that are exactly one map.
pub(super) fn decode_map<'a>(
    bytes: &'a [u8],
    field: impl FnMut(&'a [u8], &mut Cursor<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut cursor = Cursor::new(bytes);
    match cursor.fields(field)? {
        true => cursor.finish(),
        false => Err(Error::Type { expected: "a map", found: "nil" }),
    }
}

pub(super) fn decode_list<'a, T>(
    cursor: &mut Cursor<'a>,
    mut element: impl FnMut(&mut Cursor<'a>) -> Result<T, Error>,
) -> Result<Option<Vec<T>>, Error> {
    let mut list = Vec::new();
    let is_list = cursor.elements(|cursor| {
        list.push(element(cursor)?);
        Ok(())
    })?;
    Ok(is_list.then_some(list))
}

pub(super) fn decode_text(cursor: &mut Cursor) -> Result<String, Error> {
    cursor.text().map(String::from)
}

pub(super) fn encode_list<T>(out: &mut Encoder, list: Option<&[T]>, element: impl Fn(&T, &mut Encoder)) {
    match list {
        None => {
            out.nil();
        }
        Some(list) => {
            out.array(list.len());
            list.iter().for_each(|item| element(item, out));
        }
    }
}

pub(super) fn encode_text(text: &String, out: &mut Encoder) {
    out.raw(text);
}
