//! The life of policies and roles.

use archive::consul::{AclPolicy, AclRole, NodeIdentity, ServiceIdentity};
use records::consul::acl::{self, Command, GLOBAL_MANAGEMENT_ID, GLOBAL_READ_ONLY_ID, Reply};

use crate::support::{Machine, create, failed, id, link, link_by_name, policy, token};

fn create_policy(policy: AclPolicy) -> Command {
    Command::CreatePolicy(Box::new(policy))
}

fn update_policy(policy: AclPolicy) -> Command {
    Command::UpdatePolicy(Box::new(policy))
}

fn role(number: u32, name: &str) -> AclRole {
    AclRole { id: id(number), name: name.into(), ..AclRole::default() }
}

fn create_role(role: AclRole) -> Command {
    Command::CreateRole(Box::new(role))
}

#[test]
fn a_policy_is_created_changed_and_deleted() {
    let mut machine = Machine::initialized();
    let created = machine.policy(1, "one", "acl = \"read\"");
    assert_eq!(created.hash, Some(created.content_hash()));
    assert_eq!(machine.table_index("acl-policies"), Some(created.modify_index));

    let changed = AclPolicy { name: "renamed".into(), ..created.clone() };
    let Reply::Policy(changed) = machine.apply(update_policy(changed)) else { panic!() };
    assert_eq!(changed.create_index, created.create_index);
    assert!(changed.modify_index > created.modify_index);
    assert_ne!(changed.hash, created.hash);
    let view = machine.view();
    assert_eq!(acl::policy_by_name(&view, "one").unwrap().value, None);
    let found = acl::policy_by_name(&view, "RENAMED").unwrap();
    assert_eq!((found.value.as_ref(), found.index), (Some(&*changed), changed.modify_index));

    assert_eq!(machine.apply(Command::DeletePolicy { id: id(1) }), Reply::Deleted);
    assert_eq!(machine.apply(Command::DeletePolicy { id: id(1) }), Reply::NotFound);
    assert!(machine.table_index("acl-policies") > Some(changed.modify_index));
    let names: Vec<_> = acl::policies(&machine.view()).unwrap().value.into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["global-management", "builtin/global-read-only"]);
}

#[test]
fn names_of_policies_are_checked() {
    let mut machine = Machine::initialized();
    machine.policy(1, "taken", "");
    let invalid =
        "Invalid Policy: invalid Name. Only alphanumeric characters, a single '/', '-' and '_' are allowed";
    let long = "x".repeat(129);
    let table = [
        ("", "Invalid Policy: no Name is set"),
        ("a b", invalid),
        ("/a", invalid),
        ("a/b/c", invalid),
        ("builtin/mine", invalid),
        (&long, invalid),
        ("Taken", "Invalid Policy: A Policy with Name \"Taken\" already exists"),
    ];
    for (name, expected) in table {
        assert_eq!(machine.apply(create_policy(policy(2, name))), failed(expected), "{name}");
    }
    machine.policy(2, "team/a-b_C9", "");
}

#[test]
fn rules_of_new_policies_must_be_rules() {
    let mut machine = Machine::initialized();
    let wrong = AclPolicy { rules: "acl = \"no\"".into(), ..policy(1, "wrong") };
    assert_eq!(machine.apply(create_policy(wrong)), failed("Invalid acl policy: \"no\""));
    assert_eq!(acl::policy(&machine.view(), &id(1)).unwrap().value, None);
}

#[test]
fn policies_that_are_not_there_cannot_be_changed() {
    let mut machine = Machine::initialized();
    let expected = format!("cannot find policy {}", id(1));
    assert_eq!(machine.apply(update_policy(policy(1, "a"))), failed(&expected));
    let without_id = AclPolicy { id: "x".into(), ..policy(1, "a") };
    assert_eq!(machine.apply(update_policy(without_id)), failed("Policy ID invalid UUID"));
}

#[test]
fn built_in_policies_can_be_renamed_and_nothing_else() {
    let mut machine = Machine::initialized();
    for policy_id in [GLOBAL_MANAGEMENT_ID, GLOBAL_READ_ONLY_ID] {
        let before = acl::policy(&machine.view(), policy_id).unwrap().value.unwrap();
        let name = before.name.clone();
        let other_rules = AclPolicy { rules: "acl = \"deny\"".into(), ..before.clone() };
        let expected = format!("Changing the Rules for the builtin {name} policy is not permitted");
        assert_eq!(machine.apply(update_policy(other_rules)), failed(&expected));
        let bound = AclPolicy { datacenters: Some(vec!["dc1".into()]), ..before.clone() };
        let expected = format!("Changing the Datacenters of the builtin {name} policy is not permitted");
        assert_eq!(machine.apply(update_policy(bound)), failed(&expected));
        let expected = format!("Delete operation not permitted on the builtin {name} policy");
        assert_eq!(machine.apply(Command::DeletePolicy { id: policy_id.into() }), failed(&expected));
        let renamed = AclPolicy { name: format!("mine-{policy_id}"), ..before };
        assert!(matches!(machine.apply(update_policy(renamed)), Reply::Policy(_)));
    }
}

