//! Which thing a record is about: the key it is stored under, and how a second record about the same
//! thing is noticed.

use sha2::{Digest, Sha256};

use super::{kinds, protobuf};
use crate::msgpack::{self, Cursor};
use crate::state::id::{map, tenancy_part, whole};
use crate::state::{Fault, Id};

/// Marks a service of a node. Services sort before checks, as a check can only be restored after the
/// service that it belongs to.
pub(super) const SERVICE: &[u8] = b"S";
/// Marks a check of a node.
pub(super) const CHECK: &[u8] = b"c";

/// Says what the record with type `kind` and value `bytes` is about.
///
/// | type | id |
/// |---|---|
/// | KVS, Tombstone, Index, SystemMetadata | `Key` |
/// | Session, PreparedQuery, Intention, ConnectCA, ConnectCAProviderState, ACLPolicy, ACLRole, ACLBindingRule | `ID` |
/// | ACLToken | `AccessorID`, or `SecretID` if that is empty |
/// | ACLAuthMethod | `Name` |
/// | ConfigEntry | kind, `Name` |
/// | FederationState | `State.Datacenter` |
/// | Register | `PeerName`, `Node` in lower case, then nothing, or `S` and the service, or `c` and the check |
/// | CoordinateBatchUpdate | `Node` in lower case, `Segment` |
/// | ServiceVirtualIP | peer, service name |
/// | FreeVirtualIP | address, one byte that tells the counter from a free address |
/// | Peering, PeeringSecret, PeeringTrustBundle | ID, peering's ID, peer's name |
/// | Resource | group, kind, name |
/// | Enterprise's partition | name |
/// | Enterprise's namespace | name, SHA-256 of the value, as the field that holds its partition is not known |
/// | Autopilot, ConnectCAConfig, ChunkingState | nothing: there is one |
/// | any other | SHA-256 of the value |
///
/// Old archives can hold a registration with both a service and a check: it is taken as the check's.
/// Fails if the bytes are not a whole value of the type; a missing field is empty, as for the genuine codec.
pub fn identity(kind: u8, bytes: &[u8]) -> Result<Id, Fault> {
    match kind {
        kinds::KVS | kinds::TOMBSTONE | kinds::INDEX | kinds::SYSTEM_METADATA => by_field(bytes, b"Key"),
        kinds::SESSION
        | kinds::PREPARED_QUERY
        | kinds::INTENTION
        | kinds::CONNECT_CA
        | kinds::CONNECT_CA_PROVIDER_STATE
        | kinds::ACL_POLICY
        | kinds::ACL_ROLE
        | kinds::ACL_BINDING_RULE => by_field(bytes, b"ID"),
        kinds::ACL_AUTH_METHOD => by_field(bytes, b"Name"),
        kinds::ACL_TOKEN => token(bytes),
        kinds::CONFIG_ENTRY => config_entry(bytes),
        kinds::FEDERATION_STATE => federation_state(bytes),
        kinds::REGISTER => registration(bytes),
        kinds::COORDINATE => coordinate(bytes),
        kinds::SERVICE_VIRTUAL_IP => service_virtual_ip(bytes),
        kinds::FREE_VIRTUAL_IP => free_virtual_ip(bytes),
        kinds::AUTOPILOT | kinds::CONNECT_CA_CONFIG | kinds::CHUNKING_STATE => singleton(bytes),
        kinds::PEERING => message(bytes, |peering| by_number(peering, 1, Some(3))),
        kinds::PEERING_TRUST_BUNDLE => message(bytes, |bundle| by_number(bundle, 2, Some(3))),
        kinds::PEERING_SECRET => message(bytes, |secret| by_number(secret, 1, None)),
        kinds::RESOURCE => message(bytes, resource),
        kinds::PARTITION => message(bytes, |partition| by_number(partition, 1, None)),
        kinds::NAMESPACE => message(bytes, namespace),
        _ => whole(bytes, |cursor| cursor.skip().map(drop)).map(|()| Id::by_hash(bytes)),
    }
}

/// The namespace and partition that a record names.
#[derive(Default)]
struct Tenancy<'a> {
    partition: &'a [u8],
    namespace: &'a [u8],
}

impl<'a> Tenancy<'a> {
    /// Takes the value if `key` is one of the two.
    fn take(&mut self, key: &[u8], value: &mut Cursor<'a>) -> Result<(), msgpack::Error> {
        match key {
            b"Partition" => self.partition = value.raw()?,
            b"Namespace" => self.namespace = value.raw()?,
            _ => {}
        }
        Ok(())
    }

