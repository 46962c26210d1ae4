//! What the node's tests share: small things in every scope, rights, archives, restores.
//!
//! A thing is what the scope's users would first think of: a key of Consul's, a namespace of Nomad's.
#![allow(dead_code, reason = "no test uses all of it")]

use archive::consul::{AclPolicy, AclToken, Link};
use archive::gzip::Level;
use archive::nomad::{self as nomad_records, Namespace};
use node::{Consistency, Node, Origin, RestoreRequest, Restored, body_of};
use records::consul::acl::{self, DefaultPolicy, Unresolved};
use records::consul::{self, KvOp, KvPair, TxnOp};
use records::nomad::acl::VariableCapability;
use records::{Op, Reply, Scope, nomad};

/// Sets a thing.
pub(crate) async fn put(node: &Node, scope: Scope, name: &str, value: &str) {
    put_all(node, scope, &[name], value).await;
}

/// Sets several things to the same value, in one change.
pub(crate) async fn put_all(node: &Node, scope: Scope, names: &[&str], value: &str) {
    match scope {
        Scope::Consul => {
            let pair = |name: &&str| KvPair {
                key: (*name).to_owned().into(),
                value: value.to_owned().into(),
                flags: 0,
            };
            let ops = names.iter().map(|name| TxnOp::Kv(KvOp::Set(pair(name)))).collect();
            let reply = node.change(Op::Consul(consul::Command::Txn(ops))).await.unwrap();
            assert!(matches!(reply, Reply::Consul(consul::Reply::Results(_))), "{reply:?}");
        }
        Scope::Nomad => {
            let namespace = |name: &&str| Namespace {
                name: (*name).into(),
                description: value.into(),
                ..Namespace::default()
            };
            let namespaces = names.iter().map(namespace).collect();
            let command = nomad::Command::UpsertNamespaces(namespaces);
            let reply = node.change(Op::Nomad(command)).await.unwrap();
            assert!(matches!(reply, Reply::Nomad(nomad::Reply::Done { .. })), "{reply:?}");
        }
    }
}

/// What this node, whatever its part, has under a name.
pub(crate) fn value_of(node: &Node, scope: Scope, name: &str) -> Option<String> {
    let view = node.records().view(scope).unwrap();
    match scope {
        Scope::Consul => {
            let entry = consul::kv_get(&view, name.as_bytes()).unwrap().value?;
            Some(String::from_utf8(entry.value.unwrap_or_default()).unwrap())
        }
        Scope::Nomad => Some(nomad::namespace(&view, name).unwrap().value?.description),
    }
}

/// The name and the value of the thing that a record of an archive is about, if it is about one.
pub(crate) fn thing_of(scope: Scope, kind: u8, bytes: &[u8]) -> Option<(String, String)> {
    match (scope, kind) {
        (Scope::Consul, archive::consul::kinds::KVS) => {
            let entry = archive::consul::DirEntry::decode(bytes).unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            Some((text(entry.key), text(entry.value.unwrap_or_default())))
        }
        (Scope::Nomad, nomad_records::kinds::NAMESPACE) => {
            let namespace = Namespace::decode(bytes).unwrap();
            Some((namespace.name, namespace.description))
        }
        _ => None,
    }
}

/// Gives the bearer of secret `number` a right.
pub(crate) async fn grant(node: &Node, scope: Scope, number: u32) {
    let changes = match scope {
        Scope::Consul => grant_in_consul(number).map(|command| Op::Consul(consul::Command::Acl(command))),
        Scope::Nomad => grant_in_nomad(number).map(|command| Op::Nomad(nomad::Command::Acl(command))),
    };
    for change in changes {
        match node.change(change).await.unwrap() {
            Reply::Consul(consul::Reply::Acl(acl::Reply::Policy(_) | acl::Reply::Token(_)))
            | Reply::Nomad(nomad::Reply::Acl { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn grant_in_consul(number: u32) -> [acl::Command; 2] {
    let rules = r#"key "k" { policy = "write" }"#.to_owned();
    let policy = AclPolicy { id: uuid(number), name: format!("p{number}"), rules, ..AclPolicy::default() };
    let link = Link { id: policy.id.clone(), name: String::new() };
    let token = AclToken {
        accessor_id: uuid(1_000 + number),
        secret_id: uuid(2_000 + number),
        policies: Some(vec![link]),
        ..AclToken::default()
    };
    [acl::Command::CreatePolicy(Box::new(policy)), acl::Command::CreateToken(Box::new(token))]
}

fn grant_in_nomad(number: u32) -> [nomad::acl::Command; 2] {
    let rules = r#"namespace "default" { variables { path "k" { capabilities = ["write"] } } }"#.to_owned();
    let name = format!("p{number}");
    let policy =
        nomad_records::AclPolicy { name: name.clone(), rules, ..nomad_records::AclPolicy::default() };
    let token = nomad_records::AclToken {
        accessor_id: uuid(1_000 + number),
        secret_id: uuid(2_000 + number),
        kind: "client".to_owned(),
        policies: Some(vec![name]),
        ..nomad_records::AclToken::default()
    };
    [nomad::acl::Command::UpsertPolicy(Box::new(policy)), nomad::acl::Command::CreateToken(Box::new(token))]
}

/// Whether the bearer of secret `number` has that right, as this node, whatever its part, knows it.
pub(crate) fn may_write(node: &Node, scope: Scope, number: u32) -> bool {
    let view = node.records().view(scope).unwrap();
    let secret = uuid(2_000 + number);
    match scope {
        Scope::Consul => {
            let settings = acl::Settings { default: DefaultPolicy::Deny, ..acl::Settings::default() };
            match acl::resolve(&view, &secret, node.now_ms(), &settings) {
                Ok(may) => may.key_write(b"k").is_ok() && may.key_write(b"other").is_err(),
                Err(Unresolved::NotFound) => false,
                Err(error) => panic!("{error}"),
            }
        }
        Scope::Nomad => match nomad::acl::resolve(&view, &secret, node.now_ms()) {
            Ok(may) => {
                let write = |path| may.variable("default", path, VariableCapability::Write);
                write("k").is_ok() && write("other").is_err()
            }
            Err(nomad::acl::Unresolved::NotFound) => false,
            Err(error) => panic!("{error}"),
        },
    }
}

fn uuid(number: u32) -> String {
    format!("{number:08}-0000-4000-8000-000000000000")
}

/// The archive of a scope of the node.
pub(crate) async fn archive_of(node: &Node, scope: Scope, consistency: Consistency) -> Vec<u8> {
    let capture = node.capture(scope, consistency).await.unwrap();
    tokio::task::spawn_blocking(move || capture.write(Vec::new(), Level::Fast).unwrap()).await.unwrap()
}

/// Restores an archive.
pub(crate) async fn restore(node: &Node, scope: Scope, archive: Vec<u8>) -> node::Result<Restored> {
    node.restore(RestoreRequest::of(scope), Origin::Body(body_of(archive))).await
}
