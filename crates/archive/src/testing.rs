//! Small archives made on the spot, so that tests need no genuine files.

use std::io::Write;

use sha2::{Digest, Sha256};

use crate::consul::{DirEntry, IndexEntry, Session, kinds};
use crate::hashicorp::{Compression, Configuration, Meta, Server, VOTER, Writer};
use crate::msgpack::{Encoder, Time};
use crate::state::{Product, Record, write_record};

/// When the archives made here claim to be from.
pub const MTIME_S: u64 = 1_710_350_057;

/// Makes archives.
#[derive(Clone, Debug)]
pub struct Builder {
    product: Product,
    last_index: u64,
    records: Vec<Record>,
}

impl Builder {
    /// A Consul archive without records.
    pub fn new(last_index: u64) -> Builder {
        Builder { product: Product::Consul, last_index, records: Vec::new() }
    }

    /// A Nomad archive without records.
    pub fn of_nomad(last_index: u64) -> Builder {
        Builder { product: Product::Nomad, ..Builder::new(last_index) }
    }

    /// A Consul archive with a record of every known type.
    pub fn with_every_kind() -> Builder {
        Builder { records: one_of_each(), ..Builder::new(62) }
    }

    /// Adds a record.
    pub fn record(mut self, kind: u8, bytes: impl Into<Vec<u8>>) -> Builder {
        self.records.push(Record { kind, bytes: bytes.into() });
        self
    }

    /// Adds a key of Consul's.
    pub fn key(self, key: &str, value: &[u8], index: u64) -> Builder {
        let entry = DirEntry {
            key: key.into(),
            value: Some(value.to_vec()),
            create_index: index,
            modify_index: index,
            ..DirEntry::default()
        };
        self.record(kinds::KVS, entry.encode())
    }

    /// The content of `state.bin`.
    pub fn state(&self) -> Vec<u8> {
        let mut state = Vec::new();
        self.product.write_header(&mut state, self.last_index).expect("memory takes everything");
        for record in &self.records {
            write_record(&mut state, record.kind, &record.bytes).expect("memory takes everything");
        }
        state
    }

    /// The archive.
    pub fn archive(&self) -> Vec<u8> {
        archive(&meta(self.last_index, self.state().len()), &self.state(), Compression::default())
    }
}

/// A description of a state of this size, by a cluster of one server.
pub fn meta(index: u64, state_bytes: usize) -> Meta {
    let server = Server {
        suffrage: VOTER,
        id: "065c1172-84a8-0bd1-269c-d24b2d0fb903".into(),
        address: "127.0.0.1:8300".into(),
    };
    let configuration = Configuration { servers: vec![server] };
    Meta {
        version: 1,
        id: format!("2-{index}-{MTIME_S}000"),
        index,
        term: 2,
        peers: configuration.legacy_peers(),
        configuration,
        configuration_index: 1,
        size: state_bytes as i64,
    }
}

/// The archive of `state`.
pub fn archive(meta: &Meta, state: &[u8], compression: Compression) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), meta, MTIME_S, compression).expect("memory takes everything");
    writer.write_all(state).expect("the state has the size that its description says");
    writer.finish().expect("the state has the size that its description says")
}

/// A record of every known type of Consul's, in the order of an archive.
pub fn one_of_each() -> Vec<Record> {
    let mut records = vec![
        record(kinds::NAMESPACE, raw(&message(&[(1, b"default"), (2, b"Builtin Default Namespace")]))),
        record(kinds::PARTITION, raw(&message(&[(1, b"default"), (2, b"Builtin Default Partition")]))),
        record(kinds::SERVICE_VIRTUAL_IP, service_virtual_ip()),
        record(kinds::FREE_VIRTUAL_IP, map(&[("IP", raw(&[0, 0, 0, 1])), ("IsCounter", truth())])),
    ];
    let service = map(&[("ID", raw(b"web-1")), ("Port", number(8080)), ("Service", raw(b"web"))]);
    let check = map(&[("CheckID", raw(b"serfHealth")), ("Node", raw(b"Node-A")), ("ServiceID", raw(b""))]);
    let registrations = [(nil(), nil()), (service, nil()), (nil(), check)];
    records.extend(registrations.into_iter().map(|(service, check)| {
        let node = [("Check", check), ("Node", raw(b"Node-A")), ("PeerName", raw(b"")), ("Service", service)];
        record(kinds::REGISTER, map(&node))
    }));
    records.extend([record(kinds::COORDINATE, coordinate()), record(kinds::SESSION, session().encode())]);
    records.extend(acl());
    records.extend([
        record(kinds::KVS, key("foo/bar", Some(b"\x00\xff"), 26).encode()),
        record(kinds::TOMBSTONE, key("foo/baz", None, 28).encode()),
        record(kinds::PREPARED_QUERY, by_id("d25ada95-af7e-7fbb-7340-f9fece80f5d5")),
        record(kinds::AUTOPILOT, map(&[("CleanupDeadServers", truth()), ("MaxTrailingLogs", number(250))])),
        record(kinds::INTENTION, by_id("0ad7b1d6-97b1-4c44-9d3c-0f3a2c1e4b5f")),
        record(kinds::CONNECT_CA, by_id("fd:bd:b5")),
        record(kinds::CONNECT_CA_PROVIDER_STATE, by_id("fb:50:9b")),
        record(kinds::CONNECT_CA_CONFIG, map(&[("Provider", raw(b"consul"))])),
        record(kinds::CONFIG_ENTRY, config_entry("mesh", &map(&[("Meta", nil())]))),
        record(kinds::CONFIG_ENTRY, config_entry("proxy-defaults", &raw(&by_name("global")))),
        record(kinds::CONFIG_ENTRY, config_entry("service-defaults", &by_name("web"))),
        record(kinds::FEDERATION_STATE, map(&[("State", map(&[("Datacenter", raw(b"dc1"))]))])),
        record(kinds::SYSTEM_METADATA, map(&[("Key", raw(b"virtual-ips")), ("Value", raw(b"true"))])),
        record(kinds::INDEX, IndexEntry { key: "kvs".into(), value: 28 }.encode()),
        record(kinds::PEERING, raw(&message(&[(1, b"503f605c"), (2, b"other"), (3, b"default")]))),
        record(kinds::PEERING_TRUST_BUNDLE, raw(&message(&[(1, b"584e.consul"), (2, b"other")]))),
        record(kinds::PEERING_SECRET, raw(&message(&[(1, b"503f605c")]))),
        record(kinds::RESOURCE, raw(&resource())),
        record(kinds::CHUNKING_STATE, map(&[("ChunkMap", map(&[]))])),
    ]);
    records
}

