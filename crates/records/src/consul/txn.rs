//! Transactions: several operations of which either all take effect or none.
//!
//! Follows `hashicorp/consul:agent/consul/txn_endpoint.go` and `hashicorp/consul:agent/consul/state/txn.go`.

use archive::consul::DirEntry;
use bytes::Bytes;

use super::layout::KVS;
use super::quote::Quoted;
use super::refusal::{Failure, Refusal};
use super::{KvOp, KvRead, Reply, TxnError, TxnOp, TxnResult, Verb, catalog, kv, query, session};
use crate::{Error, Read, Txn};

/// The results of one transaction take no more than this. Genuine servers know no bound, although one small
/// request can ask for the whole store a hundred times.
const RESULT_BYTES_MAX: usize = 64 << 20;

/// Stands for the parts of a result that are neither key nor value.
const RESULT_OVERHEAD_BYTES: usize = 128;

/// Applies `ops` in order, each seeing what those before it did. If one fails, none has changed anything.
pub(super) fn apply(txn: &mut Txn<'_>, ops: Vec<TxnOp>) -> Result<Reply, Error> {
    let mut ops = ops;
    if let Some(refused) = settle(&mut ops, |op| kv::check_delay(txn, op))? {
        return Ok(refused);
    }
    let mark = txn.mark();
    let mut tally = Tally::default();
    for op in ops {
        let outcome = match op {
            TxnOp::Kv(op) => kv::apply(txn, op).map(|entry| results(entry.map(without_value), TxnResult::Kv)),
            TxnOp::KvRead(op) => evaluate(txn, &op, tally.room()),
            TxnOp::Node(op) => catalog::node::apply(txn, &op).map(|node| results(node, TxnResult::Node)),
            TxnOp::Service(op) => {
                let service = catalog::service::apply(txn, &op);
                service.map(|service| results(service.map(Box::new), TxnResult::Service))
            }
            TxnOp::Check(op) => {
                let check = catalog::check::apply(txn, &op);
                check.map(|check| results(check.map(Box::new), TxnResult::Check))
            }
            TxnOp::SessionDelete { session: id } => session::forget(txn, &id).map(|()| Vec::new()),
        };
        tally.add(outcome)?;
    }
    if !tally.errors.is_empty() {
        txn.roll_back(mark);
    }
    Ok(tally.reply())
}

/// The answer to a transaction that only reads, which needs no log entry; `None` if it does more.
pub fn txn_read(read: &dyn Read, ops: &[TxnOp]) -> Result<Option<Reply>, Error> {
    if !ops.iter().all(TxnOp::is_read) {
        return Ok(None);
    }
    if let Some(refused) = settle(&mut ops.to_vec(), |_| Ok(()))? {
        return Ok(Some(refused));
    }
    let mut tally = Tally::default();
    for op in ops {
        let outcome = match op {
            TxnOp::KvRead(op) => evaluate(read, op, tally.room()),
            other => catalog_read(read, other),
        };
        tally.add(outcome)?;
    }
    Ok(Some(tally.reply()))
}

impl TxnOp {
    /// Fills in what may be left out; refuses what no state could make right.
    pub(super) fn settle(&mut self) -> Result<(), Refusal> {
        match self {
            TxnOp::Kv(op) => op.check(),
            TxnOp::KvRead(op) => kv::check_key(op.key()),
            TxnOp::Node(op) => Ok(op.check()?),
            TxnOp::Service(op) => Ok(op.settle()?),
            TxnOp::Check(op) => {
                op.settle();
                Ok(())
            }
            TxnOp::SessionDelete { .. } => Ok(()),
        }
    }

    fn is_read(&self) -> bool {
        match self {
            TxnOp::KvRead(_) => true,
            TxnOp::Node(op) => op.verb == Verb::Get,
            TxnOp::Service(op) => op.verb == Verb::Get,
            TxnOp::Check(op) => op.verb == Verb::Get,
            TxnOp::Kv(_) | TxnOp::SessionDelete { .. } => false,
        }
    }
}

/// What an operation that only reads the catalog yields.
fn catalog_read(read: &dyn Read, op: &TxnOp) -> Result<Vec<TxnResult>, Failure> {
    Ok(match op {
        TxnOp::Node(op) => vec![TxnResult::Node(catalog::node::found(read, &op.node)?)],
        TxnOp::Service(op) => vec![TxnResult::Service(Box::new(catalog::service::found(read, op)?))],
        TxnOp::Check(op) => vec![TxnResult::Check(Box::new(catalog::check::found(read, &op.check)?))],
        TxnOp::Kv(_) | TxnOp::KvRead(_) | TxnOp::SessionDelete { .. } => Vec::new(),
    })
}

/// Fills in what may be left out. The errors of operations that no state could make right, and of locks
/// that are delayed: nothing is done while there are any.
fn settle(
    ops: &mut [TxnOp],
    check_delay: impl Fn(&KvOp) -> Result<(), Failure>,
) -> Result<Option<Reply>, Error> {
    let mut errors = Vec::new();
    for (op_index, op) in ops.iter_mut().enumerate() {
        let outcome = op.settle().map_err(Failure::from).and_then(|()| match op {
            TxnOp::Kv(op) => check_delay(op),
            _ => Ok(()),
        });
        match outcome {
            Ok(()) => {}
            Err(Failure::Refused(refusal)) => errors.push(TxnError { op_index, what: refusal.to_string() }),
            Err(Failure::Broken(error)) => return Err(error),
        }
    }
    Ok((!errors.is_empty()).then_some(Reply::Errors(errors)))
}

