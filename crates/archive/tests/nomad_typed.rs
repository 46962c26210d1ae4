//! Nomad's records field by field: what is decoded and encoded again is what genuine code wrote.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use archive::hashicorp::Reader;
use archive::msgpack::{Encoder, Error, Value};
use archive::nomad::{
    AclPolicy, AclRole, AclToken, ClusterMetadata, CsiPlugin, IndexEntry, Job, JobScalingEvents,
    JobSubmission, JobSummary, Namespace, NodePool, RootKey, ScalingPolicy, SchedulerConfiguration, Variable,
    VariablesQuota, kinds,
};
use archive::state::{Bytes, Record, Records};
use archive::testing::{map, raw};

fn records(name: &str) -> Vec<Record> {
    let bytes = support::nomad(name);
    Records::new(Reader::new(bytes.as_slice())).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The record as we write it, anew and over itself; nothing for types that we don't understand.
fn again(record: &Record) -> Option<[Vec<u8>; 2]> {
    macro_rules! again {
        ($structure:ty) => {{
            let value = <$structure>::decode(&record.bytes).unwrap();
            [value.encode(), value.encode_over(&record.bytes)]
        }};
    }
    Some(match record.kind {
        kinds::INDEX => [IndexEntry::decode(&record.bytes).unwrap().encode(), record.bytes.clone()],
        kinds::JOB | kinds::JOB_VERSION => again!(Job),
        kinds::JOB_SUMMARY => again!(JobSummary),
        kinds::JOB_SUBMISSION => again!(JobSubmission),
        kinds::SCALING_POLICY => again!(ScalingPolicy),
        kinds::SCALING_EVENTS => again!(JobScalingEvents),
        kinds::CSI_PLUGIN => again!(CsiPlugin),
        kinds::ACL_POLICY => again!(AclPolicy),
        kinds::ACL_TOKEN => again!(AclToken),
        kinds::ACL_ROLE => again!(AclRole),
        kinds::NAMESPACE => again!(Namespace),
        kinds::NODE_POOL => again!(NodePool),
        kinds::SCHEDULER_CONFIG => again!(SchedulerConfiguration),
        kinds::CLUSTER_METADATA => again!(ClusterMetadata),
        kinds::VARIABLE => again!(Variable),
        kinds::VARIABLES_QUOTA => again!(VariablesQuota),
        kinds::ROOT_KEY => again!(RootKey),
        _ => return None,
    })
}

#[test]
fn what_released_builds_wrote_is_encoded_to_the_byte() {
    let mut encoded = BTreeMap::new();
    for name in ["every-kind.snap", "server.snap"] {
        for record in records(name) {
            let Some(again) = again(&record) else { continue };
            // The entries of a target come in random order.
            let is_in_order = record.kind != kinds::SCALING_POLICY;
            assert_eq!(again[0].len(), record.bytes.len(), "{name}: {}", kinds::name(record.kind));
            for bytes in again.into_iter().skip(usize::from(!is_in_order)) {
                assert_eq!(bytes, record.bytes, "{name}: {}", kinds::name(record.kind));
            }
            *encoded.entry(record.kind).or_insert(0) += 1;
        }
    }
    assert_eq!(encoded.len(), 18);
    assert_eq!((encoded[&kinds::JOB], encoded[&kinds::VARIABLE], encoded[&kinds::ROOT_KEY]), (6, 6, 4));
}

/// Other builds sort the fields. Of these types a part is not understood, and stays as it is.
#[test]
fn what_other_builds_wrote_is_encoded_as_released_builds_do() {
    let has_opaque_parts = [
        kinds::JOB,
        kinds::JOB_VERSION,
        kinds::ACL_POLICY,
        kinds::NODE_POOL,
        kinds::CSI_PLUGIN,
        kinds::SCALING_POLICY,
        kinds::SCALING_EVENTS,
    ];
    let released = records("every-kind.snap");
    for (record, released) in records("every-kind-reflection.snap").iter().zip(&released) {
        if let (Some([anew, _]), false) = (again(record), has_opaque_parts.contains(&record.kind)) {
            assert_eq!(anew, released.bytes, "{}", kinds::name(record.kind));
        }
    }
}

#[test]
fn hashes_are_those_of_genuine_code() {
    let mut checked = 0;
    for record in ["every-kind.snap", "server.snap"].into_iter().flat_map(records) {
        let (hash, ours) = match record.kind {
            kinds::ACL_TOKEN => {
                let token = AclToken::decode(&record.bytes).unwrap();
                (token.hash.clone(), token.content_hash())
            }
            kinds::ACL_POLICY => {
                let policy = AclPolicy::decode(&record.bytes).unwrap();
                (policy.hash.clone(), policy.content_hash())
            }
            kinds::ACL_ROLE => {
                let role = AclRole::decode(&record.bytes).unwrap();
                (role.hash.clone(), role.content_hash())
            }
            kinds::NAMESPACE => {
                let namespace = Namespace::decode(&record.bytes).unwrap();
                (namespace.hash.clone(), namespace.content_hash())
            }
            _ => continue,
        };
        if let Some(hash) = hash {
            assert_eq!(hash, ours, "{}", kinds::name(record.kind));
            checked += 1;
        }
    }
    assert_eq!(checked, 12);
}

#[test]
fn a_change_keeps_what_it_does_not_know() {
    let before = map(&[("Name", raw(b"a")), ("Later", raw(b"x")), ("Description", raw(b"old"))]);
    let mut namespace = Namespace::decode(&before).unwrap();
    namespace.description = "new".into();
    let after = namespace.encode_over(&before);
    let value = Value::decode(&after).unwrap();
    assert_eq!(value.get("Later").and_then(Value::as_str), Some("x"));
    assert_eq!(value.get("Description").and_then(Value::as_str), Some("new"));
    let names: Vec<_> = value.as_map().unwrap().iter().filter_map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names[1], names.last().copied()), ("Name", "Description", Some("Later")));
}