#[test]
fn a_role_gives_its_rights_to_its_tokens() {
    let mut machine = Machine::initialized();
    machine.policy(1, "keys", "key \"a\" { policy = \"write\" }");
    let role = AclRole {
        policies: Some(vec![link_by_name("keys"), link(&id(1))]),
        service_identities: Some(vec![ServiceIdentity { service_name: "web".into(), datacenters: None }]),
        node_identities: Some(vec![NodeIdentity { node_name: "n".into(), datacenter: "dc1".into() }]),
        ..role(2, "writer")
    };
    let Reply::Role(role) = machine.apply(create_role(role)) else { panic!() };
    assert_eq!(role.policies.as_ref().unwrap().len(), 1);
    assert_eq!(role.hash, Some(role.content_hash()));
    assert_eq!(machine.table_index("acl-roles"), Some(role.modify_index));
    let mut wanted = token(10);
    wanted.roles = Some(vec![link_by_name("writer")]);
    let token = machine.token(create(wanted));

    let may = machine.resolve(&token.secret_id).unwrap();
    assert!(may.key_write(b"a").is_ok());
    assert!(may.service_write("web").is_ok() && may.service_write("web-sidecar-proxy").is_ok());
    assert!(may.node_write("n").is_ok() && may.node_write("m").is_err());

    assert_eq!(machine.apply(Command::DeletePolicy { id: id(1) }), Reply::Deleted);
    assert!(machine.resolve(&token.secret_id).unwrap().key_write(b"a").is_err());
    let role = acl::role_by_name(&machine.view(), "Writer").unwrap().value.unwrap();
    assert_eq!(role.policies, Some(vec![]));
    assert_eq!(machine.apply(Command::DeleteRole { id: id(2) }), Reply::Deleted);
    assert_eq!(machine.apply(Command::DeleteRole { id: id(2) }), Reply::NotFound);
    assert!(machine.resolve(&token.secret_id).unwrap().service_write("web").is_err());
}

#[test]
fn roles_are_checked_and_can_be_changed() {
    let mut machine = Machine::initialized();
    machine.apply(create_role(role(1, "one")));
    let invalid = "Invalid Role: invalid Name. Only alphanumeric characters, '-' and '_' are allowed";
    let table = [
        (role(2, ""), "Invalid Role: no Name is set".to_owned()),
        (role(2, "a/b"), invalid.into()),
        (role(2, "ONE"), "Invalid Role: A Role with Name \"ONE\" already exists".into()),
        (
            AclRole { policies: Some(vec![link(&id(7))]), ..role(2, "two") },
            format!("Failed to apply role upsert request: No such policy with ID: {}", id(7)),
        ),
        (
            AclRole { policies: Some(vec![link_by_name("x")]), ..role(2, "two") },
            "No such ACL policy with name \"x\"".into(),
        ),
        (
            AclRole { node_identities: Some(vec![NodeIdentity::default()]), ..role(2, "two") },
            "Node identity is missing the node name field on this role".into(),
        ),
    ];
    for (role, expected) in table {
        assert_eq!(machine.apply(create_role(role)), failed(&expected));
    }
    let renamed = machine.apply(Command::UpdateRole(Box::new(role(1, "uno"))));
    assert!(matches!(renamed, Reply::Role(role) if role.name == "uno"));
    let missing = machine.apply(Command::UpdateRole(Box::new(role(9, "nine"))));
    assert_eq!(missing, failed(&format!("cannot find role {}", id(9))));
    machine.policy(3, "p", "");
    machine.apply(create_role(AclRole { policies: Some(vec![link(&id(3))]), ..role(4, "four") }));
    let view = machine.view();
    let linked = acl::roles(&view, Some(&id(3))).unwrap().value;
    assert_eq!(linked.into_iter().map(|role| role.name).collect::<Vec<_>>(), ["four"]);
    assert_eq!(acl::roles(&view, None).unwrap().value.len(), 2);
}
