//! Consul's records: framing, what each record is about, and what a whole state must satisfy.

mod support;

use archive::consul::inspect::{KeyDetail, Summary};
use archive::consul::{
    DirEntry, Error, Fault, Id, IndexEntry, Options, Record, Records, ServiceCheck, Session, identity, kinds,
    verify,
};
use archive::hashicorp;
use archive::msgpack;
use archive::state::Product;
use archive::testing::{Builder, map, meta, one_of_each, raw};

fn id(kind: u8, fields: &[(&str, Vec<u8>)]) -> Id {
    identity(kind, &map(fields)).expect("a record of its type")
}

fn plain(id: &[u8]) -> Id {
    Id { tenancy: String::new(), id: id.to_vec() }
}

fn verdict(builder: &Builder) -> Result<archive::consul::Verdict, Error> {
    verify(builder.archive().as_slice(), Options::default())
}

#[test]
fn every_known_type_is_verified_and_counted() {
    let verdict = verdict(&Builder::with_every_kind()).unwrap();
    assert_eq!(verdict.last_index, 62);
    let known: Vec<u8> = (0..=u8::MAX).filter(|kind| kinds::is_known(*kind)).collect();
    assert_eq!(verdict.counts.keys().copied().collect::<Vec<_>>(), known);
    let bytes: u64 = verdict.counts.values().map(|count| count.bytes).sum();
    assert_eq!(bytes, Builder::with_every_kind().state().len() as u64 - 12);
}

#[test]
fn records_come_back_as_they_were_written() {
    let state = Builder::with_every_kind().state();
    let mut records = Records::new(state.as_slice()).unwrap();
    assert_eq!((records.last_index(), records.offset()), (62, 12));
    let read: Vec<Record> = records.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(read, one_of_each());
    assert_eq!(records.offset(), state.len() as u64);
}

#[test]
fn a_state_without_records_is_a_state() {
    let records = Records::new(&b"\x81\xa9LastIndex\x00"[..]).unwrap();
    assert_eq!((records.whose(), records.last_index(), records.count()), (Product::Consul, 0, 0));
    assert!(matches!(Records::new(&b""[..]), Err(Error::Header(msgpack::Error::Cut))));
    assert!(matches!(Records::new(&b"\x01"[..]), Err(Error::Header(msgpack::Error::Type { .. }))));
}

#[test]
fn a_cut_state_is_told_by_the_record() {
    let state = Builder::new(7).key("a", b"1", 5).key("b", b"2", 6).state();
    let mut records = Records::new(&state[..state.len() - 1]).unwrap();
    let second = 12 + (state.len() as u64 - 12) / 2;
    assert!(records.next_record().unwrap().is_some());
    match records.next_record() {
        Err(Error::Record {
            kind: kinds::KVS, offset, source: Fault::Msgpack(msgpack::Error::Cut), ..
        }) => {
            assert_eq!(offset, second);
        }
        other => panic!("{other:?}"),
    }
    assert!(records.next_record().unwrap().is_none(), "nothing is read after an error");
}

#[test]
fn a_second_record_about_the_same_thing_is_refused() {
    let error = verdict(&Builder::new(7).key("a", b"1", 5).key("b", b"1", 5).key("a", b"2", 6)).unwrap_err();
    assert!(matches!(&error, Error::Duplicate { kind: kinds::KVS, id, .. } if id.id == b"a"), "{error:?}");
    assert!(verdict(&Builder::new(7).key("a", b"1", 5).key("A", b"1", 5)).is_ok());
}

/// Consul Enterprise was seen to write the same index twice.
#[test]
fn only_indexes_may_repeat_and_only_to_the_byte() {
    let index = |value| IndexEntry { key: "kvs".into(), value }.encode();
    let builder = Builder::new(7).record(kinds::INDEX, index(5));
    assert_eq!(verdict(&builder.clone().record(kinds::INDEX, index(5))).unwrap().repeated, 1);
    let error = verdict(&builder.record(kinds::INDEX, index(6))).unwrap_err();
    assert!(matches!(error, Error::Duplicate { kind: kinds::INDEX, .. }), "{error:?}");
}

