//! Nomad's variables on a node: keys are there from the start, locks end, and a restore without keys is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use archive::nomad::{Variable, VariableLock, kinds};
use archive::state::Product;
use archive::testing::Builder;
use archive::{hashicorp, state};
use node::testing::timing;
use node::{Kind, Node, Origin, Parts, Renewal, RestoreRequest, Settings, body_of};
use records::nomad::keyring::{self, Items};
use records::nomad::variables::{self, Command};
use records::{Op, Reply, Scope, nomad};
use tempfile::TempDir;

const GENUINE: &[u8] = include_bytes!("../../archive/tests/fixtures/nomad/server.snap");

async fn start() -> (Node, TempDir) {
    let dir = TempDir::new().unwrap();
    let parts = Parts { timing: timing(), ..Parts::alone() };
    let node = Node::open(Settings::new(dir.path()), parts).await.unwrap();
    node.wait_for_leader().await.unwrap();
    node.initialize().await.unwrap();
    (node, dir)
}

async fn change(node: &Node, command: Command) -> nomad::Reply {
    match node.change(Op::Nomad(nomad::Command::Variable(command))).await.unwrap() {
        Reply::Nomad(reply) => reply,
        other => panic!("no answer to a Nomad command: {other:?}"),
    }
}

async fn acquire(node: &Node, path: &str, lock_id: &str) -> nomad::Reply {
    // A client can't ask for so short a time: checks are the dialect's part.
    let lock = VariableLock { id: lock_id.into(), ttl_ns: 1_000_000, lock_delay_ns: 1_000_000 };
    let variable =
        Variable { namespace: "default".into(), path: path.into(), lock: Some(lock), ..Variable::default() };
    let items = Items::from([("a".to_owned(), "b".to_owned())]);
    let variable = node.seal_items(variable, Some(&items)).await.unwrap();
    change(node, Command::Acquire(Box::new(variable))).await
}

/// The genuine archive without the records of one type.
fn without(kind: u8) -> Vec<u8> {
    let records = state::Records::new(hashicorp::Reader::new(GENUINE)).unwrap();
    let records = records.expect(Product::Nomad).unwrap().map(|record| record.unwrap());
    let kept = records.filter(|record| record.kind != kind);
    kept.fold(Builder::of_nomad(99), |archive, record| archive.record(record.kind, record.bytes)).archive()
}

#[tokio::test]
async fn a_fresh_node_has_a_key_and_a_restart_keeps_it() {
    let (node, dir) = start().await;
    let view = node.records().view(Scope::Nomad).unwrap();
    let key_id = keyring::active(&view).unwrap().unwrap().key_id().to_owned();
    assert!(nomad::namespace(&view, "default").unwrap().value.is_some());
    drop(view);
    node.shutdown().await;
    drop(node);
    let parts = Parts { timing: timing(), ..Parts::alone() };
    let node = Node::open(Settings::new(dir.path()), parts).await.unwrap();
    node.wait_for_leader().await.unwrap();
    node.initialize().await.unwrap();
    let view = node.records().view(Scope::Nomad).unwrap();
    assert_eq!(keyring::active(&view).unwrap().unwrap().key_id(), key_id);
}

#[tokio::test]
async fn a_lock_that_nobody_renews_ends() {
    let (node, _dir) = start().await;
    assert!(matches!(acquire(&node, "leader", "lock-1").await, nomad::Reply::Variable(_)));
    assert!(matches!(acquire(&node, "leader", "lock-2").await, nomad::Reply::Conflict(_)));
    assert!(matches!(node.renew_lock("default", "none", "lock-1").await.unwrap(), Renewal::NoVariable));
    assert!(matches!(node.renew_lock("default", "leader", "lock-2").await.unwrap(), Renewal::Lost));
    let mut changes = node.watch(Scope::Nomad);
    loop {
        changes.mark_unchanged();
        let view = node.records().view(Scope::Nomad).unwrap();
        let found = variables::variable(&view, "default", "leader").unwrap().value.unwrap();
        if found.lock.is_none() {
            break;
        }
        changes.changed().await.unwrap();
    }
    assert!(matches!(node.renew_lock("default", "leader", "lock-1").await.unwrap(), Renewal::NotLocked));
    assert!(matches!(acquire(&node, "leader", "lock-2").await, nomad::Reply::Variable(_)));
}

#[tokio::test]
async fn an_archive_without_its_keys_is_refused_unless_allowed() {
    let (node, _dir) = start().await;
    let request = RestoreRequest::of(Scope::Nomad);
    node.restore(request.clone(), Origin::Body(body_of(GENUINE))).await.unwrap();
    let before = node.records().state(Scope::Nomad);

    let keyless = without(kinds::ROOT_KEY);
    let error = node.restore(request.clone(), Origin::Body(body_of(keyless.clone()))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    assert!(error.message().contains("app/config") && error.advice().is_some(), "{error}");
    assert!(node.plan_restore(request.clone(), Origin::Body(body_of(keyless.clone()))).await.is_err());
    assert_eq!(node.records().state(Scope::Nomad).live, before.live);

    // Allowed: what was encrypted stays unreadable, what is new has a key of its own.
    let request = RestoreRequest { missing_keys: true, ..request };
    node.restore(request, Origin::Body(body_of(keyless))).await.unwrap();
    let view = node.records().view(Scope::Nomad).unwrap();
    assert!(keyring::active(&view).unwrap().is_some());
    assert!(keyring::unreadable(&view).unwrap().count > 0);
    assert!(matches!(acquire(&node, "leader", "lock-1").await, nomad::Reply::Variable(_)));
}