fn results<T>(found: Option<T>, result: impl Fn(T) -> TxnResult) -> Vec<TxnResult> {
    found.map(result).into_iter().collect()
}

impl KvRead {
    fn key(&self) -> &[u8] {
        match self {
            KvRead::Get { key } | KvRead::GetOrEmpty { key } | KvRead::CheckNotExists { key } => key,
            KvRead::CheckIndex { key, .. } | KvRead::CheckSession { key, .. } => key,
            KvRead::GetTree { prefix } => prefix,
        }
    }
}

/// What one reading operation yields; a tree larger than `room` bytes is refused while it is read.
fn evaluate(read: &dyn Read, op: &KvRead, room: usize) -> Result<Vec<TxnResult>, Failure> {
    Ok(entries(read, op, room)?.into_iter().map(TxnResult::Kv).collect())
}

fn entries(read: &dyn Read, op: &KvRead, room: usize) -> Result<Vec<DirEntry>, Failure> {
    if let KvRead::GetTree { prefix } = op {
        return tree(read, prefix, room);
    }
    let found = query::entry(read, op.key())?;
    let key = Quoted(Bytes::copy_from_slice(op.key()));
    let refusal = match (op, found) {
        (KvRead::Get { .. } | KvRead::GetOrEmpty { .. }, Some(entry)) => return Ok(vec![entry]),
        (KvRead::Get { .. }, None) => Refusal::Missing(key),
        (KvRead::GetOrEmpty { key }, None) => {
            return Ok(vec![DirEntry { key: key.to_vec(), ..DirEntry::default() }]);
        }
        (KvRead::CheckIndex { .. }, None) => Refusal::IndexOfMissing(key),
        (KvRead::CheckIndex { index, .. }, Some(entry)) if entry.modify_index != *index => {
            Refusal::OtherIndex { key, found: entry.modify_index, expected: *index }
        }
        (KvRead::CheckSession { .. }, None) => Refusal::SessionOfMissing(key),
        (KvRead::CheckSession { session, .. }, Some(entry)) if entry.session != *session => {
            let (found, expected) = (Quoted(entry.session.into()), Quoted(session.clone().into()));
            Refusal::OtherSession { key, found, expected }
        }
        (KvRead::CheckIndex { .. } | KvRead::CheckSession { .. }, Some(entry)) => {
            return Ok(vec![without_value(entry)]);
        }
        (KvRead::CheckNotExists { .. }, Some(_)) => Refusal::Exists(key),
        (KvRead::CheckNotExists { .. } | KvRead::GetTree { .. }, _) => return Ok(Vec::new()),
    };
    Err(refusal.into())
}

fn tree(read: &dyn Read, prefix: &[u8], mut room: usize) -> Result<Vec<DirEntry>, Failure> {
    let mut entries = Vec::new();
    for entry in read.scan(KVS, prefix) {
        let entry = query::decode(&entry?.1)?;
        room = room.checked_sub(entry_bytes(&entry)).ok_or(Refusal::ManyResults(RESULT_BYTES_MAX))?;
        entries.push(entry);
    }
    Ok(entries)
}

fn without_value(entry: DirEntry) -> DirEntry {
    DirEntry { value: None, ..entry }
}

fn entry_bytes(entry: &DirEntry) -> usize {
    RESULT_OVERHEAD_BYTES + entry.key.len() + entry.value.as_ref().map_or(0, Vec::len)
}

fn result_bytes(result: &TxnResult) -> usize {
    match result {
        TxnResult::Kv(entry) => entry_bytes(entry),
        TxnResult::Node(node) => node.encode().len(),
        TxnResult::Service(service) => service.encode().len(),
        TxnResult::Check(check) => check.encode().len(),
    }
}

/// What the operations so far amount to.
#[derive(Default)]
struct Tally {
    ops: usize,
    bytes: usize,
    results: Vec<TxnResult>,
    errors: Vec<TxnError>,
}

impl Tally {
    fn room(&self) -> usize {
        RESULT_BYTES_MAX.saturating_sub(self.bytes)
    }

    /// Adds the outcome of the next operation. After a failure the others are still tried, so that the
    /// client learns of every one that fails.
    fn add(&mut self, outcome: Result<Vec<TxnResult>, Failure>) -> Result<(), Error> {
        let results = match outcome {
            Ok(results) => results,
            Err(Failure::Refused(refusal)) => {
                self.fail(&refusal);
                Vec::new()
            }
            Err(Failure::Broken(error)) => return Err(error),
        };
        self.bytes += results.iter().map(result_bytes).sum::<usize>();
        if self.bytes > RESULT_BYTES_MAX {
            self.fail(&Refusal::ManyResults(RESULT_BYTES_MAX));
        }
        if self.errors.is_empty() {
            self.results.extend(results);
        }
        self.ops += 1;
        Ok(())
    }

    fn fail(&mut self, refusal: &Refusal) {
        // They will not be told: free them at once.
        self.results = Vec::new();
        self.errors.push(TxnError { op_index: self.ops, what: refusal.to_string() });
    }

    fn reply(self) -> Reply {
        if self.errors.is_empty() { Reply::Results(self.results) } else { Reply::Errors(self.errors) }
    }
}
