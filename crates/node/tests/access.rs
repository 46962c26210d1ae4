//! Access control across starts, leaders, restores and undo: what it begins with is always there, and a restore
//! says beforehand whose token it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use archive::consul::{AclToken, IndexEntry, Link, kinds};
use archive::testing::Builder;
use common::{archive_of, put, restore, value_of};
use node::testing::{Cluster, eventually, timing};
use node::{
    AccessSettings, Clock, Consistency, DefaultPolicy, Node, Origin, Parts, RestoreRequest, Secret, Settings,
    body_of,
};
use records::consul::acl::{self, Command, GLOBAL_MANAGEMENT_ID, GLOBAL_READ_ONLY_ID, Unresolved};
use records::{Op, Reply, Scope, View, consul};
use tempfile::TempDir;

const ROOT: &str = "5ec2e700-0000-4000-8000-000000000001";
const START_MS: u64 = 1_704_067_200_000;

fn denying(initial: Option<&str>) -> AccessSettings {
    AccessSettings {
        enabled: true,
        default_policy: DefaultPolicy::Deny,
        initial_management: initial.map(Secret::from),
        ..AccessSettings::default()
    }
}

/// A node alone, whose clock stands still unless it is moved.
struct Alone {
    node: Node,
    now_ms: Arc<AtomicU64>,
    _dir: TempDir,
}

struct HandClock(Arc<AtomicU64>);

impl Clock for HandClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

async fn start(access: AccessSettings) -> Alone {
    let dir = TempDir::new().unwrap();
    let now_ms = Arc::new(AtomicU64::new(START_MS));
    let clock = Arc::new(HandClock(Arc::clone(&now_ms)));
    let parts = Parts { clock, timing: timing(), ..Parts::alone() };
    let node = Node::open(Settings { access, ..Settings::new(dir.path()) }, parts).await.unwrap();
    node.wait_for_leader().await.unwrap();
    node.initialize_access().await.unwrap();
    Alone { node, now_ms, _dir: dir }
}

async fn change(node: &Node, command: Command) -> acl::Reply {
    match node.change(Op::Consul(consul::Command::Acl(command))).await.unwrap() {
        Reply::Consul(consul::Reply::Acl(reply)) => reply,
        other => panic!("no answer to an ACL command: {other:?}"),
    }
}

/// A token with these rights, and no expiration unless one is given.
fn token(number: u8, policy: &str, expiration_ttl_ns: i64) -> AclToken {
    let policies = Some(vec![Link { id: policy.into(), name: String::new() }]);
    let (accessor_id, secret_id) = (accessor(number), secret(number));
    AclToken { accessor_id, secret_id, policies, expiration_ttl_ns, ..AclToken::default() }
}

fn accessor(number: u8) -> String {
    format!("acce5500-0000-4000-8000-0000000000{number:02x}")
}

fn secret(number: u8) -> String {
    format!("5ec2e700-0000-4000-8000-0000000000{number:02x}")
}

async fn create(node: &Node, token: AclToken) {
    let reply = change(node, Command::CreateToken(Box::new(token))).await;
    assert!(matches!(reply, acl::Reply::Token(_)), "{reply:?}");
}

/// Whether the token may save and restore, as this node's own state has it.
fn may_restore(node: &Node, secret: &str) -> bool {
    may_restore_on(node, &node.records().view(Scope::Consul).unwrap(), secret)
}

fn may_restore_on(node: &Node, view: &View, secret: &str) -> bool {
    match node.authorizer(view, secret) {
        Ok(authorizer) => authorizer.snapshot().is_ok(),
        Err(Unresolved::NotFound) => false,
        Err(error) => panic!("{error}"),
    }
}

/// An archive of a server without access control.
fn bare() -> Vec<u8> {
    Builder::new(5).key("archived", b"1", 5).archive()
}

