//! Registrations in few words, and what became of them.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use std::collections::BTreeMap;
use std::sync::Arc;

use archive::consul::{Check, IndexEntry, Node, Service, Session, kinds};
use bytes::Bytes;
use records::Read;
use records::consul::{Command, Deregister, KvOp, KvPair, Register, Reply, TxnOp};
use records::store::Memory;

use crate::kv_support::Machine;

impl Machine {
    pub(crate) fn new() -> Machine {
        Machine::on(Arc::new(Memory::default()))
    }

    pub(crate) fn apply(&mut self, command: Command) -> Reply {
        self.apply_run(vec![command]).remove(0)
    }

    /// Carries out what must succeed.
    #[track_caller]
    pub(crate) fn done(&mut self, command: Command) {
        assert_eq!(self.apply(command), Reply::Done);
    }

    /// Why a command was not done.
    #[track_caller]
    pub(crate) fn refused(&mut self, command: Command) -> String {
        let before = self.contents();
        let Reply::Failed(reason) = self.apply(command) else { panic!("it must be refused") };
        assert!(self.contents() == before, "a refused command changes nothing");
        reason
    }

    /// The errors of a transaction that must fail.
    #[track_caller]
    pub(crate) fn errors(&mut self, ops: Vec<TxnOp>) -> Vec<(usize, String)> {
        let before = self.contents();
        let Reply::Errors(errors) = self.apply(Command::Txn(ops)) else { panic!("it must fail") };
        assert!(self.contents() == before, "a failed transaction changes nothing");
        errors.into_iter().map(|error| (error.op_index, error.what)).collect()
    }

    /// Every record by type and place.
    pub(crate) fn contents(&self) -> Vec<(u8, Bytes)> {
        let view = self.view();
        let records = view.records().map(|record| record.expect("record"));
        records.map(|record| (record.kind, record.bytes)).collect()
    }

    /// The index of a table, if it was ever changed.
    pub(crate) fn table(&self, name: &str) -> Option<u64> {
        let found = self.view().get(kinds::INDEX, name.as_bytes()).expect("get");
        found.map(|bytes| IndexEntry::decode(&bytes).expect("table index").value)
    }

    /// The names of the tables whose index is that of the last command.
    pub(crate) fn touched(&self) -> Vec<String> {
        let view = self.view();
        let entries = view
            .scan(kinds::INDEX, b"")
            .map(|entry| IndexEntry::decode(&entry.expect("record").1).expect("table index"));
        entries.filter(|entry| entry.value == view.index()).map(|entry| entry.key).collect()
    }

    /// The bytes of a registration.
    pub(crate) fn stored(&self, id: &[u8]) -> Bytes {
        self.view().get(kinds::REGISTER, id).expect("get").expect("it is registered")
    }
}

pub(crate) fn node(name: &str) -> Node {
    Node { node: name.into(), address: "10.0.0.1".into(), datacenter: "dc1".into(), ..Node::default() }
}

pub(crate) fn service(id: &str, name: &str) -> Service {
    Service { id: id.into(), service: name.into(), port: 80, ..Service::default() }
}

pub(crate) fn check(id: &str, status: &str) -> Check {
    Check { check_id: id.into(), name: id.into(), status: status.into(), ..Check::default() }
}

pub(crate) fn check_of(service_id: &str, id: &str, status: &str) -> Check {
    Check { service_id: service_id.into(), ..check(id, status) }
}

pub(crate) fn register_node(node: Node) -> Command {
    Command::Register(Register { node, ..Register::default() })
}

pub(crate) fn register_service(on: &str, service: Service) -> Command {
    let service = Some(Box::new(service));
    Command::Register(Register { node: node(on), service, ..Register::default() })
}

pub(crate) fn register_check(on: &str, check: Check) -> Command {
    Command::Register(Register { node: node(on), checks: vec![check], ..Register::default() })
}

pub(crate) fn deregister(node: &str, service_id: &str, check_id: &str) -> Command {
    let (node, service_id, check_id) = (node.into(), service_id.into(), check_id.into());
    Command::Deregister(Deregister { node, service_id, check_id })
}

/// A session that depends on nothing but its node.
pub(crate) fn session(id: &str, node: &str) -> Session {
    Session { id: id.into(), node: node.into(), ..Session::default() }
}

pub(crate) fn lock(key: &str, session: &str) -> Command {
    Command::Kv(lock_op(key, session))
}

pub(crate) fn lock_op(key: &str, session: &str) -> KvOp {
    let pair = KvPair { key: key.as_bytes().to_vec().into(), value: Bytes::from_static(b"v"), flags: 7 };
    KvOp::Lock { pair, session: session.into() }
}

pub(crate) fn meta(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
