//! An archive that a genuine server made: its tokens resolve, its records stay as they are.

use std::fs::File;
use std::path::{Path, PathBuf};

use archive::consul::AclToken;
use archive::consul::{Records, kinds};
use archive::hashicorp::Reader;
use records::Record;
use records::consul::acl::{self, ANONYMOUS_ACCESSOR, Command, TokenFilter, bootstrapped_at};

use crate::support::{Machine, START_MS, id};

/// The records of the archive with everything in it, if there are genuine archives on this machine.
fn genuine() -> Option<Vec<Record>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let fixtures = std::env::var_os("STILLPOINT_FIXTURES").map_or(beside, PathBuf::from);
    let Ok(file) = File::open(fixtures.join("consul/all.snap")) else {
        eprintln!("skipped: no genuine fixtures");
        return None;
    };
    let records = Records::new(Reader::new(file)).expect("a header").map(|record| record.expect("a record"));
    Some(records.map(|record| Record { kind: record.kind, bytes: record.bytes.into() }).collect())
}

#[test]
fn genuine_tokens_resolve_to_the_rights_they_had() {
    let Some(archived) = genuine() else { return };
    let mut machine = Machine::new();
    machine.restore(archived);
    let root = machine.resolve("root").unwrap();
    assert!(root.acl_write().is_ok() && root.operator_write().is_ok() && root.key_write(b"a").is_ok());
    let node = machine.resolve("a4794332-5fe2-51e1-3a78-47c684bd181c").unwrap();
    assert!(node.node_write("localhost").is_ok() && node.node_write("other").is_err());
    assert!(node.service_read("web").is_ok() && node.acl_read().is_err());
    assert_eq!(machine.resolve("").unwrap().accessor(), ANONYMOUS_ACCESSOR);
    assert_eq!(bootstrapped_at(&machine.view()).unwrap(), Some(6));
    let view = machine.view();
    assert_eq!(acl::tokens(&view, TokenFilter::All, START_MS).unwrap().value.len(), 3);
    let role = acl::role_by_name(&view, "test").unwrap().value.unwrap();
    assert_eq!(role.policies.unwrap()[0].name, "test");
}

#[test]
fn genuine_tokens_can_be_changed_and_the_others_stay_as_they_are() {
    let Some(archived) = genuine() else { return };
    let mut machine = Machine::new();
    machine.restore(archived.clone());
    let accessor_id = "d56136c7-a3a8-ceac-da70-9bee9755d252";
    let change =
        AclToken { accessor_id: accessor_id.into(), description: "new".into(), ..AclToken::default() };
    let changed = machine.token(Command::UpdateToken(Box::new(change)));
    assert_eq!(changed.create_index, 31);
    let mut now = machine.archived();
    let is_touched = |record: &Record| {
        let bytes = record.bytes.as_ref();
        record.kind == kinds::ACL_TOKEN && AclToken::decode(bytes).unwrap().accessor_id == accessor_id
            || record.kind == kinds::INDEX && bytes.windows(10).any(|part| part == b"acl-tokens")
    };
    let mut before = archived;
    before.retain(|record| !is_touched(record));
    now.retain(|record| !is_touched(record));
    let key = |record: &Record| (record.kind, record.bytes.clone());
    before.sort_by_key(key);
    now.sort_by_key(key);
    assert!(before == now);
}

#[test]
fn built_ins_of_enterprise_become_those_of_the_community() {
    let Some(archived) = genuine() else { return };
    let mut machine = Machine::new();
    machine.restore(archived);
    assert!(!acl::is_initialized(&machine.view(), None).unwrap());
    machine.apply(Command::Initialize { management: None });
    assert!(acl::is_initialized(&machine.view(), None).unwrap());
    assert!(machine.resolve("root").unwrap().snapshot().is_ok());
    let reply = machine.apply(Command::Bootstrap { accessor: id(1), secret: id(2), reset_index: None });
    let text = "Permission denied: ACL bootstrap no longer allowed (reset index: 6)";
    assert_eq!(reply, acl::Reply::Denied(text.into()));
}
