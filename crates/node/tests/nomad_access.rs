//! Access control of the Nomad scope: expired tokens go, and a restore says beforehand whose token it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use archive::nomad::AclToken;
use node::testing::{eventually, timing};
use node::{Clock, Node, Origin, Parts, RestoreRequest, Settings, body_of};
use records::nomad::acl::{self, Command, Unresolved};
use records::{Op, Reply, Scope, nomad};
use tempfile::TempDir;

const START_MS: u64 = 1_704_067_200_000;

struct HandClock(Arc<AtomicU64>);

impl Clock for HandClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A node alone whose clock stands still unless it is moved.
async fn start(nomad_access: bool) -> (Node, Arc<AtomicU64>, TempDir) {
    let dir = TempDir::new().unwrap();
    let now_ms = Arc::new(AtomicU64::new(START_MS));
    let clock = Arc::new(HandClock(Arc::clone(&now_ms)));
    let parts = Parts { clock, timing: timing(), ..Parts::alone() };
    let node = Node::open(Settings { nomad_access, ..Settings::new(dir.path()) }, parts).await.unwrap();
    node.wait_for_leader().await.unwrap();
    (node, now_ms, dir)
}

fn secret(number: u8) -> String {
    format!("5ec2e700-0000-4000-8000-0000000000{number:02x}")
}

async fn create(node: &Node, number: u8, kind: &str, expiration_ttl_ns: i64) {
    let token = AclToken {
        accessor_id: format!("acce5500-0000-4000-8000-0000000000{number:02x}"),
        secret_id: secret(number),
        kind: kind.into(),
        policies: (kind == "client").then(|| vec!["none".into()]),
        expiration_ttl_ns,
        ..AclToken::default()
    };
    let reply =
        node.change(Op::Nomad(nomad::Command::Acl(Command::CreateToken(Box::new(token))))).await.unwrap();
    assert!(matches!(reply, Reply::Nomad(nomad::Reply::Acl { .. })), "{reply:?}");
}

fn resolve(node: &Node, secret: &str) -> Result<Arc<acl::Authorizer>, Unresolved> {
    node.nomad_authorizer(&node.records().view(Scope::Nomad).unwrap(), secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_refused_at_once_and_reaped_soon() {
    let (node, now_ms, _dir) = start(true).await;
    create(&node, 1, "management", 60_000_000_000).await;
    create(&node, 2, "management", 0).await;
    assert!(resolve(&node, &secret(1)).unwrap().management().is_ok());
    now_ms.store(START_MS + 60_001, Ordering::Relaxed);
    assert!(matches!(resolve(&node, &secret(1)), Err(Unresolved::Expired | Unresolved::NotFound)));
    let is_gone = || matches!(resolve(&node, &secret(1)), Err(Unresolved::NotFound));
    eventually("the token is reaped", is_gone).await.unwrap();
    assert!(resolve(&node, &secret(2)).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_says_what_becomes_of_the_token_in_use() {
    const ROOT: &str = "5ca1ab1e-5ec2-4000-8000-000000000001";
    let archive = include_bytes!("../../archive/tests/fixtures/nomad/server.snap");
    let plan = async |node: &Node, caller: &str| {
        // The keys of that server are its own affair here.
        let request = RestoreRequest {
            caller: Some(caller.into()),
            missing_keys: true,
            ..RestoreRequest::of(Scope::Nomad)
        };
        let origin = Origin::Body(body_of(archive.to_vec()));
        node.plan_restore(request, origin).await.unwrap().archive.warnings.join("\n")
    };
    let (node, _, _dir) = start(true).await;
    create(&node, 1, "management", 0).await;
    assert!(plan(&node, &secret(1)).await.contains("the token in use is not in the archive"));
    let warnings = plan(&node, "").await;
    assert!(warnings.contains("the token in use is no management token"), "{warnings}");
    let warnings = plan(&node, ROOT).await;
    assert!(!warnings.contains("token in use") && !warnings.contains("bootstrap"), "{warnings}");
    let (open, _, _dir) = start(false).await;
    assert!(!plan(&open, &secret(1)).await.contains("token in use"));
    assert!(resolve(&open, "whatever").unwrap().management().is_ok());
}