async fn plan(node: &Node, archive: &[u8], caller: &str) -> Vec<String> {
    let request = RestoreRequest { caller: Some(caller.into()), ..RestoreRequest::of(Scope::Consul) };
    let origin = Origin::Body(body_of(archive.to_vec()));
    node.plan_restore(request, origin).await.unwrap().archive.warnings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_new_leader_brings_back_what_is_missing() {
    let cluster = Cluster::start_with(3, denying(Some(ROOT))).await.unwrap();
    let leader = cluster.leader().await;
    eventually("the first leader initializes", || may_restore(&leader, ROOT)).await.unwrap();
    let view = leader.records().view(Scope::Consul).unwrap();
    let root = acl::token_by_secret(&view, ROOT, leader.now_ms()).unwrap().value.unwrap();
    let delete = Command::DeleteToken { accessor: root.accessor_id, by: String::new() };
    assert_eq!(change(&leader, delete).await, acl::Reply::Deleted);
    assert!(!may_restore(&leader, ROOT));
    let next = cluster.move_leader().await;
    eventually("the next leader initializes", || may_restore(&next, ROOT)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_replica_ever_shows_a_restored_state_without_the_operators_token() {
    let cluster = Cluster::start_with(3, denying(Some(ROOT))).await.unwrap();
    let leader = cluster.leader().await;
    leader.initialize_access().await.unwrap();
    create(&leader, token(2, GLOBAL_MANAGEMENT_ID, 0)).await;
    let restored = restore(&leader, bare()).await.unwrap();
    assert_eq!(restored.warnings, Vec::<String>::new(), "the operator's own token is not lost");
    for node in cluster.nodes() {
        // Whatever it shows, the token is there with it.
        let is_live = || {
            let view = node.records().view(Scope::Consul).unwrap();
            assert!(may_restore_on(&node, &view, ROOT));
            consul::kv_get(&view, b"archived").unwrap().value.is_some()
        };
        eventually("the image is live", is_live).await.unwrap();
        assert!(!may_restore(&node, "") && !may_restore(&node, &secret(2)));
        assert!(node.is_bootstrapped().unwrap());
        assert!(acl::is_initialized(&node.records().view(Scope::Consul).unwrap(), Some(ROOT)).unwrap());
    }
    leader.undo(Scope::Consul, None).await.unwrap();
    assert!(may_restore(&leader, ROOT) && may_restore(&leader, &secret(2)));
}

#[tokio::test]
async fn an_undo_into_a_time_before_access_control_adds_it() {
    let dir = TempDir::new().unwrap();
    let open = async |access| {
        let settings = Settings { access, ..Settings::new(dir.path()) };
        let node = Node::open(settings, Parts { timing: timing(), ..Parts::alone() }).await.unwrap();
        node.wait_for_leader().await.unwrap();
        node.initialize_access().await.unwrap();
        node
    };
    let node = open(AccessSettings::default()).await;
    put(&node, "old", "1").await;
    restore(&node, bare()).await.unwrap();
    assert!(!acl::is_initialized(&node.records().view(Scope::Consul).unwrap(), None).unwrap());
    node.shutdown().await;
    drop(node);

    let node = open(denying(Some(ROOT))).await;
    assert!(may_restore(&node, ROOT));
    node.undo(Scope::Consul, None).await.unwrap();
    assert_eq!(value_of(&node, "old").as_deref(), Some("1"));
    assert!(may_restore(&node, ROOT));
    node.shutdown().await;
}

#[tokio::test]
async fn bootstrap_is_what_the_archive_says() {
    let alone = start(denying(None)).await;
    let node = &alone.node;
    let open = archive_of(node, Consistency::Linearizable).await;
    let bootstrap =
        |number| Command::Bootstrap { accessor: accessor(number), secret: secret(number), reset_index: None };
    assert!(!node.is_bootstrapped().unwrap());
    assert!(matches!(change(node, bootstrap(1)).await, acl::Reply::Token(_)));
    let closed = archive_of(node, Consistency::Linearizable).await;

    // Opened again by an archive from before, and both the plan and the restore say so.
    let warning = "whoever comes first to /v1/acl/bootstrap";
    let told = |warnings: &[String]| warnings.iter().any(|told| told.contains(warning));
    for archive in [bare(), open] {
        assert!(told(&plan(node, &archive, &secret(1)).await));
        assert!(told(&restore(node, archive).await.unwrap().warnings));
        assert!(!node.is_bootstrapped().unwrap());
        assert!(acl::is_initialized(&node.records().view(Scope::Consul).unwrap(), None).unwrap());
    }
    assert!(!told(&plan(node, &closed, "").await));
    assert!(!told(&restore(node, closed.clone()).await.unwrap().warnings));
    assert!(matches!(change(node, bootstrap(3)).await, acl::Reply::Denied(_) | acl::Reply::Failed(_)));
    // Nothing was missing in it, so nothing was added to it.
    restore(node, closed.clone()).await.unwrap();
    let view = node.records().view(Scope::Consul).unwrap();
    let again = archive::hashicorp::Reader::new(&closed[..]);
    let records = archive::consul::Records::new(again).unwrap().count();
    assert_eq!(view.records().count(), records);
}

#[tokio::test]
async fn the_plan_says_whether_the_callers_token_survives() {
    let alone = start(denying(Some(ROOT))).await;
    let (node, now_ms) = (&alone.node, &alone.now_ms);
    create(node, token(2, GLOBAL_MANAGEMENT_ID, 0)).await;
    create(node, token(3, GLOBAL_READ_ONLY_ID, 0)).await;
    create(node, token(4, GLOBAL_MANAGEMENT_ID, 3_600_000_000_000)).await;
    let archive = archive_of(node, Consistency::Linearizable).await;
    let missing = "the token in use is not in the archive: once restored, it is no longer valid";
    let weak =
        "in the archive the token in use lacks acl:write: once restored, it can neither save nor restore";
    now_ms.fetch_add(3_600_001, Ordering::Relaxed);
    for (caller, expected) in [
        (ROOT, None),
        (&secret(2), None),
        (&secret(3), Some(weak)),
        (&secret(4), Some(missing)),
        (&secret(5), Some(missing)),
        ("", Some(weak)),
    ] {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(plan(node, &archive, caller).await, expected, "{caller:?}");
    }
    // A bare archive has no token at all; the operator's comes on top of it.
    assert_eq!(plan(node, &bare(), ROOT).await, Vec::<String>::new());
    assert_eq!(plan(node, &bare(), &secret(2)).await, [missing]);

    let request = RestoreRequest { caller: Some(secret(5).into()), ..RestoreRequest::of(Scope::Consul) };
    let restored = node.restore(request, Origin::Body(body_of(archive))).await.unwrap();
    assert_eq!(restored.warnings, [missing]);
}

#[tokio::test]
async fn what_is_remembered_of_the_live_state_says_nothing_of_an_archive() {
    let server = start(denying(None)).await;
    create(&server.node, token(1, GLOBAL_MANAGEMENT_ID, 0)).await;
    let caller = secret(1);
    assert!(may_restore(&server.node, &caller));
    // The archive's tokens changed last at the index at which the live ones did.
    let value = acl::last_change(&server.node.records().view(Scope::Consul).unwrap()).unwrap();
    let tokens = IndexEntry { key: "acl-tokens".into(), value };
    let archive = Builder::new(value).record(kinds::INDEX, tokens.encode()).archive();
    let warnings = plan(&server.node, &archive, &caller).await;
    assert!(warnings.iter().any(|warning| warning.contains("not in the archive")), "{warnings:?}");
    assert!(may_restore(&server.node, &caller));
}

#[tokio::test]
async fn without_access_control_nothing_is_added_and_nothing_warned_of() {
    let alone = start(AccessSettings::default()).await;
    let node = &alone.node;
    assert_eq!(plan(node, &bare(), "any").await, Vec::<String>::new());
    let before = node.records().state(Scope::Consul).index;
    let restored = restore(node, bare()).await.unwrap();
    assert_eq!(restored.warnings, Vec::<String>::new());
    assert_eq!(restored.index, before.max(5) + 1);
    assert_eq!(node.records().view(Scope::Consul).unwrap().records().count(), 1);
}

#[tokio::test]
async fn expired_tokens_are_reaped() {
    let alone = start(denying(Some(ROOT))).await;
    let (node, now_ms) = (&alone.node, &alone.now_ms);
    create(node, token(2, GLOBAL_MANAGEMENT_ID, 0)).await;
    create(node, token(3, GLOBAL_MANAGEMENT_ID, 60_000_000_000)).await;
    create(node, token(4, GLOBAL_MANAGEMENT_ID, 120_000_000_000)).await;
    // By their secrets, at a time when none has expired: what is gone was deleted.
    let there = || {
        let view = node.records().view(Scope::Consul).unwrap();
        let is_there =
            |number: &u8| acl::token_by_secret(&view, &secret(*number), START_MS).unwrap().value.is_some();
        [2, 3, 4].iter().copied().filter(is_there).collect::<Vec<u8>>()
    };
    assert_eq!(there(), [2, 3, 4]);
    now_ms.fetch_add(60_001, Ordering::Relaxed);
    eventually("the first is reaped", || there() == [2, 4]).await.unwrap();
    now_ms.fetch_add(60_000, Ordering::Relaxed);
    eventually("the second is reaped", || there() == [2]).await.unwrap();
}
