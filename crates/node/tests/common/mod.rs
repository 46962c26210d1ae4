//! What the node's tests share: keys, tokens, archives, restores.
#![allow(dead_code, reason = "no test uses all of it")]

use archive::consul::{AclPolicy, AclToken, Link};
use archive::gzip::Level;
use node::{Consistency, Node, Origin, RestoreRequest, Restored, body_of};
use records::consul::acl::{self, DefaultPolicy, Unresolved};
use records::consul::{self, KvOp, KvPair};
use records::{Op, Reply, Scope};

/// Sets a key.
pub(crate) async fn put(node: &Node, key: &str, value: &str) {
    let pair = KvPair { key: key.to_owned().into(), value: value.to_owned().into(), flags: 0 };
    let reply = node.change(Op::Consul(consul::Command::Kv(KvOp::Set(pair)))).await.unwrap();
    assert_eq!(reply, Reply::Consul(consul::Reply::Bool(true)));
}

/// What this node, whatever its part, has under a key.
pub(crate) fn value_of(node: &Node, key: &str) -> Option<String> {
    let view = node.records().view(Scope::Consul).unwrap();
    let entry = consul::kv_get(&view, key.as_bytes()).unwrap().value?;
    Some(String::from_utf8(entry.value.unwrap_or_default()).unwrap())
}

/// Gives the bearer of secret `number` the right to write a key.
pub(crate) async fn grant(node: &Node, number: u32) {
    let rules = r#"key "k" { policy = "write" }"#.to_owned();
    let policy = AclPolicy { id: uuid(number), name: format!("p{number}"), rules, ..AclPolicy::default() };
    let link = Link { id: policy.id.clone(), name: String::new() };
    let token = AclToken {
        accessor_id: uuid(1_000 + number),
        secret_id: uuid(2_000 + number),
        policies: Some(vec![link]),
        ..AclToken::default()
    };
    for command in [acl::Command::CreatePolicy(Box::new(policy)), acl::Command::CreateToken(Box::new(token))]
    {
        match node.change(Op::Consul(consul::Command::Acl(command))).await.unwrap() {
            Reply::Consul(consul::Reply::Acl(acl::Reply::Policy(_) | acl::Reply::Token(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Whether the bearer of secret `number` has that right, as this node, whatever its part, knows it.
pub(crate) fn may_write(node: &Node, number: u32) -> bool {
    let view = node.records().view(Scope::Consul).unwrap();
    let settings = acl::Settings { default: DefaultPolicy::Deny, ..acl::Settings::default() };
    match acl::resolve(&view, &uuid(2_000 + number), node.now_ms(), &settings) {
        Ok(may) => may.key_write(b"k").is_ok() && may.key_write(b"other").is_err(),
        Err(Unresolved::NotFound) => false,
        Err(error) => panic!("{error}"),
    }
}

fn uuid(number: u32) -> String {
    format!("{number:08}-0000-4000-8000-000000000000")
}

/// The archive of the node's state.
pub(crate) async fn archive_of(node: &Node, consistency: Consistency) -> Vec<u8> {
    let capture = node.capture(Scope::Consul, consistency).await.unwrap();
    tokio::task::spawn_blocking(move || capture.write(Vec::new(), Level::Fast).unwrap()).await.unwrap()
}

/// Restores an archive.
pub(crate) async fn restore(node: &Node, archive: Vec<u8>) -> node::Result<Restored> {
    let request = RestoreRequest::of(Scope::Consul);
    node.restore(request, Origin::Body(body_of(archive))).await
}
