//! Records of Consul's access control: to the byte as genuine servers write them, hashes included.

mod support;

use archive::consul::{
    AclPolicy, AclRole, AclToken, Link, NodeIdentity, Records, ServiceIdentity, TemplateVariables,
    TemplatedPolicy, kinds,
};
use archive::hashicorp::Reader;
use archive::msgpack::{Encoder, Time, Value};
use support::{encode, fixture};

/// What Consul Enterprise adds to the records of the community edition.
const OF_ENTERPRISE: [&[u8]; 3] = [b"AuthMethodNamespace", b"Namespace", b"Partition"];

/// The record as the community edition would have written it.
fn of_community(bytes: &[u8]) -> Vec<u8> {
    let Value::Map(mut fields) = Value::decode(bytes).expect("a record") else { panic!("not a map") };
    fields.retain(|(key, _)| !OF_ENTERPRISE.contains(&key.as_bytes().expect("a text")));
    let mut out = Encoder::new();
    encode(&Value::Map(fields), &mut out);
    out.into_bytes()
}

fn genuine_records() -> Option<Vec<(u8, Vec<u8>)>> {
    let bytes = fixture("consul/all.snap")?;
    let records = Records::new(Reader::new(bytes.as_slice())).expect("a header");
    let acl = [kinds::ACL_TOKEN, kinds::ACL_POLICY, kinds::ACL_ROLE];
    let records = records.map(|record| record.expect("a record")).filter(|record| acl.contains(&record.kind));
    Some(records.map(|record| (record.kind, record.bytes)).collect())
}

#[test]
fn genuine_records_encode_to_the_bytes_they_were_decoded_from() {
    let Some(records) = genuine_records() else { return };
    assert_eq!(records.len(), 7);
    for (kind, bytes) in records {
        let again = match kind {
            kinds::ACL_TOKEN => AclToken::decode(&bytes).unwrap().encode(),
            kinds::ACL_POLICY => AclPolicy::decode(&bytes).unwrap().encode(),
            _ => AclRole::decode(&bytes).unwrap().encode(),
        };
        assert_eq!(again, of_community(&bytes), "{}", kinds::name(kind));
    }
}

#[test]
fn genuine_hashes_are_reproduced() {
    let Some(records) = genuine_records() else { return };
    for (kind, bytes) in records {
        let (found, expected) = match kind {
            kinds::ACL_TOKEN => {
                let token = AclToken::decode(&bytes).unwrap();
                (token.content_hash(), token.hash)
            }
            kinds::ACL_POLICY => {
                let policy = AclPolicy::decode(&bytes).unwrap();
                (policy.content_hash(), policy.hash)
            }
            _ => {
                let role = AclRole::decode(&bytes).unwrap();
                (role.content_hash(), role.hash)
            }
        };
        assert_eq!(Some(found), expected, "{}", kinds::name(kind));
    }
}

fn full_token() -> AclToken {
    AclToken {
        accessor_id: "a".into(),
        secret_id: "s".into(),
        description: "d".into(),
        policies: Some(vec![Link { id: "p".into(), name: "policy".into() }]),
        roles: Some(vec![Link { id: "r".into(), name: String::new() }]),
        service_identities: Some(vec![
            ServiceIdentity { service_name: "web".into(), datacenters: Some(vec!["dc1".into()]) },
            ServiceIdentity { service_name: "api".into(), datacenters: None },
        ]),
        node_identities: Some(vec![NodeIdentity { node_name: "n".into(), datacenter: "dc1".into() }]),
        templated_policies: Some(vec![
            TemplatedPolicy {
                template_id: "t".into(),
                template_name: "builtin/service".into(),
                variables: Some(TemplateVariables { name: "web".into() }),
                datacenters: Some(vec![]),
            },
            TemplatedPolicy { template_name: "builtin/dns".into(), ..TemplatedPolicy::default() },
        ]),
        local: true,
        auth_method: "m".into(),
        expiration_time: Some(Time::from_unix(1_700_000_000, 5)),
        expiration_ttl_ns: 90_000_000_000,
        create_time: Time::from_unix(1_600_000_000, 0),
        hash: Some(vec![7; 32]),
        create_index: 300,
        modify_index: 70_000,
        ..AclToken::default()
    }
}

#[test]
fn every_field_survives() {
    let token = full_token();
    assert_eq!(AclToken::decode(&token.encode()).unwrap(), token);
    let role = AclRole {
        id: "r".into(),
        name: "role".into(),
        policies: token.policies.clone(),
        service_identities: token.service_identities.clone(),
        node_identities: token.node_identities.clone(),
        templated_policies: token.templated_policies.clone(),
        hash: Some(vec![1; 32]),
        modify_index: 9,
        ..AclRole::default()
    };
    assert_eq!(AclRole::decode(&role.encode()).unwrap(), role);
    let policy = AclPolicy {
        id: "p".into(),
        name: "policy".into(),
        rules: "acl = \"read\"".into(),
        datacenters: Some(vec!["dc1".into(), "dc2".into()]),
        create_index: 1,
        ..AclPolicy::default()
    };
    assert_eq!(AclPolicy::decode(&policy.encode()).unwrap(), policy);
}

#[test]
fn a_cut_record_is_refused_wherever_it_is_cut() {
    let bytes = full_token().encode();
    for end in 0..bytes.len() {
        assert!(AclToken::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn the_hash_ignores_what_a_change_cannot_change() {
    let token = full_token();
    let mut same = AclToken { modify_index: 1, hash: None, secret_id: "other".into(), ..token.clone() };
    same.policies = Some(vec![Link { id: "p".into(), name: "renamed".into() }]);
    assert_eq!(same.content_hash(), token.content_hash());
    let other = AclToken { local: false, ..token.clone() };
    assert_ne!(other.content_hash(), token.content_hash());
}
