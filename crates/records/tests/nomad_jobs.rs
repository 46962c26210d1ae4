//! Jobs as state: versions, what a purge takes along, and what must not break a replica.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use archive::msgpack::Encoder;
use archive::nomad::{Job, ScalingPolicy, kinds};
use archive::state::Opaque;
use records::nomad::jobs::{self, Registration, ScaleRequest};
use records::nomad::{Command, Refusal, Reply};
use records::store::Memory;
use records::{Commit, Entry, Op, Position, Record, Records, Scope, View};
use uuid::Uuid;

struct Machine {
    records: Arc<Records>,
    log_index: u64,
}

impl Machine {
    fn new() -> Machine {
        Machine { records: Arc::new(Records::open(Arc::new(Memory::default())).unwrap()), log_index: 0 }
    }

    fn run(&mut self, op: Op) -> records::Reply {
        self.log_index += 1;
        let command = records::Command::new(1_700_000_000_000 + self.log_index, op).encode();
        let position = Position { term: 1, index: self.log_index };
        let replies =
            self.records.apply(&[Entry { position, members: None, command: Some(command) }]).unwrap();
        records::Reply::decode(&replies[0]).unwrap()
    }

    fn change(&mut self, command: jobs::Command) -> Reply {
        match self.run(Op::Nomad(Command::Jobs(command))) {
            records::Reply::Nomad(reply) => reply,
            other => panic!("not Nomad's answer: {other:?}"),
        }
    }

    fn register(&mut self, id: &str, priority: i64) -> Reply {
        let job = Job {
            namespace: "default".into(),
            id: id.into(),
            kind: "batch".into(),
            node_pool: "default".into(),
            priority,
            ..Job::default()
        };
        self.put(job)
    }

    fn put(&mut self, job: Job) -> Reply {
        self.change(jobs::Command::Register(Registration {
            job: Box::new(job),
            submission: None,
            enforce_index: None,
            preserve_counts: false,
            preserve_resources: false,
        }))
    }

    fn deregister(&mut self, id: &str, purge: bool) -> Reply {
        self.change(jobs::Command::Deregister { namespace: "default".into(), id: id.into(), purge })
    }

    fn restore(&mut self, image: Vec<Record>) {
        let image_id = Uuid::from_u128(1);
        let staged = self.records.stage(Scope::Nomad, &mut image.into_iter().map(Ok), false).unwrap();
        let commit = Commit {
            scope: Scope::Nomad,
            image: image_id,
            digest: staged.digest().to_vec(),
            index: staged.index(),
            blob: Vec::new(),
            term: 1,
            unknown_records: false,
        };
        staged.ready(image_id).unwrap();
        self.run(Op::Commit(commit));
    }

    fn view(&self) -> View {
        self.records.view(Scope::Nomad).unwrap()
    }

    fn count(&self, kind: u8) -> usize {
        self.view().records().filter(|record| record.as_ref().unwrap().kind == kind).count()
    }

    fn versions(&self, id: &str) -> Vec<u64> {
        let found = jobs::job_versions(&self.view(), "default", id).unwrap().value;
        found.iter().map(|bytes| Job::decode(bytes).unwrap().version).collect()
    }
}

fn job_record(kind: u8, id: &str, version: u64, stable: bool) -> Record {
    let job = Job {
        namespace: "default".into(),
        id: id.into(),
        kind: "batch".into(),
        node_pool: "default".into(),
        version,
        stable,
        ..Job::default()
    };
    Record { kind, bytes: job.encode().into() }
}

#[test]
fn six_versions_are_kept_and_the_latest_stable_one() {
    let mut machine = Machine::new();
    machine.restore(vec![job_record(kinds::JOB, "j", 0, true), job_record(kinds::JOB_VERSION, "j", 0, true)]);
    for priority in 1..=8 {
        machine.register("j", priority);
    }
    assert_eq!(machine.versions("j"), [8, 7, 6, 5, 4, 0]);
}

#[test]
fn versions_of_other_jobs_are_not_taken_for_ones_own() {
    let mut machine = Machine::new();
    for id in ["j", "j/k", "jj"] {
        machine.register(id, 1);
    }
    assert_eq!((machine.versions("j"), machine.versions("j/k")), (vec![0], vec![0]));
    machine.deregister("j", true);
    assert_eq!((machine.count(kinds::JOB), machine.count(kinds::JOB_VERSION)), (2, 2));
    assert_eq!(machine.count(kinds::JOB_SUMMARY), 2);
}

#[test]
fn an_id_that_does_not_fit_is_refused() {
    let mut machine = Machine::new();
    let refused = |text: &str| Reply::Refused(Refusal::Failed(text.into()));
    assert_eq!(machine.register(&"i".repeat(70_000), 1), refused("Job ID is too long"));
    assert_eq!(machine.register("a\0b", 1), refused("Job ID contains a null character"));
    assert_eq!(machine.register("", 1), refused("Missing job ID"));
    // One that fits only without the number of a version.
    let long = "i".repeat(64_990);
    machine.restore(vec![job_record(kinds::JOB, &long, 0, false)]);
    assert_eq!(machine.deregister(&long, false), refused("Job ID is too long"));
    assert!(matches!(machine.deregister(&long, true), Reply::Job { index: 1.., .. }));
    assert_eq!(machine.count(kinds::JOB), 0);
}

