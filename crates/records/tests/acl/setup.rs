//! How access control begins: built-ins, bootstrap, and both again after a restore.

use archive::consul::{AclPolicy, AclToken, IndexEntry, kinds};
use records::Record;
use records::consul::acl::{
    self, ANONYMOUS_ACCESSOR, Command, GLOBAL_MANAGEMENT_ID, ManagementToken, Reply, bootstrapped_at,
    is_initialized,
};

use crate::support::{Machine, START_MS, create, failed, id, token};

fn bootstrap(number: u32, reset_index: Option<u64>) -> Command {
    Command::Bootstrap { accessor: id(number), secret: id(number + 1), reset_index }
}

fn initialize() -> Command {
    Command::Initialize { management: None }
}

fn index_record(key: &str, value: u64) -> Record {
    let bytes = IndexEntry { key: key.into(), value }.encode().into();
    Record { kind: kinds::INDEX, bytes }
}

#[test]
fn built_ins_are_created_once() {
    let mut machine = Machine::new();
    assert!(!is_initialized(&machine.view(), None).unwrap());
    machine.apply(initialize());
    assert!(is_initialized(&machine.view(), None).unwrap());
    let before = machine.archived();
    machine.apply(initialize());
    assert_eq!(machine.archived(), before);
    let anonymous = acl::token(&machine.view(), ANONYMOUS_ACCESSOR, START_MS).unwrap().value.unwrap();
    assert_eq!(
        (anonymous.secret_id.as_str(), anonymous.description.as_str()),
        ("anonymous", "Anonymous Token")
    );
    assert_eq!(bootstrapped_at(&machine.view()).unwrap(), None);
}

#[test]
fn the_operators_management_token_counts_as_bootstrap() {
    let mut machine = Machine::new();
    let management = Some(ManagementToken { accessor: id(1), secret: "root".into() });
    machine.apply(Command::Initialize { management: management.clone() });
    let token = acl::token_by_secret(&machine.view(), "root", START_MS).unwrap().value.unwrap();
    assert_eq!(token.description, "Initial Management Token");
    assert_eq!(bootstrapped_at(&machine.view()).unwrap(), Some(token.create_index));
    assert!(machine.resolve("root").unwrap().acl_write().is_ok());
    assert!(is_initialized(&machine.view(), Some("root")).unwrap());
    assert!(!is_initialized(&machine.view(), Some("other")).unwrap());
    let before = machine.archived();
    machine.apply(Command::Initialize { management });
    assert_eq!(machine.archived(), before);

    let impossible = Some(ManagementToken { accessor: id(2), secret: "a\0b".into() });
    let reply = machine.apply(Command::Initialize { management: impossible });
    assert_eq!(reply, failed("the initial management token is no possible secret"));
}

#[test]
fn a_cluster_is_bootstrapped_once() {
    let mut machine = Machine::initialized();
    let token = machine.token(bootstrap(1, None));
    assert_eq!(token.description, "Bootstrap Token (Global Management)");
    assert_eq!(token.policies.as_ref().unwrap()[0].name, "global-management");
    assert_eq!((&token.accessor_id, &token.secret_id), (&id(1), &id(2)));
    let at = machine.table_index("acl-token-bootstrap").unwrap();
    assert_eq!(at, token.create_index);
    let may = machine.resolve(&id(2)).unwrap();
    assert!(may.acl_write().is_ok() && may.operator_write().is_ok() && may.key_write_prefix(b"").is_ok());

    let text = format!("Permission denied: ACL bootstrap no longer allowed (reset index: {at})");
    assert_eq!(machine.apply(bootstrap(3, None)), Reply::Denied(text));
}

#[test]
fn the_reset_index_allows_to_bootstrap_again() {
    let mut machine = Machine::initialized();
    machine.token(bootstrap(1, None));
    let at = machine.table_index("acl-token-bootstrap").unwrap();
    let text = format!("Invalid bootstrap reset index (specified {}, reset index: {at})", at + 1);
    assert_eq!(machine.apply(bootstrap(3, Some(at + 1))), failed(&text));
    machine.token(bootstrap(3, Some(at)));
    assert!(machine.table_index("acl-token-bootstrap") > Some(at));
    assert!(machine.resolve(&id(2)).is_ok() && machine.resolve(&id(4)).is_ok());
}

#[test]
fn a_chosen_secret_must_be_a_free_uuid() {
    let mut machine = Machine::initialized();
    machine.token(create(token(10)));
    let with_secret =
        |secret: &str| Command::Bootstrap { accessor: id(1), secret: secret.into(), reset_index: None };
    assert_eq!(machine.apply(with_secret("short")), failed("uuid string is wrong length"));
    let taken = "Provided token cannot be used because a token with that secret already exists.";
    assert_eq!(machine.apply(with_secret(&id(11))), failed(taken));
    assert_eq!(bootstrapped_at(&machine.view()).unwrap(), None);
    machine.token(with_secret(&id(5)));
}

#[test]
fn bootstrap_stays_closed_after_the_restore_of_a_bootstrapped_cluster() {
    let mut machine = Machine::initialized();
    machine.token(bootstrap(1, None));
    let archived = machine.archived();
    let mut other = Machine::new();
    other.restore(archived);
    let at = other.table_index("acl-token-bootstrap").unwrap();
    let text = format!("Permission denied: ACL bootstrap no longer allowed (reset index: {at})");
    assert_eq!(other.apply(bootstrap(3, None)), Reply::Denied(text));
    assert!(other.resolve(&id(2)).unwrap().acl_write().is_ok(), "the archive's tokens are the tokens now");
}

#[test]
fn bootstrap_opens_again_after_the_restore_of_a_cluster_without_access_control() {
    let mut machine = Machine::initialized();
    machine.token(bootstrap(1, None));
    machine.restore(vec![index_record("kvs", 7)]);
    assert!(machine.resolve(&id(2)).is_err());
    assert!(machine.resolve("").is_ok(), "requests without a token are answered meanwhile");
    machine.token(bootstrap(3, None));
    assert!(machine.resolve(&id(4)).unwrap().acl_write().is_ok());
    assert!(!is_initialized(&machine.view(), None).unwrap());
    machine.apply(initialize());
    assert!(is_initialized(&machine.view(), None).unwrap());
}

#[test]
fn older_built_in_policies_get_todays_rules_and_keep_their_names() {
    let mut machine = Machine::new();
    let old = AclPolicy {
        id: GLOBAL_MANAGEMENT_ID.into(),
        name: "root".into(),
        rules: "acl = \"write\"".into(),
        create_index: 3,
        ..AclPolicy::default()
    };
    let link = archive::consul::Link { id: GLOBAL_MANAGEMENT_ID.into(), name: String::new() };
    let admin = AclToken { policies: Some(vec![link]), ..token(10) };
    machine.restore(vec![
        Record { kind: kinds::ACL_TOKEN, bytes: admin.encode().into() },
        Record { kind: kinds::ACL_POLICY, bytes: old.encode().into() },
    ]);
    assert!(machine.resolve(&id(11)).unwrap().operator_write().is_err());
    machine.apply(initialize());
    assert!(machine.resolve(&id(11)).unwrap().operator_write().is_ok());
    let policy = acl::policy(&machine.view(), GLOBAL_MANAGEMENT_ID).unwrap().value.unwrap();
    assert_eq!((policy.name.as_str(), policy.create_index), ("root", 3));
}