fn acl() -> [Record; 5] {
    let time = Time { unix_s: 1_710_350_000, nanos: 5, offset_minutes: Some(-240) };
    let token = [
        ("AccessorID", raw(b"00000000-0000-0000-0000-000000000002")),
        ("CreateTime", raw(&time.to_bytes())),
        ("ExpirationTime", nil()),
        ("Hash", raw(&Sha256::digest(b"token"))),
        ("SecretID", raw(b"anonymous")),
    ];
    [
        record(kinds::ACL_TOKEN, map(&token)),
        record(kinds::ACL_POLICY, by_id("00000000-0000-0000-0000-000000000001")),
        record(kinds::ACL_ROLE, by_id("edbab2c0-4bd2-052f-8a08-2f31e65930b2")),
        record(kinds::ACL_BINDING_RULE, by_id("2a7708b7-913a-8c1f-593f-019c7192d549")),
        record(kinds::ACL_AUTH_METHOD, by_name("test")),
    ]
}

fn key(key: &str, value: Option<&[u8]>, modify_index: u64) -> DirEntry {
    DirEntry { key: key.into(), value: value.map(<[u8]>::to_vec), modify_index, ..DirEntry::default() }
}

fn session() -> Session {
    Session {
        id: "2e9c1df2-3444-8aaa-62e6-dd679d33c38d".into(),
        node: "Node-A".into(),
        behavior: "release".into(),
        lock_delay_ns: 15_000_000_000,
        node_checks: Some(vec!["serfHealth".into()]),
        create_index: 29,
        modify_index: 29,
        ..Session::default()
    }
}

fn coordinate() -> Vec<u8> {
    let mut vector = Encoder::new();
    vector.array(8);
    for axis in 0..8 {
        vector.float(f64::from(axis) / 8.0);
    }
    let position = map(&[("Adjustment", nil()), ("Vec", vector.into_bytes())]);
    let mut batch = Encoder::new();
    let one = map(&[("Coord", position), ("Node", raw(b"Node-A")), ("Segment", raw(b""))]);
    batch.array(1).encoded(&one);
    batch.into_bytes()
}

fn service_virtual_ip() -> Vec<u8> {
    let service = map(&[("Peer", raw(b"")), ("ServiceName", by_name("web"))]);
    map(&[("IP", raw(&[0, 0, 0, 3])), ("ManualIPs", nil()), ("Service", service)])
}

fn config_entry(kind: &str, entry: &[u8]) -> Vec<u8> {
    let mut content = Encoder::new();
    content.raw(kind).encoded(&map(&[
        ("Datacenter", raw(b"")),
        ("Entry", entry.to_vec()),
        ("Op", raw(b"")),
        ("Token", raw(b"")),
    ]));
    raw(&content.into_bytes())
}

fn resource() -> Vec<u8> {
    let kind = message(&[(1, b"catalog"), (2, b"v2beta1"), (3, b"Service")]);
    let tenancy = message(&[(1, b"default"), (2, b"default")]);
    message(&[(1, &message(&[(1, b"01HRW"), (2, b"web"), (3, &kind), (4, &tenancy)])), (3, b"61")])
}

fn record(kind: u8, bytes: Vec<u8>) -> Record {
    Record { kind, bytes }
}

fn by_id(id: &str) -> Vec<u8> {
    map(&[("ID", raw(id.as_bytes())), ("Name", raw(b"test"))])
}

fn by_name(name: &str) -> Vec<u8> {
    map(&[("Name", raw(name.as_bytes()))])
}

/// A msgpack map of values that are encoded already.
pub fn map(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.map(fields.len());
    for (name, value) in fields {
        out.raw(name).encoded(value);
    }
    out.into_bytes()
}

/// A msgpack string.
pub fn raw(bytes: &[u8]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.raw(bytes);
    out.into_bytes()
}

fn number(value: u64) -> Vec<u8> {
    let mut out = Encoder::new();
    out.uint(value);
    out.into_bytes()
}

fn truth() -> Vec<u8> {
    vec![0xc3]
}

fn nil() -> Vec<u8> {
    vec![0xc0]
}

/// A protobuf message of string fields.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = Vec::new();
    for (number, value) in fields {
        // Short fields only, so that the length is one byte.
        message.extend([number << 3 | 2, value.len() as u8]);
        message.extend_from_slice(value);
    }
    message
}