/// As in the table of `docs/formats/nomad.md`.
#[test]
fn signed_integers_have_signed_codes() {
    let code = |value| {
        let mut out = Encoder::with_signed_codes();
        out.int(value);
        out.into_bytes()
    };
    assert_eq!(code(127), [0x7f]);
    assert_eq!(code(128), [0xd1, 0, 0x80]);
    assert_eq!(code(32_767), [0xd1, 0x7f, 0xff]);
    assert_eq!(code(32_768), [0xd2, 0, 0, 0x80, 0]);
    assert_eq!(code(1 << 31), [0xd3, 0, 0, 0, 0, 0x80, 0, 0, 0]);
    assert_eq!(code(-33), [0xd0, 0xdf]);
    assert_eq!(code(-200), [0xd1, 0xff, 0x38]);
    let quota = VariablesQuota { size_bytes: 145, ..VariablesQuota::default() };
    assert_eq!(Value::decode(&quota.encode()).unwrap().get("Size"), Some(&Value::UInt(145)));
}

#[test]
fn strings_and_integers_are_read_in_any_code() {
    let strings: [&[u8]; 3] = [b"\xa1a", b"\xd9\x01a", b"\xc4\x01a"];
    for name in strings {
        let namespace = Namespace::decode(&[b"\x81\xa4Name", name].concat()).unwrap();
        assert_eq!(namespace.name, "a");
    }
    let numbers: [&[u8]; 6] = [
        b"\x05",
        b"\xcc\x05",
        b"\xd0\x05",
        b"\xd1\0\x05",
        b"\xcf\0\0\0\0\0\0\0\x05",
        b"\xd3\0\0\0\0\0\0\0\x05",
    ];
    for number in numbers {
        let job = Job::decode(&[b"\x82\xa8Priority", number, b"\xa7Version", number].concat()).unwrap();
        assert_eq!((job.priority, job.version), (5, 5));
    }
    let variable = Variable::decode(b"\x82\xa4Data\xc0\xa4Lock\xc0").unwrap();
    assert_eq!((variable.data, variable.lock), (None, None));
    assert_eq!(Variable::decode(b"\x81\xa4Data\xa0").unwrap().data, Some(Bytes::default()));
    assert!(matches!(Variable::decode(b"\x81\xa4Lock\x01"), Err(Error::Type { .. })));
}
