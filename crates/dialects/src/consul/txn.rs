//! Transactions: `PUT /v1/txn`.
//!
//! Follows `hashicorp/consul:agent/txn_endpoint.go`.

use archive::consul::{Check, Node as CatalogNode, Service, Session};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use node::{Freshness, Seen};
use records::consul::acl::{Authorizer, keep_visible, vet_txn};
use records::consul::{
    self, CheckOp, Command, KvOp, KvPair, KvRead, NodeOp, ServiceOp, TxnError, TxnOp, TxnResult, Verb,
    txn_read,
};
use records::{Op, Scope, View};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::App;
use super::access::Caller;
use super::blocking::off_thread;
use super::entries::Entry;
use super::kv::read_body;
use super::params::{Query, ReadOptions};
use super::reply::{Failure, Reply, json, leader_headers};
use crate::http::shape::{Members, Shape};

/// More operations are refused.
const OPS_MAX: usize = 128;

/// Where the genuine server sends those whose transaction is too large.
const SIZE_HELP: &str = "https://developer.hashicorp.com/docs/agent/config/config-files#txn_max_req_len";

pub(super) async fn run(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
    body: Body,
) -> Reply {
    let (ops, errors) = parse(&read_body(&app, body, SIZE_HELP).await?, &app.node.settings().datacenter)?;
    if !errors.is_empty() {
        caller.now().await?;
        return Ok(answer(&query, Outcome::refused(errors)));
    }
    if ops.iter().all(only_reads) {
        return read(&caller, ops, &query).await;
    }
    let vetted = caller.vet(move |view, may| Ok((vet_txn(view, may, &ops)?, ops, may.clone())));
    let (errors, ops, may) = vetted.await?;
    if !errors.is_empty() {
        return Ok(answer(&query, Outcome::refused(errors)));
    }
    let op = Op::Consul(Command::Txn(ops));
    let reply =
        if frees_space(&op) { app.node.change_on_full_disk(op).await? } else { app.node.change(op).await? };
    match reply {
        records::Reply::Consul(mut reply) => {
            hide_results(&may, &mut reply);
            Ok(answer(&query, Outcome::of(reply)?))
        }
        other => Err(Failure::unexpected(&other)),
    }
}

/// A transaction that changes nothing needs no log entry, and may be stale.
async fn read(caller: &Caller, ops: Vec<TxnOp>, query: &Query) -> Reply {
    let options = ReadOptions::parse(query)?;
    let Seen { view, freshness } = caller.node().view(Scope::Consul, options.consistency).await?;
    let asking = caller.clone();
    let (reply, hides) = off_thread(move || look(&asking, &view, &ops)).await?;
    let mut meta = QueryMeta::from(freshness);
    meta.results_filtered_by_acls = caller.is_told(hides);
    let outcome = Outcome { freshness: Some(meta), ..Outcome::of(reply)? };
    Ok((leader_headers(freshness), answer(query, outcome)).into_response())
}

/// What the operations find that the caller may see, and whether there is more.
fn look(caller: &Caller, view: &View, ops: &[TxnOp]) -> Result<(consul::Reply, bool), Failure> {
    let may = caller.on(view)?;
    let errors = vet_txn(view, &may, ops)?;
    if !errors.is_empty() {
        return Ok((consul::Reply::Errors(errors), false));
    }
    let mut reply = txn_read(view, ops)?.ok_or_else(|| Failure::unexpected(&"not read-only"))?;
    let hides = hide_results(&may, &mut reply);
    Ok((reply, hides))
}

/// Takes out of the results what may not be seen. Returns whether there was anything.
fn hide_results(may: &Authorizer, reply: &mut consul::Reply) -> bool {
    match reply {
        consul::Reply::Results(results) => keep_visible(may, results),
        _ => false,
    }
}

fn only_reads(op: &TxnOp) -> bool {
    match op {
        TxnOp::KvRead(_) => true,
        TxnOp::Node(NodeOp { verb, .. }) => *verb == Verb::Get,
        TxnOp::Service(op) => op.verb == Verb::Get,
        TxnOp::Check(op) => op.verb == Verb::Get,
        TxnOp::Kv(_) | TxnOp::SessionDelete { .. } => false,
    }
}

/// Deletes go on when the disk is full.
fn frees_space(op: &Op) -> bool {
    let Op::Consul(Command::Txn(ops)) = op else { return false };
    let frees = |op: &TxnOp| match op {
        TxnOp::Kv(KvOp::Delete { .. } | KvOp::DeleteCas { .. } | KvOp::DeleteTree { .. }) => true,
        TxnOp::Kv(KvOp::Set(_) | KvOp::Cas { .. } | KvOp::Lock { .. } | KvOp::Unlock { .. }) => false,
        TxnOp::KvRead(_) | TxnOp::SessionDelete { .. } => true,
        TxnOp::Node(op) => only_removes(op.verb),
        TxnOp::Service(op) => only_removes(op.verb),
        TxnOp::Check(op) => only_removes(op.verb),
    };
    ops.iter().all(frees)
}

