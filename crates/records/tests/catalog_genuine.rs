//! Archives that genuine servers made: their nodes, services, checks and sessions are served as their records
//! say, and a change touches what a genuine server would.

mod catalog_support;
mod kv_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use archive::consul::{Check, Node, Registration, Session, kinds};
use archive::{consul, hashicorp};
use bytes::Bytes;
use records::consul::{
    CheckState, Command, Deregister, Health, InstanceFilter, NodeMeta, Register, checks_in_state,
    node_services, nodes, service_health, service_instances, services, session_list, session_list_of_node,
};
use records::{Read, Record};

use kv_support::Machine;

const ARCHIVES: [&str; 3] = ["all.snap", "backup.snap", "backupWithKV.snap"];

/// Where the genuine archives are; tests that need one end quietly without it.
fn fixture(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let fixtures = std::env::var_os("STILLPOINT_FIXTURES").map_or(beside, PathBuf::from);
    let path = fixtures.join("consul").join(name);
    if !path.exists() {
        eprintln!("skipped: no genuine fixtures");
        return None;
    }
    Some(path)
}

fn records_of(path: &Path) -> Vec<Record> {
    let archive = hashicorp::Reader::new(File::open(path).expect("open the archive"));
    let records = consul::Records::new(archive).expect("a header");
    records
        .map(|record| {
            record
                .map(|record| Record { kind: record.kind, bytes: record.bytes.into() })
                .expect("as the test set it up")
        })
        .collect()
}

fn restored(name: &str) -> Option<(Machine, Vec<Record>)> {
    let records = records_of(&fixture(name)?);
    let mut machine = Machine::new();
    machine.restore(records.clone());
    Some((machine, records))
}

fn registrations(records: &[Record]) -> Vec<Registration> {
    let all = records.iter().filter(|record| record.kind == kinds::REGISTER);
    all.map(|record| Registration::decode(&record.bytes).expect("as the test set it up")).collect()
}

#[test]
fn the_catalog_is_served_as_the_records_say() {
    for name in ARCHIVES {
        let Some((machine, records)) = restored(name) else { return };
        let view = machine.view();
        let (any, filter) = (NodeMeta::new(), InstanceFilter::default());
        let registered = registrations(&records);
        let alone = registered.iter().filter(|it| it.service.is_none() && it.check.is_none());
        let expected: BTreeMap<String, Node> =
            alone.map(|it| (it.node.node.to_lowercase(), it.node.clone())).collect();
        let found = nodes(&view, &any).unwrap();
        let index = view.floor();
        assert_eq!(found.index, index, "{name}");
        assert!(found.value.map(Result::unwrap).eq(expected.values().cloned()), "{name}");

        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for it in &registered {
            let Some(service) = &it.service else { continue };
            names.entry(service.service.clone()).or_default().extend(service.tags.iter().flatten().cloned());
            let of_node = node_services(&view, &it.node.node).unwrap().value.unwrap();
            assert_eq!(of_node.node, it.node);
            assert!(of_node.services.contains(service), "{name}");
            let found = service_instances(&view, &service.service, &filter).unwrap();
            assert!(found.value.map(Result::unwrap).any(|found| found.service == *service), "{name}");
            let found = service_health(&view, &service.service, &filter, Health::Any).unwrap();
            let of_node = |check: &Check| check.node.eq_ignore_ascii_case(&it.node.node);
            let checks = registered.iter().filter_map(|it| it.check.clone()).filter(|check| of_node(check));
            let applies = |check: &Check| check.service_id.is_empty() || check.service_id == service.id;
            let expected = checks.filter(applies).count();
            let found = found.value.map(Result::unwrap).find(|found| found.service == *service).unwrap();
            assert_eq!(found.checks.len(), expected, "{name}");
        }
        assert_eq!(services(&view, &any).unwrap().value, names, "{name}");

        let checks = registered.iter().filter_map(|it| it.check.clone());
        let found = checks_in_state(&view, &CheckState::Any, &any).unwrap();
        let found: Vec<Check> = found.value.map(Result::unwrap).collect();
        let expected: Vec<Check> = checks.collect();
        assert_eq!(found.len(), expected.len(), "{name}");
        assert!(expected.iter().all(|check| found.contains(check)), "{name}");
    }
}

#[test]
fn sessions_are_served_as_the_records_say() {
    for (name, count) in ARCHIVES.into_iter().zip([1, 0, 1]) {
        let Some((machine, records)) = restored(name) else { return };
        let view = machine.view();
        let archived = records.iter().filter(|record| record.kind == kinds::SESSION);
        let archived: Vec<Session> = archived.map(|record| Session::decode(&record.bytes).unwrap()).collect();
        assert_eq!(archived.len(), count, "{name}");
        assert!(session_list(&view).unwrap().value.map(Result::unwrap).eq(archived.iter().cloned()));
        for session in archived {
            let of_node = session_list_of_node(&view, &session.node).unwrap();
            assert!(of_node.value.map(Result::unwrap).eq([session]), "{name}");
        }
    }
}

#[test]
fn a_change_to_one_node_rewrites_its_records_and_indexes_alone() {
    for name in ARCHIVES {
        let Some((mut machine, records)) = restored(name) else { return };
        let registered = registrations(&records);
        let Some(check) = registered.iter().find_map(|it| it.check.clone()) else { continue };
        let node = registered.iter().find(|it| it.node.node == check.node).unwrap().node.clone();
        let before = machine.contents();
        let warns = Check { status: "warning".into(), ..check.clone() };
        let register = Register { node: node.clone(), checks: vec![warns.clone()], ..Register::default() };
        machine.done(Command::Register(register));
        let (gone, new) = difference(&before, &machine.contents());
        let [changed] = &registrations(&new)[..] else { panic!("{name}: one record changes") };
        let index = machine.view().index();
        assert_eq!(changed.check, Some(Check { modify_index: index, ..warns }), "{name}");
        let of_index = |records: &[Record]| {
            let all = records.iter().filter(|record| record.kind == kinds::INDEX);
            all.count()
        };
        assert_eq!(of_index(&new) + 1, new.len(), "{name}: nothing else but indexes");
        assert!(gone.len() <= new.len(), "{name}");

        machine.done(Command::Deregister(Deregister { node: node.node, ..Deregister::default() }));
        let left: Vec<Record> =
            machine.contents().into_iter().map(|(kind, bytes)| Record { kind, bytes }).collect();
        let others = registered.iter().filter(|it| !it.node.node.eq_ignore_ascii_case(&check.node)).count();
        assert_eq!(registrations(&left).len(), others, "{name}");
    }
}

/// The records that are in one and not in the other.
fn difference(before: &[(u8, Bytes)], after: &[(u8, Bytes)]) -> (Vec<Record>, Vec<Record>) {
    let without = |these: &[(u8, Bytes)], those: &[(u8, Bytes)]| {
        let these = these.iter().filter(|record| !those.contains(record));
        these.map(|(kind, bytes)| Record { kind: *kind, bytes: bytes.clone() }).collect()
    };
    (without(before, after), without(after, before))
}
