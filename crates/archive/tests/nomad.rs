//! Nomad's records, as genuine code wrote them (`tests/fixtures/nomad`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use archive::hashicorp::{Compression, Reader, Writer};
use archive::msgpack::Value;
use archive::nomad::{identity, kinds, verify};
use archive::state::{Error, Fault, Id, Options, Product, Record, Records, Verdict, inspect, write_record};
use archive::testing::{Builder, map, raw};
use archive::{consul, state};
use support::nomad as genuine;

const ARCHIVES: [&str; 4] = ["every-kind.snap", "every-kind-reflection.snap", "server.snap", "legacy.snap"];

fn records(name: &str) -> Vec<Record> {
    Records::new(Reader::new(genuine(name).as_slice())).unwrap().collect::<Result<_, _>>().unwrap()
}

/// An archive of these records.
fn packed(records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let add = |builder: Builder, (kind, bytes): &(u8, Vec<u8>)| builder.record(*kind, bytes.clone());
    records.iter().fold(Builder::of_nomad(7), add).archive()
}

fn verdict(records: &[(u8, Vec<u8>)]) -> Result<Verdict, Error> {
    verify(packed(records).as_slice(), Options::default())
}

#[test]
fn genuine_archives_verify_with_every_type_that_there_is() {
    let kinds_of = |name| verify(genuine(name).as_slice(), Options::default()).unwrap().counts;
    let known: BTreeSet<u8> = (0..=u8::MAX).filter(|kind| kinds::is_known(*kind)).collect();
    for name in ["every-kind.snap", "every-kind-reflection.snap"] {
        let found: BTreeSet<u8> =
            kinds_of(name).into_keys().chain(kinds_of("legacy.snap").into_keys()).collect();
        assert_eq!(found, known, "{name}");
    }
    let counts: BTreeMap<u8, u64> =
        kinds_of("server.snap").into_iter().map(|(kind, count)| (kind, count.records)).collect();
    let expected = [(2, 20), (1, 4), (9, 6), (12, 3), (22, 4), (23, 2), (29, 6), (30, 1), (64, 2)];
    assert!(expected.iter().all(|(kind, count)| counts[kind] == *count), "{counts:?}");
}

#[test]
fn genuine_states_say_whose_they_are() {
    for name in ARCHIVES {
        let bytes = genuine(name);
        let verdict = state::verify(bytes.as_slice(), None, Options::default()).unwrap();
        assert_eq!((verdict.product, verdict.last_index, verdict.repeated), (Product::Nomad, 0, 0), "{name}");
        let error = consul::verify(bytes.as_slice(), Options::default()).unwrap_err();
        assert_eq!(error.to_string(), "this is a snapshot of Nomad, not of Consul", "{name}");
    }
    let error = verify(Builder::with_every_kind().archive().as_slice(), Options::default());
    assert_eq!(error.unwrap_err().to_string(), "this is a snapshot of Consul, not of Nomad");
    assert!(matches!(Records::new(&b"\x81\xa1a\x01"[..]), Err(Error::UnknownProduct)));
    assert!(matches!(Records::new(&b"\xc0"[..]), Err(Error::UnknownProduct)));
}

#[test]
fn genuine_records_come_in_the_order_of_their_ranks() {
    for name in ARCHIVES {
        let found: Vec<u8> = records(name).iter().map(|record| record.kind).collect();
        // Made by hand, in the order of their numbers.
        if name != "legacy.snap" {
            assert!(found.is_sorted_by_key(|kind| kinds::rank(*kind)), "{name}: {found:?}");
        }
    }
}

/// Tables are indexes over namespace and id, which is our order too; but these are listed as they were created.
#[test]
fn genuine_records_of_a_type_come_in_the_order_of_their_ids() {
    let by_creation = [kinds::EVAL, kinds::ALLOC, kinds::DEPLOYMENT, kinds::ACL_TOKEN];
    for record in records("server.snap").chunk_by(|a, b| a.kind == b.kind) {
        let kind = record[0].kind;
        let ids: Vec<Id> = record.iter().map(|record| identity(kind, &record.bytes).unwrap()).collect();
        assert!(ids.is_sorted() || by_creation.contains(&kind), "{}: {ids:?}", kinds::name(kind));
    }
}

#[test]
fn genuine_tars_are_reproduced_to_the_byte() {
    for name in ARCHIVES {
        let bytes = genuine(name);
        let mut tar = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut tar).unwrap();
        let mtime_s = tar::Header::from_byte_slice(&tar[..512]).mtime().unwrap();
        let mut records = Records::new(Reader::new(bytes.as_slice())).unwrap();
        let mut state = Vec::new();
        records.whose().write_header(&mut state, records.last_index()).unwrap();
        for record in records.by_ref() {
            let Record { kind, bytes } = record.unwrap();
            write_record(&mut state, kind, &bytes).unwrap();
        }
        let meta = records.into_inner().finish().unwrap().meta;
        let mut writer = Writer::new(Vec::new(), &meta, mtime_s, Compression::None).unwrap();
        writer.write_all(&state).unwrap();
        let ours = writer.finish().unwrap();
        assert_eq!(ours.len(), tar.len(), "{name}");
        // The genuine writer puts the two sums in random order: the last two blocks but two.
        let sums_at = ours.len() - 2048;
        assert!(ours[..sums_at] == tar[..sums_at], "{name}");
        let lines = |tar: &[u8]| -> BTreeSet<Vec<u8>> {
            tar[sums_at + 512..].split(|byte| *byte == b'\n').map(Into::into).collect()
        };
        assert_eq!(lines(&ours), lines(&tar), "{name}");
    }
}