    fn id(&self, parts: &[&[u8]]) -> Result<Id, Fault> {
        let [partition, namespace] = [self.partition, self.namespace].map(|name| match name {
            b"" => b"default",
            name => name,
        });
        let tenancy = match (partition, namespace) {
            (b"default", b"default") => String::new(),
            names => format!("{}/{}", tenancy_part(names.0)?, tenancy_part(names.1)?),
        };
        Id::of(tenancy, parts)
    }
}

fn by_field(bytes: &[u8], name: &[u8]) -> Result<Id, Fault> {
    let mut tenancy = Tenancy::default();
    let mut id: &[u8] = &[];
    map(bytes, |key, value| {
        if key == name {
            id = value.raw()?;
            return Ok(());
        }
        tenancy.take(key, value)
    })?;
    tenancy.id(&[id])
}

fn singleton(bytes: &[u8]) -> Result<Id, Fault> {
    map(bytes, |_, _| Ok(()))?;
    Ok(Id::default())
}

fn token(bytes: &[u8]) -> Result<Id, Fault> {
    let mut tenancy = Tenancy::default();
    let (mut accessor, mut secret): (&[u8], &[u8]) = (&[], &[]);
    map(bytes, |key, value| {
        match key {
            b"AccessorID" => accessor = value.raw()?,
            b"SecretID" => secret = value.raw()?,
            _ => tenancy.take(key, value)?,
        }
        Ok(())
    })?;
    tenancy.id(&[if accessor.is_empty() { secret } else { accessor }])
}

fn registration(bytes: &[u8]) -> Result<Id, Fault> {
    let mut tenancy = Tenancy::default();
    let (mut node, mut peer): (&[u8], &[u8]) = (&[], &[]);
    let (mut service, mut check) = (None, None);
    map(bytes, |key, value| {
        match key {
            b"Node" => node = value.raw()?,
            b"PeerName" => peer = value.raw()?,
            b"Service" => service = part_of_node(value, b"ID")?,
            b"Check" => check = part_of_node(value, b"CheckID")?,
            _ => tenancy.take(key, value)?,
        }
        Ok(())
    })?;
    let node = lower_case(node);
    let (marker, part) = match (check, service) {
        (Some(check), _) => (CHECK, check),
        (None, Some(service)) => (SERVICE, service),
        (None, None) => return tenancy.id(&[peer, &node]),
    };
    // The node belongs to a partition alone; its services and checks name their namespace themselves.
    tenancy.namespace = part.namespace;
    tenancy.id(&[peer, &node, marker, part.id])
}

/// A service or check as far as it matters here.
struct Part<'a> {
    id: &'a [u8],
    namespace: &'a [u8],
}