fn only_removes(verb: Verb) -> bool {
    match verb {
        Verb::Get | Verb::Delete | Verb::DeleteCas => true,
        Verb::Set | Verb::Cas => false,
    }
}

/// One operation as it is sent: one of these, the first if there are several. Unknown members are passed over.
struct AskedOp {
    kv: Option<Value>,
    node: Option<Value>,
    service: Option<Value>,
    check: Option<Value>,
    session: Option<Value>,
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

/// The operations that are known, and the reasons why others are refused.
type Translated = (Vec<TxnOp>, Vec<TxnError>);

fn parse(body: &[u8], datacenter: &str) -> Result<Translated, Failure> {
    let unparsable = |why: String| Failure::invalid(format!("Failed to parse body: {why}"));
    // Whether it is JSON at all is told first.
    let asked = serde_json::from_slice::<Value>(body).and_then(serde_json::from_value);
    let asked: Option<Vec<Value>> = asked.map_err(|error| unparsable(error.to_string()))?;
    let asked = asked.unwrap_or_default();
    if asked.len() > OPS_MAX {
        let ops = asked.len();
        return Err(Failure::too_large(format!(
            "Transaction contains too many operations ({ops} > {OPS_MAX})"
        )));
    }
    let (mut ops, mut errors) = (Vec::with_capacity(asked.len()), Vec::new());
    for (op_index, asked) in asked.into_iter().enumerate() {
        match AskedOp::of(asked).and_then(|asked| asked.translate(datacenter)).map_err(unparsable)? {
            Ok(op) => ops.push(op),
            Err(what) => errors.push(TxnError { op_index, what }),
        }
    }
    Ok((ops, errors))
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

impl AskedOp {
    fn of(value: Value) -> Result<AskedOp, String> {
        let mut members = Members::of(value)?;
        let mut take = |name| members.take_raw(name).filter(|value| !value.is_null());
        Ok(AskedOp {
            kv: take("KV"),
            node: take("Node"),
            service: take("Service"),
            check: take("Check"),
            session: take("Session"),
        })
    }

    /// The outer failure is about the whole body, the inner one about this operation.
    fn translate(self, datacenter: &str) -> Result<Result<TxnOp, String>, String> {
        Ok(match self {
            AskedOp { kv: Some(kv), .. } => {
                let kv: AskedKv =
                    serde_json::from_value(as_go_reads(kv)).map_err(|error| error.to_string())?;
                kv.translate()
            }
            AskedOp { node: Some(node), .. } => {
                let mut members = Members::of(node)?;
                let mut node: CatalogNode = members.take("Node")?;
                if node.datacenter.is_empty() {
                    datacenter.clone_into(&mut node.datacenter);
                }
                verb(&mut members, "Node")?.map(|verb| TxnOp::Node(NodeOp { verb, node }))
            }
            AskedOp { service: Some(service), .. } => {
                let mut members = Members::of(service)?;
                let (node, service) = (members.take("Node")?, members.take("Service")?);
                let op = |verb| TxnOp::Service(Box::new(ServiceOp { verb, node, service }));
                verb(&mut members, "Service")?.map(op)
            }
            AskedOp { check: Some(check), .. } => {
                let mut members = Members::of(check)?;
                let check = members.take("Check")?;
                let op = |verb| TxnOp::Check(Box::new(CheckOp { verb, check }));
                verb(&mut members, "Check")?.map(op)
            }
            // Genuine servers keep these operations to themselves.
            AskedOp { session: Some(session), .. } => {
                let mut members = Members::of(session)?;
                let session = members.take::<Session>("Session")?.id;
                match verb(&mut members, "Session")? {
                    Ok(Verb::Delete) => Ok(TxnOp::SessionDelete { session }),
                    Ok(_) => Err("unknown Session operation".to_owned()),
                    Err(what) => Err(what),
                }
            }
            _ => Err("unknown operation type".to_owned()),
        })
    }
}

/// What an operation does to a thing of the catalog.
fn verb(members: &mut Members, what: &str) -> Result<Result<Verb, String>, String> {
    let verb: String = members.take("Verb")?;
    Ok(match verb.as_str() {
        "get" => Ok(Verb::Get),
        "set" => Ok(Verb::Set),
        "cas" => Ok(Verb::Cas),
        "delete" => Ok(Verb::Delete),
        "delete-cas" => Ok(Verb::DeleteCas),
        unknown => Err(format!("unknown {what} operation: {unknown}")),
    })
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
    Node(Owned<CatalogNode>),
    Service(Owned<Service>),
    Check(Owned<Check>),
}

/// A value that is written as its shape is.
struct Owned<T>(T);

impl<T: Shape> Serialize for Owned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.show(serializer)
    }
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
                let results = results.into_iter().map(|result| match result {
                    TxnResult::Kv(entry) => OneResult::Kv(entry.into()),
                    TxnResult::Node(node) => OneResult::Node(Owned(node)),
                    TxnResult::Service(service) => OneResult::Service(Owned(*service)),
                    TxnResult::Check(check) => OneResult::Check(Owned(*check)),
                });
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
