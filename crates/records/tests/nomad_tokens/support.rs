//! A state machine with a log and a clock of its own, for tests that speak in ACL commands of Nomad.

use std::path::Path;
use std::sync::Arc;

use archive::hashicorp::Reader;
use archive::nomad::{AclPolicy, AclRole, AclToken, IndexEntry, PolicyLink, RoleLink, kinds};
use archive::state;
use records::nomad::acl::{self, Authorizer, Command, Unresolved};
use records::nomad::{self, Refusal};
use records::store::Memory;
use records::{Commit, Entry, Op, Position, Read, Record, Records, Reply, Scope, View};
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

    pub(crate) fn view(&self) -> View {
        self.records.view(Scope::Nomad).expect("view")
    }

    /// The answer, or why there is none.
    pub(crate) fn apply(&mut self, command: Command) -> Result<acl::Reply, Refusal> {
        match self.run(Op::Nomad(nomad::Command::Acl(command))) {
            Reply::Nomad(nomad::Reply::Acl { index, reply }) => {
                assert_eq!(index, self.view().index());
                Ok(reply)
            }
            Reply::Nomad(nomad::Reply::Refused(refusal)) => Err(refusal),
            other => panic!("not an answer to an ACL command: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn token(&mut self, command: Command) -> AclToken {
        match self.apply(command) {
            Ok(acl::Reply::Token(token)) => *token,
            other => panic!("no token: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn role(&mut self, command: Command) -> AclRole {
        match self.apply(command) {
            Ok(acl::Reply::Role(role)) => *role,
            other => panic!("no role: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn policy(&mut self, name: &str, rules: &str) {
        assert_eq!(self.apply(upsert(policy(name, rules))), Ok(acl::Reply::Done));
    }

    pub(crate) fn resolve(&self, secret: &str) -> Result<Authorizer, Unresolved> {
        acl::resolve(&self.view(), secret, self.now_ms)
    }

    pub(crate) fn table_index(&self, table: &str) -> Option<u64> {
        let found = self.view().get(kinds::INDEX, table.as_bytes()).expect("get");
        found.map(|bytes| IndexEntry::decode(&bytes).expect("index").value)
    }

    /// Replaces everything by what a genuine server saved.
    pub(crate) fn restore(&mut self, name: &str) {
        let task = Uuid::from_u128(u128::from(self.log_index) + 1);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../archive/tests/fixtures/nomad").join(name);
        let archive = Reader::new(std::fs::File::open(path).expect("open the archive"));
        let records = state::Records::new(archive).expect("a header").map(|record| {
            let record = record.expect("a record");
            Ok(Record { kind: record.kind, bytes: record.bytes.into() })
        });
        let staged = self.records.stage(Scope::Nomad, &mut { records }, false).expect("stage");
        let (digest, index) = (staged.digest().to_vec(), staged.index());
        staged.ready(task).expect("ready");
        let (scope, blob, unknown_records) = (Scope::Nomad, Vec::new(), false);
        self.run(Op::Commit(Commit { scope, image: task, digest, index, blob, term: 1, unknown_records }));
    }

    fn run(&mut self, op: Op) -> Reply {
        self.log_index += 1;
        let command = records::Command::new(self.now_ms, op).encode();
        let position = Position { term: 1, index: self.log_index };
        let entry = Entry { position, members: None, command: Some(command) };
        Reply::decode(&self.records.apply(&[entry]).expect("apply")[0]).expect("reply")
    }
}

/// A UUID that tests can tell apart.
pub(crate) fn id(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// A token as a client asks for it: accessor `number`, secret `number + 1`.
pub(crate) fn client(number: u32, policies: &[&str]) -> AclToken {
    AclToken {
        accessor_id: id(number),
        secret_id: id(number + 1),
        kind: "client".into(),
        policies: Some(policies.iter().map(|policy| (*policy).to_owned()).collect()),
        ..AclToken::default()
    }
}

pub(crate) fn create(token: AclToken) -> Command {
    Command::CreateToken(Box::new(token))
}

pub(crate) fn update(token: AclToken) -> Command {
    Command::UpdateToken(Box::new(token))
}

pub(crate) fn policy(name: &str, rules: &str) -> AclPolicy {
    AclPolicy { name: name.into(), rules: rules.into(), ..AclPolicy::default() }
}

pub(crate) fn upsert(policy: AclPolicy) -> Command {
    Command::UpsertPolicy(Box::new(policy))
}

pub(crate) fn role(number: u32, name: &str, policies: &[&str]) -> AclRole {
    let link = |policy: &&str| PolicyLink { name: (*policy).to_owned() };
    let policies = Some(policies.iter().map(link).collect());
    AclRole { id: id(number), name: name.into(), policies, ..AclRole::default() }
}

pub(crate) fn role_by_id(number: u32) -> RoleLink {
    RoleLink { id: id(number), name: String::new() }
}

pub(crate) fn role_by_name(name: &str) -> RoleLink {
    RoleLink { id: String::new(), name: name.into() }
}

pub(crate) fn bootstrap(number: u32, reset_index: Option<u64>) -> Command {
    Command::Bootstrap { accessor: id(number), secret: id(number + 1), reset_index }
}

/// What is wrong, as a server says it.
pub(crate) fn invalid<T>(text: &str) -> Result<T, Refusal> {
    Err(Refusal::Invalid(text.into()))
}

/// The same for a thing with one flaw.
pub(crate) fn flawed<T>(what: &str, flaw: &str) -> Result<T, Refusal> {
    invalid(&format!("{what} 0 invalid: 1 error occurred:\n\t* {flaw}\n\n"))
}
