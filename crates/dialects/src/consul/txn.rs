//! Transactions: `PUT /v1/txn`.
//!
//! Follows `hashicorp/consul:agent/txn_endpoint.go`.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use node::{Freshness, Node};
use records::consul::{self, Command, KvOp, KvPair, KvRead, TxnError, TxnOp, TxnResult, txn_read};
use records::{Op, Scope};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::App;
use super::blocking::off_thread;
use super::entries::Entry;
use super::kv::read_body;
use super::params::{Query, ReadOptions};
use super::reply::{Failure, Reply, json, leader_headers};

/// More operations are refused.
const OPS_MAX: usize = 128;

/// Where the genuine server sends those whose transaction is too large.
const SIZE_HELP: &str = "https://developer.hashicorp.com/docs/agent/config/config-files#txn_max_req_len";

pub(super) async fn run(State(app): State<App>, Extension(query): Extension<Query>, body: Body) -> Reply {
    let asked = parse(&read_body(body, SIZE_HELP).await?)?;
    let (ops, errors) = translate(asked);
    if !errors.is_empty() {
        return Ok(answer(&query, Outcome::refused(errors)));
    }
    if ops.iter().all(|op| matches!(op, TxnOp::KvRead(_))) {
        return read(&app.node, ops, &query).await;
    }
    let op = Op::Consul(Command::Txn(ops));
    let reply =
        if frees_space(&op) { app.node.change_on_full_disk(op).await? } else { app.node.change(op).await? };
    match reply {
        records::Reply::Consul(reply) => Ok(answer(&query, Outcome::of(reply)?)),
        other => Err(Failure::unexpected(&other)),
    }
}

/// A transaction that changes nothing needs no log entry, and may be stale.
async fn read(node: &Node, ops: Vec<TxnOp>, query: &Query) -> Reply {
    let options = ReadOptions::parse(query)?;
    let seen = node.view(Scope::Consul, options.consistency).await?;
    let reply = off_thread(move || txn_read(&seen.view, &ops)).await?;
    let reply = reply.ok_or_else(|| Failure::unexpected(&"not read-only"))?;
    let outcome = Outcome { freshness: Some(seen.freshness.into()), ..Outcome::of(reply)? };
    Ok((leader_headers(seen.freshness), answer(query, outcome)).into_response())
}

/// Deletes go on when the disk is full.
fn frees_space(op: &Op) -> bool {
    let Op::Consul(Command::Txn(ops)) = op else { return false };
    let frees = |op: &TxnOp| match op {
        TxnOp::Kv(KvOp::Delete { .. } | KvOp::DeleteCas { .. } | KvOp::DeleteTree { .. }) => true,
        TxnOp::Kv(KvOp::Set(_) | KvOp::Cas { .. } | KvOp::Lock { .. } | KvOp::Unlock { .. }) => false,
        TxnOp::KvRead(_) => true,
    };
    ops.iter().all(frees)
}

/// One operation as it is sent. Unknown members are passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AskedOp {
    kv: Option<AskedKv>,
    node: Option<IgnoredAny>,
    service: Option<IgnoredAny>,
    check: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AskedKv {
    verb: String,
    key: String,
    value: String,
    flags: u64,
    index: u64,
    session: String,
    namespace: String,
    partition: String,
}

fn parse(body: &[u8]) -> Result<Vec<AskedOp>, Failure> {
    let asked = serde_json::from_slice(body).and_then(|value| serde_json::from_value(as_go_reads(value)));
    let asked: Option<Vec<AskedOp>> =
        asked.map_err(|error| Failure::invalid(format!("Failed to parse body: {error}")))?;
    let asked = asked.unwrap_or_default();
    match asked.len() {
        ..=OPS_MAX => Ok(asked),
        ops => {
            Err(Failure::too_large(format!("Transaction contains too many operations ({ops} > {OPS_MAX})")))
        }
    }
}

/// Go matches names whatever their case, and lets a null be the same as no member.
fn as_go_reads(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(as_go_reads).collect(),
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| (name.to_ascii_lowercase(), as_go_reads(value))).collect()
        }
        plain => plain,
    }
}

/// The operations that we know, and the reasons why others are refused.
fn translate(asked: Vec<AskedOp>) -> (Vec<TxnOp>, Vec<TxnError>) {
    let (mut ops, mut errors) = (Vec::with_capacity(asked.len()), Vec::new());
    for (op_index, asked) in asked.into_iter().enumerate() {
        match asked.translate() {
            Ok(op) => ops.push(op),
            Err(what) => errors.push(TxnError { op_index, what }),
        }
    }
    (ops, errors)
}

