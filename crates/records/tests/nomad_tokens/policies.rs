//! Policies and roles.

use archive::nomad::{AclPolicy, JobAcl};
use records::nomad::Refusal;
use records::nomad::acl::{self, Command, NamespaceCapability};

use super::support::*;

const READ: &str = r#"namespace "default" { policy = "read" }"#;
const WRITE: &str = r#"namespace "default" { policy = "write" }"#;

#[test]
fn a_policy_is_created_changed_and_deleted() {
    let mut machine = Machine::new();
    machine.policy("reader", READ);
    machine.policy("reader", WRITE);
    let answer = acl::policy(&machine.view(), "reader").unwrap();
    let policy = answer.value.unwrap();
    assert_eq!((policy.create_index, policy.modify_index, answer.index), (2, 3, 3));
    assert_eq!((policy.rules.as_str(), &policy.hash), (WRITE, &Some(policy.content_hash())));
    assert!(policy.rules_json.is_nil());
    let delete = Command::DeletePolicy { name: "reader".into() };
    assert_eq!(machine.apply(delete.clone()), Ok(acl::Reply::Done));
    // What is not there is gone, too.
    assert_eq!(machine.apply(delete), Ok(acl::Reply::Done));
    let answer = acl::policy(&machine.view(), "reader").unwrap();
    assert_eq!((answer.value, answer.index), (None, 5));
    assert_eq!(machine.table_index("acl_policy"), Some(5));
}

#[test]
fn policies_are_listed_by_name() {
    let mut machine = Machine::new();
    for name in ["b", "a2", "a1"] {
        machine.policy(name, READ);
    }
    let names = |prefix: &str| -> Vec<String> {
        acl::policies(&machine.view(), prefix).unwrap().value.into_iter().map(|policy| policy.name).collect()
    };
    assert_eq!(names(""), ["a1", "a2", "b"]);
    assert_eq!(names("a"), ["a1", "a2"]);
}

#[test]
fn everything_that_is_wrong_with_a_policy_is_told() {
    let mut machine = Machine::new();
    let apply = |machine: &mut Machine, policy| machine.apply(upsert(policy));
    assert_eq!(apply(&mut machine, policy("no_way", READ)), flawed("policy", "invalid name 'no_way'"));
    let unreadable = apply(&mut machine, policy("p", "namespace {")).unwrap_err().to_string();
    assert!(unreadable.contains("\t* failed to parse rules: Failed to parse ACL Policy: "), "{unreadable}");
    let job_acl = JobAcl { job_id: "job".into(), task: "task".into(), ..JobAcl::default() };
    let worst = AclPolicy { job_acl: Some(job_acl), description: "d".repeat(257), ..policy("", "") };
    let expected = "policy 0 invalid: 4 errors occurred:\n\t* invalid name ''\n\t* description longer than 256\n\t\
                    * namespace must be set to set job ID\n\t* group must be set to set task\n\n";
    assert_eq!(apply(&mut machine, worst), invalid(expected));
    assert_eq!(machine.table_index("acl_policy"), None);
}

#[test]
fn a_role_gives_its_policies_to_its_tokens() {
    let mut machine = Machine::new();
    machine.policy("reader", READ);
    let missing = machine.apply(Command::CreateRole(Box::new(role(20, "readers", &["reader", "none"]))));
    assert_eq!(missing, invalid("cannot find policy none"));
    let made = machine.role(Command::CreateRole(Box::new(role(20, "readers", &["reader", "reader"]))));
    assert_eq!(made.policies.as_ref().unwrap().len(), 1);
    assert_eq!(made.hash, Some(made.content_hash()));
    let twice = machine.apply(Command::CreateRole(Box::new(role(21, "readers", &["reader"]))));
    assert_eq!(twice, invalid("role with name readers already exists"));

    let mut token = client(1, &[]);
    token.roles = Some(vec![role_by_name("readers"), role_by_id(20)]);
    let token = machine.token(create(token));
    let roles = token.roles.unwrap();
    assert_eq!((roles.len(), roles[0].id.as_str(), roles[0].name.as_str()), (1, id(20).as_str(), "readers"));
    let may_read = |machine: &Machine| {
        let authorizer = machine.resolve(&id(2)).unwrap();
        authorizer.namespace("default", NamespaceCapability::ReadJob).is_ok()
    };
    assert!(may_read(&machine));
    let names =
        acl::policy_names(&machine.view(), &acl::token(&machine.view(), &id(1)).unwrap().value.unwrap());
    assert!(names.unwrap().contains("reader"));

    // A role by another name is the same role.
    machine.role(Command::UpdateRole(Box::new(role(20, "watchers", &["reader"]))));
    let token = acl::token(&machine.view(), &id(1)).unwrap().value.unwrap();
    assert_eq!(token.roles.unwrap()[0].name, "watchers");
    assert!(acl::role_by_name(&machine.view(), "readers").unwrap().value.is_none());
    assert!(may_read(&machine));

    assert_eq!(machine.apply(Command::DeleteRole { id: id(20) }), Ok(acl::Reply::Done));
    assert!(!may_read(&machine));
    let again = machine.apply(Command::DeleteRole { id: id(20) });
    assert_eq!(again, Err(Refusal::Failed("ACL role not found".into())));
}

#[test]
fn a_role_that_is_set_to_what_it_is_stays_as_it_is() {
    let mut machine = Machine::new();
    machine.policy("reader", READ);
    let made = machine.role(Command::CreateRole(Box::new(role(20, "readers", &["reader"]))));
    assert_eq!(machine.role(Command::UpdateRole(Box::new(role(20, "readers", &["reader"])))), made);
    assert_eq!(machine.table_index("acl_roles"), Some(made.modify_index));
    machine.role(Command::CreateRole(Box::new(role(21, "others", &["reader"]))));
    let taken = machine.apply(Command::UpdateRole(Box::new(role(21, "readers", &["reader"]))));
    assert_eq!(taken, Err(Refusal::Failed("ACL role with name readers already exists".into())));
    let missing = machine.apply(Command::UpdateRole(Box::new(role(22, "new", &["reader"]))));
    assert_eq!(missing, invalid(&format!("cannot find role {}", id(22))));
    let empty = machine.apply(Command::UpdateRole(Box::new(role(21, "others", &[]))));
    assert_eq!(empty, flawed("role", "at least one policy should be specified"));
}
