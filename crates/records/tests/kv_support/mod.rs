//! A state machine with a log of its own, for tests that speak in Consul's commands.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use std::sync::Arc;

use archive::consul::{Session, kinds};
use records::consul;
use records::store::Store;
use records::{Command, Commit, Entry, Op, Position, Record, Records, Reply, Scope, View};
use uuid::Uuid;

pub(crate) struct Machine {
    pub(crate) records: Arc<Records>,
    log_index: u64,
    /// A command takes a millisecond; so much has passed besides.
    pub(crate) idle_ms: u64,
}

impl Machine {
    /// On a store that may hold an earlier machine's state.
    pub(crate) fn on(store: Arc<dyn Store>) -> Machine {
        let records = Arc::new(Records::open(store).expect("open"));
        let position = records.applied().expect("applied").position;
        Machine { records, log_index: position.map_or(0, |position| position.index), idle_ms: 0 }
    }

    pub(crate) fn view(&self) -> View {
        self.records.view(Scope::Consul).expect("view")
    }

    /// Applies commands in one run, as replication does when entries arrive together.
    pub(crate) fn apply_run(&mut self, commands: Vec<consul::Command>) -> Vec<consul::Reply> {
        let replies = self.run(commands.into_iter().map(Op::Consul).collect());
        let consul = |reply| match reply {
            Reply::Consul(reply) => reply,
            other => panic!("not Consul's answer: {other:?}"),
        };
        replies.into_iter().map(consul).collect()
    }

    /// Replaces everything by `image`, as a restore does.
    pub(crate) fn restore(&mut self, image: Vec<Record>) {
        let task = Uuid::from_u128(u128::from(self.log_index) + 1);
        let staged = self.records.stage(Scope::Consul, &mut image.into_iter().map(Ok), false).expect("stage");
        let (digest, index) = (staged.digest().to_vec(), staged.index());
        staged.ready(task).expect("ready");
        let commit = Commit {
            scope: Scope::Consul,
            image: task,
            digest,
            index,
            blob: Vec::new(),
            term: 1,
            unknown_records: false,
        };
        self.run(vec![Op::Commit(commit)]);
    }

    fn run(&mut self, ops: Vec<Op>) -> Vec<Reply> {
        let entries: Vec<Entry> = ops
            .into_iter()
            .map(|op| {
                self.log_index += 1;
                let command = Command::new(self.log_index + self.idle_ms, op).encode();
                let position = Position { term: 1, index: self.log_index };
                Entry { position, members: None, command: Some(command) }
            })
            .collect();
        let replies = self.records.apply(&entries).expect("apply");
        replies.iter().map(|reply| Reply::decode(reply).expect("reply")).collect()
    }
}

pub(crate) fn session_record(id: &str) -> Record {
    Record { kind: kinds::SESSION, bytes: Session { id: id.into(), ..Session::default() }.encode().into() }
}
