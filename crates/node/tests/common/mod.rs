//! What the node's tests share: keys, archives, restores.
#![allow(dead_code, reason = "no test uses all of it")]

use archive::gzip::Level;
use node::{Consistency, Node, Origin, RestoreRequest, Restored, body_of};
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