/// Released builds write fields as they are declared, others sort them; what both say is the same.
#[test]
fn both_encodings_mean_the_same() {
    let meaning = |name| -> BTreeMap<(u8, Id), String> {
        let entries = records(name).into_iter().map(|Record { kind, bytes }| {
            let value = Value::decode(&bytes).unwrap();
            ((kind, identity(kind, &bytes).unwrap()), format!("{:?}", sorted(value)))
        });
        entries.collect()
    };
    let (declared, reflected) = (meaning("every-kind.snap"), meaning("every-kind-reflection.snap"));
    assert_eq!(declared.len(), records("every-kind.snap").len());
    assert_eq!(declared, reflected);
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Map(mut entries) => {
            entries.sort_by_key(|(name, _)| name.as_bytes().map(<[u8]>::to_vec));
            Value::Map(entries.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn id(kind: u8, fields: &[(&str, Vec<u8>)]) -> Result<Id, Fault> {
    identity(kind, &map(fields))
}

#[test]
fn records_are_about_what_their_fields_say() {
    let of = |tenancy: &str, id: &[u8]| Ok(Id { tenancy: tenancy.into(), id: id.to_vec() });
    let job = |namespace: &[u8]| id(kinds::JOB, &[("ID", raw(b"web")), ("Namespace", raw(namespace))]);
    assert_eq!(job(b"team-a"), of("team-a", b"web"));
    assert_eq!(job(b""), of("default", b"web"));
    assert_eq!(job(b"a/b"), Err(Fault::Tenancy));
    assert_eq!(id(kinds::JOB, &[("Namespace", raw(b"a"))]), Err(Fault::NoId("ID")));
    let version = |number| id(kinds::JOB_VERSION, &[("ID", raw(b"web")), ("Version", number)]);
    assert_eq!(version(vec![0xd1, 1, 44]), of("default", b"web\0\0\0\0\0\0\0\x01\x2c"));
    assert_eq!(version(vec![0xc0]), of("default", b"web\0\0\0\0\0\0\0\0\0"));
    assert!(matches!(version(raw(b"1")), Err(Fault::Msgpack(_))));
    let id_with_zero = [("ID", raw(b"a\0b")), ("Version", vec![1])];
    assert_eq!(id(kinds::JOB_VERSION, &id_with_zero), Err(Fault::ZeroByteInId));
    // A plugin's version is a text.
    assert_eq!(id(kinds::CSI_PLUGIN, &[("ID", raw(b"ebs")), ("Version", raw(b"1.2"))]), of("", b"ebs"));
    // An allocation has a namespace, but its id is enough.
    assert_eq!(id(kinds::ALLOC, &[("ID", raw(b"i")), ("Namespace", raw(b"a"))]), of("", b"i"));
    assert_eq!(id(kinds::VARIABLE, &[("Namespace", raw(b"a")), ("Path", raw(b"p/q"))]), of("a", b"p/q"));
    assert_eq!(id(kinds::VARIABLES_QUOTA, &[("Namespace", raw(b"a"))]), of("a", b""));
    assert_eq!(id(kinds::SCHEDULER_CONFIG, &[]), of("", b""));
    assert_eq!(identity(kinds::TIME_TABLE, &[0x90]), of("", b""));
    assert!(identity(kinds::TIME_TABLE, &raw(b"")).is_err());
    assert_eq!(id(66, &[]).unwrap().id.len(), 32);
}

#[test]
fn nothing_may_be_there_twice() {
    let index = |value| (kinds::INDEX, map(&[("Key", raw(b"jobs")), ("Value", vec![value])]));
    assert!(matches!(verdict(&[index(1), index(1)]), Err(Error::Duplicate { kind: kinds::INDEX, .. })));
    let job = |namespace: &[u8]| (kinds::JOB, map(&[("ID", raw(b"web")), ("Namespace", raw(namespace))]));
    assert_eq!(verdict(&[job(b"a"), job(b"b")]).unwrap().counts[&kinds::JOB].records, 2);
    let error = verdict(&[job(b"default"), job(b"")]).unwrap_err();
    assert_eq!(error.to_string(), "a second Job record at byte 28 for default: \"web\"");
}

#[test]
fn types_that_no_server_restores_are_refused_unless_they_are_allowed() {
    for kind in [kinds::EVENT_SINK, 32, 63, 65, 255] {
        let error = verdict(&[(kind, map(&[]))]).unwrap_err();
        assert!(
            matches!(error, Error::UnknownKind { kind: refused, offset: 1 } if refused == kind),
            "{error:?}"
        );
        let options = Options { allow_unknown_kinds: true, ..Options::default() };
        assert!(verify(packed(&[(kind, map(&[]))]).as_slice(), options).is_ok());
    }
}

#[test]
fn a_summary_counts_as_the_genuine_tool_does() {
    let bytes = genuine("server.snap");
    let mut reader = Reader::new(bytes.as_slice());
    let meta = reader.read_meta().unwrap().unwrap().clone();
    let summary = inspect::Summary::of(Records::new(reader).unwrap(), None).unwrap();
    let kinds: BTreeMap<String, u64> =
        summary.kinds().into_iter().map(|(name, figures)| (name, figures.count)).collect();
    assert_eq!((kinds["JobVersion"], kinds["WrappedRootKeys"], kinds["Variables"]), (6, 1, 4));
    let bytes: u64 = summary.kinds().iter().map(|(_, figures)| figures.bytes).sum();
    assert_eq!(bytes, meta.size as u64);
}