/// Reads a service or check; `None` for nil.
fn part_of_node<'a>(cursor: &mut Cursor<'a>, id_field: &[u8]) -> Result<Option<Part<'a>>, msgpack::Error> {
    let (mut id, mut namespace): (&[u8], &[u8]) = (&[], &[]);
    let is_there = cursor.fields(|key, value| {
        match key {
            b"Namespace" => namespace = value.raw()?,
            key if key == id_field => id = value.raw()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(is_there.then_some(Part { id, namespace }))
}

fn coordinate(bytes: &[u8]) -> Result<Id, Fault> {
    let mut tenancy = Tenancy::default();
    let (mut node, mut segment): (&[u8], &[u8]) = (&[], &[]);
    let mut count = 0;
    whole(bytes, |cursor| {
        cursor.elements(|cursor| {
            count += 1;
            cursor.fields(|key, value| {
                match key {
                    b"Node" => node = value.raw()?,
                    b"Segment" => segment = value.raw()?,
                    _ => tenancy.take(key, value)?,
                }
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    })?;
    match count {
        1 => tenancy.id(&[&lower_case(node), segment]),
        count => Err(Fault::Coordinates(count)),
    }
}

/// A string that holds the kind and the entry; the entry of a `proxy-defaults` is a string once more.
fn config_entry(bytes: &[u8]) -> Result<Id, Fault> {
    let mut content: &[u8] = &[];
    whole(bytes, |cursor| {
        content = cursor.raw()?;
        Ok(())
    })?;
    let mut tenancy = Tenancy::default();
    let (mut kind, mut name): (&[u8], &[u8]) = (&[], &[]);
    let mut entry: &[u8] = &[];
    whole(content, |cursor| {
        kind = cursor.raw()?;
        cursor.fields(|key, value| {
            if key == b"Entry" {
                entry = value.skip()?;
            }
            Ok(())
        })?;
        Ok(())
    })?;
    let mut inside = Cursor::new(entry);
    if let Ok(packed) = inside.raw() {
        entry = packed;
    }
    if !entry.is_empty() {
        map(entry, |key, value| {
            if key == b"Name" {
                name = value.raw()?;
                return Ok(());
            }
            tenancy.take(key, value)
        })?;
    }
    tenancy.id(&[kind, name])
}

fn federation_state(bytes: &[u8]) -> Result<Id, Fault> {
    let mut datacenter: &[u8] = &[];
    map(bytes, |key, value| {
        if key == b"State" {
            value.fields(|key, value| {
                if key == b"Datacenter" {
                    datacenter = value.raw()?;
                }
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Tenancy::default().id(&[datacenter])
}

/// Since Consul 1.13 `Service` is `{Peer, ServiceName{Name}}`, before it was `{Name}`.
fn service_virtual_ip(bytes: &[u8]) -> Result<Id, Fault> {
    let mut tenancy = Tenancy::default();
    let (mut peer, mut name): (&[u8], &[u8]) = (&[], &[]);
    map(bytes, |key, value| {
        if key != b"Service" {
            return Ok(());
        }
        value.fields(|key, value| {
            match key {
                b"Peer" => peer = value.raw()?,
                b"Name" => name = value.raw()?,
                b"ServiceName" => {
                    value.fields(|key, value| {
                        match key {
                            b"Name" => name = value.raw()?,
                            _ => tenancy.take(key, value)?,
                        }
                        Ok(())
                    })?;
                }
                _ => tenancy.take(key, value)?,
            }
            Ok(())
        })?;
        Ok(())
    })?;
    tenancy.id(&[peer, name])
}

fn free_virtual_ip(bytes: &[u8]) -> Result<Id, Fault> {
    let mut address: &[u8] = &[];
    let mut is_counter = false;
    map(bytes, |key, value| {
        match key {
            b"IP" => address = value.raw()?,
            b"IsCounter" => is_counter = value.bool()?,
            _ => {}
        }
        Ok(())
    })?;
    // An address is full of zero bytes; the fixed width of what follows separates as well.
    Ok(Id { tenancy: String::new(), id: [address, &[u8::from(is_counter)]].concat() })
}

/// Reads `bytes` as a string that holds a protobuf message.
fn message(bytes: &[u8], read: impl FnOnce(&[u8]) -> Result<Id, Fault>) -> Result<Id, Fault> {
    let mut content: &[u8] = &[];
    whole(bytes, |cursor| {
        content = cursor.raw()?;
        Ok(())
    })?;
    read(content)
}

fn by_number(message: &[u8], id: u64, partition: Option<u64>) -> Result<Id, Fault> {
    let partition = partition.map_or(Ok(&[][..]), |number| protobuf::bytes_field(message, number))?;
    let tenancy = Tenancy { partition, namespace: b"" };
    tenancy.id(&[protobuf::bytes_field(message, id)?])
}

/// The group's version is no part of the identity: Consul keeps one resource for all versions.
fn resource(message: &[u8]) -> Result<Id, Fault> {
    // The walk over the whole message comes first: it is what finds damage outside the id.
    let id = protobuf::bytes_field(message, 1)?;
    let kind = protobuf::bytes_field(id, 3)?;
    let tenancy = protobuf::bytes_field(id, 4)?;
    let tenancy = Tenancy {
        partition: protobuf::bytes_field(tenancy, 1)?,
        namespace: protobuf::bytes_field(tenancy, 2)?,
    };
    let (group, kind) = (protobuf::bytes_field(kind, 1)?, protobuf::bytes_field(kind, 3)?);
    tenancy.id(&[group, kind, protobuf::bytes_field(id, 2)?])
}

fn namespace(message: &[u8]) -> Result<Id, Fault> {
    let name = protobuf::bytes_field(message, 1)?;
    let hash: String = Sha256::digest(message).iter().map(|byte| format!("{byte:02x}")).collect();
    Tenancy::default().id(&[name, hash.as_bytes()])
}

/// Genuine servers find nodes whatever their case.
pub(super) fn lower_case(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => name.to_ascii_lowercase(),
    }
}