#[test]
fn unknown_types_are_refused_by_number_unless_they_are_allowed() {
    for kind in [1, 4, 44, 63, 64, 66, 255] {
        let builder = Builder::new(7).record(kind, map(&[]));
        let error = verdict(&builder).unwrap_err();
        assert!(
            matches!(error, Error::UnknownKind { kind: refused, offset: 12 } if refused == kind),
            "{error:?}"
        );
        let options = Options { allow_unknown_kinds: true, ..Options::default() };
        let verdict = verify(builder.archive().as_slice(), options).unwrap();
        assert_eq!(verdict.counts[&kind].records, 1);
    }
}

#[test]
fn a_record_that_is_not_what_its_type_says_is_refused() {
    let wrong = [
        (kinds::KVS, raw(b"text")),
        (kinds::KVS, map(&[("Flags", raw(b"text"))])),
        (kinds::KVS, vec![0xc0]),
        (kinds::SESSION, map(&[("NodeChecks", raw(b"text"))])),
        (kinds::INDEX, map(&[("Key", raw(b"\xff"))])),
        (kinds::REGISTER, map(&[("Service", raw(b"text"))])),
        (kinds::COORDINATE, map(&[])),
        (kinds::COORDINATE, vec![0x90]),
        (kinds::AUTOPILOT, raw(b"")),
        (kinds::PEERING, raw(b"\x0b")),
        (kinds::CONFIG_ENTRY, raw(b"")),
        (kinds::CONFIG_ENTRY, raw(b"\xa4mesh\x80\x00")),
        (kinds::CONFIG_ENTRY, raw(b"\xa4mesh\x81\xa5Entry\x01")),
    ];
    for (kind, bytes) in wrong {
        let error = verdict(&Builder::new(7).record(kind, bytes.clone())).unwrap_err();
        assert!(
            matches!(error, Error::Record { offset: 12, .. }),
            "{kind} {}: {error:?}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn a_damaged_container_explains_what_is_wrong_with_the_records() {
    let state = Builder::new(7).key("a", b"1", 5).state();
    let broken = &state[..state.len() - 1];
    let json = meta(7, broken.len()).to_json().into_bytes();
    let files: [(&str, u8, &[u8]); 3] = [
        ("meta.json", support::FILE, &json),
        ("state.bin", support::FILE, broken),
        ("SHA256SUMS", support::FILE, &support::sums(&[("meta.json", &json), ("state.bin", &state)])),
    ];
    let error =
        verify(support::gzip(&support::tar(&files, true)).as_slice(), Options::default()).unwrap_err();
    let mismatch =
        |error: &hashicorp::Error| matches!(error, hashicorp::Error::HashMismatch { name: "state.bin" });
    assert!(matches!(&error, Error::Archive(cause) if mismatch(cause)), "{error:?}");
    let honest = archive::testing::archive(&meta(7, broken.len()), broken, Default::default());
    assert!(matches!(verify(honest.as_slice(), Options::default()), Err(Error::Record { .. })));
}

#[test]
fn a_source_that_fails_is_not_a_damaged_archive() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let archive = Builder::with_every_kind().archive();
    let cut = std::io::Read::chain(&archive[..archive.len() / 2], Failing);
    match verify(cut, Options::default()) {
        Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        other => panic!("{other:?}"),
    }
}

#[test]
fn simple_records_are_about_what_their_field_says() {
    assert_eq!(id(kinds::KVS, &[("Key", raw(b"a\0b")), ("Namespace", raw(b"default"))]), plain(b"a\0b"));
    assert_eq!(id(kinds::SESSION, &[("Name", raw(b"x")), ("ID", raw(b"i"))]), plain(b"i"));
    assert_eq!(id(kinds::ACL_AUTH_METHOD, &[("Name", raw(b"x")), ("ID", raw(b"i"))]), plain(b"x"));
    assert_eq!(id(kinds::ACL_TOKEN, &[("SecretID", raw(b"s")), ("AccessorID", raw(b"a"))]), plain(b"a"));
    assert_eq!(id(kinds::ACL_TOKEN, &[("SecretID", raw(b"s")), ("AccessorID", raw(b""))]), plain(b"s"));
    assert_eq!(id(kinds::AUTOPILOT, &[("MinQuorum", raw(b""))]), plain(b""));
    let state = map(&[("Datacenter", raw(b"dc2"))]);
    assert_eq!(id(kinds::FEDERATION_STATE, &[("Datacenter", raw(b"")), ("State", state)]), plain(b"dc2"));
}

#[test]
fn tenancy_is_named_where_it_is_not_the_default() {
    let key = |partition: &[u8], namespace: &[u8]| {
        let fields = [("Key", raw(b"k")), ("Namespace", raw(namespace)), ("Partition", raw(partition))];
        identity(kinds::KVS, &map(&fields)).map(|id| id.tenancy)
    };
    assert_eq!(key(b"", b""), Ok("".into()));
    assert_eq!(key(b"default", b""), Ok("".into()));
    assert_eq!(key(b"", b"team"), Ok("default/team".into()));
    assert_eq!(key(b"default", b"team"), Ok("default/team".into()));
    assert_eq!(key(b"p1", b"default"), Ok("p1/default".into()));
    assert_eq!(key(b"p1", b"a/b"), Err(Fault::Tenancy));
    assert_eq!(key(b"p\0", b""), Err(Fault::Tenancy));
    assert_eq!(key(b"\xff", b""), Err(Fault::Tenancy));
}

#[test]
fn registrations_sort_as_genuine_servers_write_them() {
    let node = |name: &[u8], part: Option<(&str, &str, &[u8])>| {
        let mut fields = vec![("Node", raw(name)), ("PeerName", raw(b"")), ("Partition", raw(b""))];
        let nothing = if part.is_some_and(|(field, ..)| field == "Check") { "Service" } else { "Check" };
        fields.push((nothing, vec![0xc0]));
        if let Some((field, name, id)) = part {
            fields.push((field, map(&[(name, raw(id)), ("Namespace", raw(b""))])));
        }
        id(kinds::REGISTER, &fields)
    };
    let in_order = [
        node(b"n", None),
        node(b"N", Some(("Service", "ID", b"a"))),
        node(b"n", Some(("Service", "ID", b"z"))),
        node(b"n", Some(("Check", "CheckID", b"a"))),
        node(b"n-2", None),
        node(b"n.3", Some(("Service", "ID", b"a"))),
    ];
    assert!(in_order.is_sorted(), "{in_order:?}");
    assert_eq!(node(b"NODE-\xc3\x84", None).id, "\0node-ä".as_bytes());
    let both = id(
        kinds::REGISTER,
        &[
            ("Check", map(&[("CheckID", raw(b"c1")), ("Namespace", raw(b"team"))])),
            ("Node", raw(b"n")),
            ("Service", map(&[("ID", raw(b"s1"))])),
        ],
    );
    assert_eq!(both, Id { tenancy: "default/team".into(), id: b"\0n\0c\0c1".to_vec() });
    let fields = [("Node", raw(b"a\0S\0b"))];
    assert_eq!(identity(kinds::REGISTER, &map(&fields)), Err(Fault::ZeroByteInId));
}

#[test]
fn both_shapes_of_virtual_addresses_are_understood() {
    let old = map(&[("Name", raw(b"web")), ("Namespace", raw(b"team"))]);
    let new = map(&[("Peer", raw(b"")), ("ServiceName", old.clone())]);
    let expected = Id { tenancy: "default/team".into(), id: b"\0web".to_vec() };
    assert_eq!(id(kinds::SERVICE_VIRTUAL_IP, &[("Service", old)]), expected);
    assert_eq!(id(kinds::SERVICE_VIRTUAL_IP, &[("Service", new)]), expected);
    let free =
        |is_counter| id(kinds::FREE_VIRTUAL_IP, &[("IP", raw(&[0, 0, 0, 3])), ("IsCounter", is_counter)]);
    assert_ne!(free(vec![0xc3]), free(vec![0xc2]));
}

#[test]
fn config_entries_are_about_kind_and_name_however_they_are_packed() {
    let ids: Vec<Vec<u8>> = one_of_each()
        .iter()
        .filter(|record| record.kind == kinds::CONFIG_ENTRY)
        .map(|record| identity(record.kind, &record.bytes).unwrap().id)
        .collect();
    assert_eq!(ids, [b"mesh\0".as_slice(), b"proxy-defaults\0global", b"service-defaults\0web"]);
}

#[test]
fn protobuf_records_are_about_their_fields() {
    let of = |kind| {
        let records = one_of_each();
        let record = records.iter().find(|record| record.kind == kind).unwrap();
        identity(kind, &record.bytes).unwrap()
    };
    assert_eq!(of(kinds::PEERING), plain(b"503f605c"));
    assert_eq!(of(kinds::PEERING_TRUST_BUNDLE), plain(b"other"));
    assert_eq!(of(kinds::PEERING_SECRET), plain(b"503f605c"));
    assert_eq!(of(kinds::PARTITION), plain(b"default"));
    assert_eq!(of(kinds::RESOURCE), plain(b"catalog\0Service\0web"));
    assert!(of(kinds::NAMESPACE).id.starts_with(b"default\0"));
}

#[test]
fn typed_records_survive_a_round_trip() {
    let entry = DirEntry {
        key: b"\xff/k".to_vec(),
        value: Some(vec![]),
        flags: u64::MAX,
        session: "s".into(),
        lock_index: 3,
        create_index: 1,
        modify_index: 300,
        ..DirEntry::default()
    };
    assert_eq!(DirEntry::decode(&entry.encode()), Ok(entry));
    let session = Session {
        id: "i".into(),
        lock_delay_ns: -5,
        checks: Some(vec![]),
        node_checks: None,
        service_checks: Some(vec![ServiceCheck { id: "c".into(), namespace: "".into() }]),
        ttl: "15s".into(),
        ..Session::default()
    };
    assert_eq!(Session::decode(&session.encode()), Ok(session));
    let enterprise = map(&[("Key", raw(b"k")), ("Namespace", raw(b"n")), ("Partition", raw(b"p"))]);
    let entry = DirEntry::decode(&enterprise).unwrap();
    assert_eq!((entry.namespace.as_str(), entry.partition.as_str()), ("n", "p"));
    assert_eq!(DirEntry::decode(b"\x80\x80"), Err(msgpack::Error::Trailing(1)));
}

#[test]
fn a_summary_of_nothing_is_still_a_table() {
    let state = Builder::new(7).state();
    let summary = Summary::of(Records::new(state.as_slice()).unwrap(), Some(KeyDetail::default())).unwrap();
    let meta = meta(7, 1);
    assert!(summary.pretty(&meta).ends_with(" Type       Count      Size\n ----       ----       ----\n ----       ----       ----\n Total                 0"));
    let json: serde_json::Value = serde_json::from_str(&summary.json(&meta)).unwrap();
    assert_eq!(json["Stats"], serde_json::json!([]));
    assert_eq!(json["StatsKV"], serde_json::Value::Null);
}

#[test]
fn keys_cannot_make_a_terminal_act() {
    let state = Builder::new(7).key("a\x1b[2J\n/b<", b"1", 5).state();
    let summary = Summary::of(Records::new(state.as_slice()).unwrap(), Some(KeyDetail::default())).unwrap();
    let pretty = summary.pretty(&meta(7, state.len()));
    assert!(pretty.contains(" a\\u{1b}[2J\\n/b< "), "{pretty}");
    assert!(summary.json(&meta(7, 0)).contains(r#""Name": "a\u001b[2J\n/b\u003c""#));
}

/// The genuine tool's JSON is Go's, indented by three spaces.
#[test]
fn the_summary_s_json_is_laid_out_as_the_genuine_one() {
    let state = Builder::new(7).key("a/b/c", b"1", 5).state();
    let summary = Summary::of(Records::new(state.as_slice()).unwrap(), Some(KeyDetail::default())).unwrap();
    let expected = r#"{
   "Meta": {
      "ID": "2-7-1710350057000",
      "Size": 85,
      "Index": 7,
      "Term": 2,
      "Version": 1
   },
   "Stats": [
      {
         "Name": "KVS",
         "Sum": 85,
         "Count": 1
      }
   ],
   "StatsKV": [
      {
         "Name": "a/b",
         "Sum": 85,
         "Count": 1
      }
   ],
   "TotalSize": 85,
   "TotalSizeKV": 85
}"#;
    assert_eq!(summary.json(&meta(7, state.len())), expected);
}