#[test]
fn the_last_version_there_is_does_not_overflow() {
    let mut machine = Machine::new();
    machine.restore(vec![job_record(kinds::JOB, "j", u64::MAX, false)]);
    assert!(matches!(machine.deregister("j", false), Reply::Job { index: 1.., .. }));
}

#[test]
fn a_purge_takes_along_what_is_the_jobs_and_passes_over_what_is_odd() {
    let mut machine = Machine::new();
    let allocation = |id: &str, job: &[u8]| {
        let mut out = Encoder::with_signed_codes();
        out.map(3).raw("ID").raw(id).raw("Namespace").raw("default").raw("JobID").encoded(job);
        Record { kind: kinds::ALLOC, bytes: out.into_bytes().into() }
    };
    machine.restore(vec![
        job_record(kinds::JOB, "j", 0, false),
        // Its own, another's, of no text, a number.
        allocation("1", b"\xa1j"),
        allocation("2", b"\xa1k"),
        allocation("3", b"\xa1\xff"),
        allocation("4", b"\x07"),
    ]);
    machine.deregister("j", true);
    assert_eq!(machine.count(kinds::ALLOC), 3);
}

/// Groups of one group with these fields beside its name.
fn groups(fields: &[(&str, Vec<u8>)]) -> Opaque {
    let mut out = Encoder::with_signed_codes();
    out.array(1).map(1 + fields.len()).raw("Name").raw("g");
    for (name, value) in fields {
        out.raw(name).encoded(value);
    }
    Opaque::new(out.into_bytes()).unwrap()
}

fn with_groups(groups: Opaque) -> Job {
    let bytes = job_record(kinds::JOB, "j", 0, false).bytes;
    Job { task_groups: groups, ..Job::decode(&bytes).unwrap() }
}

fn policy(id: &str, max: i64) -> Vec<u8> {
    let target = [("Group", "g"), ("Job", "j"), ("Namespace", "default")];
    let target = target.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (id, kind) = (id.to_owned(), "horizontal".to_owned());
    ScalingPolicy { id, kind, target: Some(target.into()), max, ..ScalingPolicy::default() }.encode()
}

#[test]
fn a_policy_keeps_its_id_through_every_version() {
    let mut machine = Machine::new();
    let registered = |machine: &mut Machine, id: &str, max| {
        machine.put(with_groups(groups(&[("Count", vec![2]), ("Scaling", policy(id, max))])));
        let found = jobs::scaling_policies(&machine.view(), "").unwrap().value;
        found.into_iter().map(|policy| (policy.id, policy.max)).collect::<Vec<_>>()
    };
    assert_eq!(registered(&mut machine, "first", 3), [("first".to_owned(), 3)]);
    assert_eq!(registered(&mut machine, "second", 4), [("first".to_owned(), 4)]);
    assert_eq!(machine.versions("j"), [1, 0]);
    machine.put(with_groups(groups(&[("Count", vec![2])])));
    assert_eq!(machine.count(kinds::SCALING_POLICY), 0, "it went with its block");
}

#[test]
fn groups_that_are_none_are_refused_with_their_archive() {
    for odd in [
        Opaque::new(vec![7]).unwrap(),
        Opaque::new(vec![0x91, 7]).unwrap(),
        groups(&[("Scaling", vec![7])]),
        groups(&[("Tasks", vec![0x91, 7])]),
    ] {
        let machine = Machine::new();
        let record = Record { kind: kinds::JOB, bytes: with_groups(odd).encode().into() };
        assert!(machine.records.stage(Scope::Nomad, &mut [Ok(record)].into_iter(), false).is_err());
    }
}

#[test]
fn ids_that_no_server_makes_break_nothing() {
    let mut machine = Machine::new();
    let mut plugin = Encoder::with_signed_codes();
    plugin.array(1).map(1).raw("CSIPluginConfig").map(2);
    plugin.raw("ID").raw("i".repeat(70_000)).raw("Type").raw("node");
    let odd = groups(&[("Scaling", policy(&"i".repeat(70_000), i64::MAX)), ("Tasks", plugin.into_bytes())]);
    let job = Job { parent_id: "p".into(), status: "odd".into(), ..with_groups(odd) };
    machine.restore(vec![Record { kind: kinds::JOB, bytes: job.encode().into() }]);
    let scale = ScaleRequest {
        namespace: "default".into(),
        id: "j".into(),
        group: "g".into(),
        count: Some(7),
        message: String::new(),
        error: false,
        meta: vec![0xc0],
        job_modify_index: 0,
    };
    assert!(matches!(machine.change(jobs::Command::Scale(scale)), Reply::Job { index: 1.., .. }));
    assert!(matches!(machine.deregister("j", false), Reply::Job { index: 1.., .. }));
    assert!(matches!(machine.deregister("j", true), Reply::Job { index: 1.., .. }));
    assert_eq!(machine.count(kinds::SCALING_POLICY) + machine.count(kinds::CSI_PLUGIN), 0);
}
