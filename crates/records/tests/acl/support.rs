//! A state machine with a log and a clock of its own, for tests that speak in ACL commands.

use std::sync::Arc;

use archive::consul::{AclPolicy, AclToken, IndexEntry, Link, kinds};
use records::consul;
use records::consul::acl::{self, Authorizer, DefaultPolicy, Settings, Unresolved};
use records::store::Memory;
use records::{Command, Commit, Entry, Op, Position, Read, Record, Records, Reply, Scope, View};
use uuid::Uuid;

/// When tests begin: 2024-01-01T00:00:00Z.
pub(crate) const START_MS: u64 = 1_704_067_200_000;

pub(crate) struct Machine {
    records: Arc<Records>,
    log_index: u64,
    pub(crate) now_ms: u64,
}

impl Machine {
    pub(crate) fn new() -> Machine {
        let records = Arc::new(Records::open(Arc::new(Memory::default())).expect("open"));
        Machine { records, log_index: 0, now_ms: START_MS }
    }

    /// With the built-in policies and the anonymous token.
    pub(crate) fn initialized() -> Machine {
        let mut machine = Machine::new();
        assert_eq!(machine.apply(acl::Command::Initialize { management: None }), acl::Reply::Done);
        machine
    }

    pub(crate) fn view(&self) -> View {
        self.records.view(Scope::Consul).expect("view")
    }

    pub(crate) fn apply(&mut self, command: acl::Command) -> acl::Reply {
        match self.run(Op::Consul(consul::Command::Acl(command))) {
            Reply::Consul(consul::Reply::Acl(reply)) => reply,
            other => panic!("not an answer to an ACL command: {other:?}"),
        }
    }

    /// Replaces everything by `image`, as a restore does.
    pub(crate) fn restore(&mut self, image: Vec<Record>) {
        let task = Uuid::from_u128(u128::from(self.log_index) + 1);
        let staged = self.records.stage(Scope::Consul, &mut image.into_iter().map(Ok), false).expect("stage");
        let (digest, index) = (staged.digest().to_vec(), staged.index());
        staged.ready(task).expect("ready");
        let (blob, unknown_records) = (Vec::new(), false);
        self.run(Op::Commit(Commit {
            scope: Scope::Consul,
            image: task,
            digest,
            index,
            blob,
            term: 1,
            unknown_records,
        }));
    }

    fn run(&mut self, op: Op) -> Reply {
        self.log_index += 1;
        let command = Command::new(self.now_ms, op).encode();
        let position = Position { term: 1, index: self.log_index };
        let entry = Entry { position, members: None, command: Some(command) };
        Reply::decode(&self.records.apply(&[entry]).expect("apply")[0]).expect("reply")
    }

    #[track_caller]
    pub(crate) fn token(&mut self, command: acl::Command) -> AclToken {
        match self.apply(command) {
            acl::Reply::Token(token) => *token,
            other => panic!("no token: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn policy(&mut self, number: u32, name: &str, rules: &str) -> AclPolicy {
        let policy = AclPolicy { rules: rules.into(), ..policy(number, name) };
        match self.apply(acl::Command::CreatePolicy(Box::new(policy))) {
            acl::Reply::Policy(policy) => *policy,
            other => panic!("no policy: {other:?}"),
        }
    }

    pub(crate) fn resolve(&self, secret: &str) -> Result<Authorizer, Unresolved> {
        acl::resolve(&self.view(), secret, self.now_ms, &settings(DefaultPolicy::Deny))
    }

    pub(crate) fn table_index(&self, table: &str) -> Option<u64> {
        let found = self.view().get(kinds::INDEX, table.as_bytes()).expect("get");
        found.map(|bytes| IndexEntry::decode(&bytes).expect("index").value)
    }

    /// Every record, as an archive would hold it.
    pub(crate) fn archived(&self) -> Vec<Record> {
        self.view().records().map(|record| record.expect("record")).collect()
    }
}

pub(crate) fn settings(default: DefaultPolicy) -> Settings {
    Settings { default, datacenter: "dc1".into(), key_list_policy: false }
}

/// A UUID that tests can tell apart.
pub(crate) fn id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

pub(crate) fn link(id: &str) -> Link {
    Link { id: id.into(), name: String::new() }
}

pub(crate) fn link_by_name(name: &str) -> Link {
    Link { id: String::new(), name: name.into() }
}

/// A token as a client asks for it: accessor `number`, secret `number + 1`.
pub(crate) fn token(number: u32) -> AclToken {
    AclToken { accessor_id: id(number), secret_id: id(number + 1), ..AclToken::default() }
}

pub(crate) fn create(token: AclToken) -> acl::Command {
    acl::Command::CreateToken(Box::new(token))
}

pub(crate) fn update(token: AclToken) -> acl::Command {
    acl::Command::UpdateToken(Box::new(token))
}

pub(crate) fn policy(number: u32, name: &str) -> AclPolicy {
    AclPolicy { id: id(number), name: name.into(), ..AclPolicy::default() }
}

pub(crate) fn failed(text: &str) -> acl::Reply {
    acl::Reply::Failed(text.into())
}
