//! Consul's: transactions over keys that lie far apart.

use std::collections::BTreeMap;

use archive::consul::{DirEntry, kinds};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use node::Node;
use records::Scope;
use serde_json::{Value, json};

use super::consul_server::{Access, Server, records_of};
use super::suite::{ACCOUNTS, EACH, Product, Saved, Standing, check_saves};

/// Each climber sets its keys to the same number: one more every time.
const LADDERS: [&str; 3] = ["a/ladder", "m/ladder", "z/ladder"];

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

impl Product for Server {
    const SCOPE: Scope = Scope::Consul;

    fn node(&self) -> &Node {
        &self.node
    }

    async fn open_accounts(&self) {
        let deposits =
            (0..ACCOUNTS).map(|account| op("set", &format!("account/{account}"), EACH, 0)).collect();
        txn(self, deposits).await.unwrap();
    }

    async fn climb(&self, climber: usize, step: u64) {
        let ops = LADDERS.iter().map(|ladder| op("set", &format!("{ladder}/{climber}"), step, 0)).collect();
        txn(self, ops).await.unwrap();
    }

    async fn transfer(&self, from: u64, to: u64, amount: u64) -> bool {
        let keys = [from, to].map(|account| format!("account/{account}"));
        let read = txn(self, keys.iter().map(|key| op("get", key, 0, 0)).collect()).await.unwrap();
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
        txn(self, ops).await.is_some()
    }

    async fn save(&self, stale: bool) -> Saved {
        let saved = self.get(if stale { "/v1/snapshot?stale" } else { "/v1/snapshot" }).await;
        Saved { index: saved.index(), archive: saved.body }
    }

    fn standing(saved: &Saved, climbers: usize) -> Standing {
        let state = state_of(&saved.archive);
        assert!(
            state.values().all(|(_, modified)| *modified <= saved.index),
            "a change from after the index"
        );
        let accounts = state.iter().filter(|(key, _)| key.starts_with("account/"));
        let height = |climber| {
            let rungs =
                LADDERS.map(|ladder| state.get(&format!("{ladder}/{climber}")).copied().unwrap_or_default());
            assert!(rungs.iter().all(|rung| *rung == rungs[0]), "half a transaction: {rungs:?}");
            rungs[0].0
        };
        Standing {
            money: accounts.map(|(_, (value, _))| value).sum(),
            heights: (0..climbers).map(height).collect(),
        }
    }
}

/// Value and index of every key in an archive.
fn state_of(archive: &[u8]) -> BTreeMap<String, (u64, u64)> {
    let entries = records_of(archive).into_iter().filter(|record| record.kind == kinds::KVS);
    entries
        .map(|record| {
            let entry = DirEntry::decode(&record.bytes).unwrap();
            let value = String::from_utf8(entry.value.unwrap()).unwrap().parse().unwrap();
            (String::from_utf8(entry.key).unwrap(), (value, entry.modify_index))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_archive_satisfies_what_writers_keep() {
    let server = Server::start().await;
    check_saves(&server, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_archive_holds_the_token_of_the_writers() {
    let server = Server::accessed(Access::Guarded).await;
    let writer = server.ruled(r#"key_prefix "" { policy = "write" }"#).await;
    let last = check_saves(&server, &writer).await;
    let kinds: Vec<_> = records_of(&last).iter().map(|record| record.kind).collect();
    assert!(kinds.contains(&kinds::ACL_TOKEN) && kinds.contains(&kinds::ACL_POLICY));
    writer.get("/v1/snapshot").await.check_denied();
    server.restore(last).await.check(200, "");
    writer.put("a/ladder/0", "1").await;
}
