//! An archive is one point in time: writers set several things to the same value in one change, and in every archive
//! saved meanwhile they agree. In every scope, while the others are written to as well.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use archive::hashicorp::Reader;
use archive::state::Records;
use common::{archive_of, put_all, restore, thing_of, value_of};
use node::testing::timing;
use node::{Consistency, Node, Parts, Settings};
use records::Scope;
use tempfile::TempDir;

const SAVES: usize = 100;
const WRITERS: usize = 3;

/// What a writer sets. Archives are sorted by name: the things lie apart in them.
const LADDERS: [&str; 3] = ["a-ladder", "m-ladder", "z-ladder"];

fn names(writer: usize) -> Vec<String> {
    LADDERS.iter().map(|ladder| format!("{ladder}-{writer}")).collect()
}

/// Sets its things to one more every time, until told to stop.
async fn climb(node: Node, scope: Scope, writer: usize, stop: Arc<AtomicBool>) {
    let names = names(writer);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut step = 0;
    while !stop.load(Ordering::Relaxed) {
        step += 1;
        put_all(&node, scope, &names, &step.to_string()).await;
    }
}

/// The things in an archive.
fn things(scope: Scope, archive: &[u8]) -> BTreeMap<String, String> {
    let mut reader = Reader::new(archive);
    let records = Records::new(&mut reader).unwrap().expect(scope.product()).unwrap();
    let found = records.filter_map(|record| {
        let record = record.unwrap();
        thing_of(scope, record.kind, &record.bytes)
    });
    let found = found.collect();
    reader.finish().unwrap();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_archives_under_writers_hold_no_change_by_half() {
    let dir = TempDir::new().unwrap();
    let parts = Parts { timing: timing(), ..Parts::alone() };
    let node = Node::open(Settings::new(dir.path()), parts).await.unwrap();
    node.wait_for_leader().await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for scope in Scope::ALL {
        for writer in 0..WRITERS {
            writers.push(tokio::spawn(climb(node.clone(), scope, writer, Arc::clone(&stop))));
        }
    }

    let mut last: BTreeMap<Scope, (Vec<u8>, BTreeMap<String, String>)> = BTreeMap::new();
    let mut changed = 0;
    for save in 0..SAVES {
        let scope = Scope::ALL[save % Scope::ALL.len()];
        let archive = archive_of(&node, scope, Consistency::Linearizable).await;
        let things = things(scope, &archive);
        for writer in 0..WRITERS {
            let steps: Vec<_> = names(writer).iter().map(|name| things.get(name).cloned()).collect();
            assert!(steps.windows(2).all(|pair| pair[0] == pair[1]), "{scope}, save {save}: {steps:?}");
        }
        let before = last.insert(scope, (archive, things.clone()));
        changed += usize::from(before.is_some_and(|(_, before)| before != things));
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(changed > SAVES / 4, "hardly anything was written between the saves: {changed}");

    for (scope, (archive, things)) in last {
        restore(&node, scope, archive).await.unwrap();
        for (name, value) in things {
            assert_eq!(value_of(&node, scope, &name), Some(value), "{scope}: {name}");
        }
    }
    node.shutdown().await;
}