impl AskedOp {
    fn translate(self) -> Result<TxnOp, String> {
        let unserved = |what| Err(format!("Stillpoint does not serve {what} operations in transactions"));
        match self {
            AskedOp { kv: Some(kv), .. } => kv.translate(),
            AskedOp { node: Some(_), .. } => unserved("Node"),
            AskedOp { service: Some(_), .. } => unserved("Service"),
            AskedOp { check: Some(_), .. } => unserved("Check"),
            _ => Err("unknown operation type".to_owned()),
        }
    }
}

impl AskedKv {
    fn translate(self) -> Result<TxnOp, String> {
        for (tenancy, what) in [(&self.namespace, "Namespaces"), (&self.partition, "Partitions")] {
            if !tenancy.is_empty() {
                return Err(format!("{what} are a Consul Enterprise feature"));
            }
        }
        let value =
            STANDARD.decode(&self.value).map_err(|error| format!("failed to decode value: {error}"))?;
        let (key, index, session) = (Bytes::from(self.key), self.index, self.session);
        let pair = KvPair { key: key.clone(), value: value.into(), flags: self.flags };
        Ok(match self.verb.as_str() {
            "set" => TxnOp::Kv(KvOp::Set(pair)),
            "cas" => TxnOp::Kv(KvOp::Cas { pair, index }),
            "lock" => TxnOp::Kv(KvOp::Lock { pair, session }),
            "unlock" => TxnOp::Kv(KvOp::Unlock { pair, session }),
            "delete" => TxnOp::Kv(KvOp::Delete { key }),
            "delete-cas" => TxnOp::Kv(KvOp::DeleteCas { key, index }),
            "delete-tree" => TxnOp::Kv(KvOp::DeleteTree { prefix: key }),
            "get" => TxnOp::KvRead(KvRead::Get { key }),
            "get-or-empty" => TxnOp::KvRead(KvRead::GetOrEmpty { key }),
            "get-tree" => TxnOp::KvRead(KvRead::GetTree { prefix: key }),
            "check-index" => TxnOp::KvRead(KvRead::CheckIndex { key, index }),
            "check-session" => TxnOp::KvRead(KvRead::CheckSession { key, session }),
            "check-not-exists" => TxnOp::KvRead(KvRead::CheckNotExists { key }),
            unknown => return Err(format!("unknown KV operation: {unknown}")),
        })
    }
}

/// How a transaction went: results, or errors.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    results: Option<Vec<OneResult>>,
    errors: Option<Vec<OneError>>,
    #[serde(flatten)]
    freshness: Option<QueryMeta>,
}

#[derive(Serialize)]
enum OneResult {
    #[serde(rename = "KV")]
    Kv(Entry),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OneError {
    op_index: usize,
    what: String,
}

/// What genuine servers put into the answer of a transaction that only reads: its freshness, and members that
/// always stay as they are born (`hashicorp/consul:agent/structs/structs.go`, `QueryMeta`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueryMeta {
    index: u64,
    /// In nanoseconds.
    last_contact: u64,
    known_leader: bool,
    consistency_level: &'static str,
    not_modified: bool,
    backend: u8,
    #[serde(rename = "ResultsFilteredByACLs")]
    results_filtered_by_acls: bool,
}

impl From<Freshness> for QueryMeta {
    fn from(freshness: Freshness) -> QueryMeta {
        QueryMeta {
            index: 1,
            last_contact: u64::try_from(freshness.last_contact.as_nanos()).unwrap_or(u64::MAX),
            known_leader: freshness.known_leader,
            consistency_level: "",
            not_modified: false,
            backend: 0,
            results_filtered_by_acls: false,
        }
    }
}

impl Outcome {
    fn of(reply: consul::Reply) -> Result<Outcome, Failure> {
        match reply {
            consul::Reply::Results(results) => {
                let results = results.into_iter().map(|TxnResult::Kv(entry)| OneResult::Kv(entry.into()));
                Ok(Outcome { results: Some(results.collect()), errors: None, freshness: None })
            }
            consul::Reply::Errors(errors) => Ok(Outcome::refused(errors)),
            other => Err(Failure::unexpected(&other)),
        }
    }

    fn refused(errors: Vec<TxnError>) -> Outcome {
        let errors = errors.into_iter().map(|error| OneError { op_index: error.op_index, what: error.what });
        Outcome { results: None, errors: Some(errors.collect()), freshness: None }
    }
}

/// The outcome as JSON; 409 if it is errors.
fn answer(query: &Query, outcome: Outcome) -> Response {
    let status = if outcome.errors.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    (status, json(query, &outcome)).into_response()
}
