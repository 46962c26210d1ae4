//! Damaged archives are refused: every single-bit flip and every truncation of a small archive is refused, or
//! restores exactly the same records (bits that nothing covers). Live state is compared by digest each time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{archive_of, put, restore};
use node::testing::timing;
use node::{Consistency, Kind, Node, Origin, Parts, RestoreRequest, Settings, body_of};
use records::Scope;
use records::store::Memory;

async fn open(dir: &std::path::Path) -> Node {
    // Records in memory: thousands of archives are unpacked.
    let parts = Parts { timing: timing(), store: Some(Arc::new(Memory::default())), ..Parts::alone() };
    let node = Node::open(Settings::new(dir), parts).await.unwrap();
    node.wait_for_leader().await.unwrap();
    // Else upkeep does it in the middle of the test, and live state changes by itself.
    node.initialize().await.unwrap();
    node
}

fn digest(node: &Node, scope: Scope) -> [u8; 32] {
    node.records().view(scope).unwrap().digest().unwrap()
}

/// Whether the archive is accepted; if so, it must restore `good` and nothing else.
async fn check(
    node: &Node,
    scope: Scope,
    archive: Vec<u8>,
    old: [u8; 32],
    good: [u8; 32],
    what: &str,
) -> bool {
    let request = RestoreRequest::of(scope);
    let planned = node.plan_restore(request, Origin::Body(body_of(archive.clone()))).await;
    assert_eq!(digest(node, scope), old, "{what}: a plan changed live state");
    match planned {
        Err(error) => {
            assert!(matches!(error.kind(), Kind::Corrupt | Kind::Unsupported), "{what}: {error:?}");
            false
        }
        Ok(_) => {
            restore(node, scope, archive).await.unwrap();
            assert_eq!(digest(node, scope), good, "{what}: accepted, but other records");
            node.undo(scope, None).await.unwrap();
            assert_eq!(digest(node, scope), old, "{what}");
            true
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_bit_and_no_truncation_of_consuls_restores_anything_else() {
    check_all(Scope::Consul).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_bit_and_no_truncation_of_nomads_restores_anything_else() {
    check_all(Scope::Nomad).await;
}

async fn check_all(scope: Scope) {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    put(&node, scope, "a-key", "value").await;
    let archive = archive_of(&node, scope, Consistency::Linearizable).await;
    let good = digest(&node, scope);
    put(&node, scope, "since", "2").await;
    let old = digest(&node, scope);

    for end in 0..archive.len() {
        let accepted =
            check(&node, scope, archive[..end].to_vec(), old, good, &format!("cut to {end} bytes")).await;
        assert!(!accepted, "an archive cut to {end} of {} bytes is accepted", archive.len());
    }
    let mut accepted = 0;
    for bit in 0..archive.len() * 8 {
        let mut flipped = archive.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        accepted += u32::from(check(&node, scope, flipped, old, good, &format!("bit {bit} flipped")).await);
    }
    // gzip's time, flags and system (6 bytes of each member), and what a tar's blocks leave unused.
    assert!(accepted > 0, "no bit of a gzip header matters, so some flips must be accepted");
    assert!(accepted < 400, "{accepted} flips are accepted: something that matters is not covered");
    node.shutdown().await;
}
