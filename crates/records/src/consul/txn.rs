//! Transactions: several operations of which either all take effect or none.
//!
//! Follows `hashicorp/consul:agent/consul/txn_endpoint.go` and `hashicorp/consul:agent/consul/state/txn.go`.

use archive::consul::DirEntry;
use bytes::Bytes;

use super::layout::KVS;
use super::quote::Quoted;
use super::refusal::{Failure, Refusal};
use super::{KvRead, Reply, TxnError, TxnOp, TxnResult, kv, query};
use crate::{Error, Read, Txn};

/// The results of one transaction take no more than this. Genuine servers know no bound, although one small
/// request can ask for the whole store a hundred times.
const RESULT_BYTES_MAX: usize = 64 << 20;

/// Stands for the parts of a result that are neither key nor value.
const RESULT_OVERHEAD_BYTES: usize = 128;

/// Applies `ops` in order, each seeing what those before it did. If one fails, none has changed anything.
pub(super) fn apply(txn: &mut Txn<'_>, ops: Vec<TxnOp>) -> Result<Reply, Error> {
    if let Some(refused) = check(&ops) {
        return Ok(refused);
    }
    let mark = txn.mark();
    let mut tally = Tally::default();
    for op in ops {
        let outcome = match op {
            TxnOp::Kv(op) => kv::apply(txn, op).map(|entry| entry.map(without_value).into_iter().collect()),
            TxnOp::KvRead(op) => evaluate(txn, &op, tally.room()),
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
    let mut reads = Vec::with_capacity(ops.len());
    for op in ops {
        let TxnOp::KvRead(op) = op else { return Ok(None) };
        reads.push(op);
    }
    if let Some(refused) = check(ops) {
        return Ok(Some(refused));
    }
    let mut tally = Tally::default();
    for op in reads {
        tally.add(evaluate(read, op, tally.room()))?;
    }
    Ok(Some(tally.reply()))
}

/// The errors of operations that no state could make right. Nothing is done while there are any.
fn check(ops: &[TxnOp]) -> Option<Reply> {
    let errors: Vec<TxnError> = ops
        .iter()
        .enumerate()
        .filter_map(|(op_index, op)| {
            let refusal = match op {
                TxnOp::Kv(op) => op.check().err()?,
                TxnOp::KvRead(op) => kv::check_key(op.key()).err()?,
            };
            Some(TxnError { op_index, what: refusal.to_string() })
        })
        .collect();
    (!errors.is_empty()).then_some(Reply::Errors(errors))
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
fn evaluate(read: &dyn Read, op: &KvRead, room: usize) -> Result<Vec<DirEntry>, Failure> {
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
        room = room.checked_sub(result_bytes(&entry)).ok_or(Refusal::ManyResults(RESULT_BYTES_MAX))?;
        entries.push(entry);
    }
    Ok(entries)
}

fn without_value(entry: DirEntry) -> DirEntry {
    DirEntry { value: None, ..entry }
}

fn result_bytes(entry: &DirEntry) -> usize {
    RESULT_OVERHEAD_BYTES + entry.key.len() + entry.value.as_ref().map_or(0, Vec::len)
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
    fn add(&mut self, outcome: Result<Vec<DirEntry>, Failure>) -> Result<(), Error> {
        let entries = match outcome {
            Ok(entries) => entries,
            Err(Failure::Refused(refusal)) => {
                self.fail(&refusal);
                Vec::new()
            }
            Err(Failure::Broken(error)) => return Err(error),
        };
        self.bytes += entries.iter().map(result_bytes).sum::<usize>();
        if self.bytes > RESULT_BYTES_MAX {
            self.fail(&Refusal::ManyResults(RESULT_BYTES_MAX));
        }
        if self.errors.is_empty() {
            self.results.extend(entries.into_iter().map(TxnResult::Kv));
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
