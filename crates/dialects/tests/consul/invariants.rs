//! A snapshot is one point in time: writers keep invariants over several keys in single transactions, and every
//! one of a hundred archives saved meanwhile satisfies them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use archive::consul::{DirEntry, kinds};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use records::Scope;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::server::{Access, Server, records_of};

const SAVES: usize = 100;
const LONG: Duration = Duration::from_secs(30);
const ACCOUNTS: u64 = 6;
const EACH: u64 = 100;

/// Each writer sets its keys, which lie far apart, to the same number: one more every time.
const LADDERS: [&str; 3] = ["a/ladder", "m/ladder", "z/ladder"];

type State = BTreeMap<String, (u64, u64)>;

fn op(verb: &str, key: &str, value: u64, index: u64) -> Value {
    json!({"KV": {"Verb": verb, "Key": key, "Value": STANDARD.encode(value.to_string()), "Index": index}})
}

async fn txn(server: &Server, ops: Value) -> Option<Value> {
    let answer = server.send("PUT /v1/txn", ops.to_string()).await;
    match answer.status.as_u16() {
        200 => Some(serde_json::from_slice(&answer.body).unwrap()),
        409 => None,
        other => panic!("{other}: {}", answer.text()),
    }
}

/// Climbs its ladders until told to stop; returns how far it came.
async fn climb(server: Arc<Server>, writer: usize, stop: Arc<AtomicBool>) -> u64 {
    let mut step = 0;
    while !stop.load(Ordering::Relaxed) {
        step += 1;
        let ops = LADDERS.iter().map(|ladder| op("set", &format!("{ladder}/{writer}"), step, 0)).collect();
        txn(&server, ops).await.unwrap();
    }
    step
}

/// Moves money between accounts until told to stop, whatever others do meanwhile.
async fn transfer(server: Arc<Server>, moved: Arc<AtomicU64>, stop: Arc<AtomicBool>, mut random: u64) {
    while !stop.load(Ordering::Relaxed) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (from, to, amount) = ((random >> 33) % ACCOUNTS, (random >> 41) % ACCOUNTS, (random >> 49) % 10);
        if from == to {
            continue;
        }
        let keys = [from, to].map(|account| format!("account/{account}"));
        let read = txn(&server, keys.iter().map(|key| op("get", key, 0, 0)).collect()).await.unwrap();
        let found = |n: usize| {
            let entry = &read["Results"][n]["KV"];
            let value = STANDARD.decode(entry["Value"].as_str().unwrap()).unwrap();
            (
                String::from_utf8(value).unwrap().parse::<u64>().unwrap(),
                entry["ModifyIndex"].as_u64().unwrap(),
            )
        };
        let ((payer, payer_index), (payee, payee_index)) = (found(0), found(1));
        let amount = amount.min(payer);
        let ops = json!([
            op("cas", &keys[0], payer - amount, payer_index),
            op("cas", &keys[1], payee + amount, payee_index),
        ]);
        if txn(&server, ops).await.is_some() {
            moved.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Value and index of every key in an archive.
fn state_of(archive: &[u8]) -> State {
    let entries = records_of(archive).into_iter().filter(|record| record.kind == kinds::KVS);
    entries
        .map(|record| {
            let entry = DirEntry::decode(&record.bytes).unwrap();
            let value = String::from_utf8(entry.value.unwrap()).unwrap().parse().unwrap();
            (String::from_utf8(entry.key).unwrap(), (value, entry.modify_index))
        })
        .collect()
}

/// Checks one archive; returns the height of each writer's ladders.
fn check(state: &State, writers: usize, index: u64) -> Vec<u64> {
    let accounts = state.iter().filter(|(key, _)| key.starts_with("account/"));
    assert_eq!(accounts.map(|(_, (value, _))| value).sum::<u64>(), ACCOUNTS * EACH, "money was made or lost");
    assert!(state.values().all(|(_, modified)| *modified <= index), "a change from after the index");
    (0..writers)
        .map(|writer| {
            let rungs =
                LADDERS.map(|ladder| state.get(&format!("{ladder}/{writer}")).copied().unwrap_or_default());
            assert!(rungs.iter().all(|rung| *rung == rungs[0]), "half a transaction: {rungs:?}");
            rungs[0].0
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_archive_satisfies_what_writers_keep() {
    let server = Server::start().await;
    let writer = server.clone();
    check_saves(server, writer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_archive_holds_the_token_of_the_writers() {
    let server = Server::accessed(Access::Guarded).await;
    let writer = server.ruled(r#"key_prefix "" { policy = "write" }"#).await;
    let last = check_saves(server.clone(), writer.clone()).await;
    let kinds: Vec<_> = records_of(&last).iter().map(|record| record.kind).collect();
    assert!(kinds.contains(&kinds::ACL_TOKEN) && kinds.contains(&kinds::ACL_POLICY));
    writer.get("/v1/snapshot").await.check_denied();
    server.restore(last).await.check(200, "");
    writer.put("a/ladder/0", "1").await;
}

/// Saves while `writer`, on the same server, keeps its invariants; returns the last archive.
async fn check_saves(server: Server, writer: Server) -> Vec<u8> {
    const WRITERS: usize = 2;
    let (server, by) = (Arc::new(server), Arc::new(writer));
    let deposits = (0..ACCOUNTS).map(|account| op("set", &format!("account/{account}"), EACH, 0)).collect();
    txn(&by, deposits).await.unwrap();
    let (stop, moved) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let climbers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(climb(Arc::clone(&by), writer, Arc::clone(&stop)))).collect();
    let movers: Vec<_> = (1..=2)
        .map(|seed| tokio::spawn(transfer(Arc::clone(&by), Arc::clone(&moved), Arc::clone(&stop), seed)))
        .collect();

    let mut changes = server.node.watch(Scope::Consul);
    let (mut heights, mut last_index) = (vec![0; WRITERS], 0);
    for save in 0..SAVES {
        // Saves are faster than writes: each is to meet a state that none before it has met.
        timeout(LONG, changes.changed()).await.expect("the writers stand still").unwrap();
        let uri = if save % 4 == 3 { "/v1/snapshot?stale" } else { "/v1/snapshot" };
        let saved = server.get(uri).await;
        let index = saved.index();
        let now = check(&state_of(&saved.body), WRITERS, index);
        assert!(index >= last_index, "time went back");
        assert!(now.iter().zip(&heights).all(|(now, before)| now >= before), "time went back");
        (heights, last_index) = (now, index);
    }

    stop.store(true, Ordering::Relaxed);
    let mut reached = Vec::new();
    for climber in climbers {
        reached.push(climber.await.unwrap());
    }
    for mover in movers {
        mover.await.unwrap();
    }
    // What was acknowledged is in the last archive.
    let last = server.save().await;
    assert_eq!(check(&state_of(&last), WRITERS, u64::MAX), reached);
    assert!(heights.iter().all(|height| *height > 0), "no writer had begun");
    assert!(moved.load(Ordering::Relaxed) > 0);
    last
}
