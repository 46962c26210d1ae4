//! The first token, and what a genuine archive brings.

use archive::msgpack::Time;
use records::nomad::acl::{self, OperatorCapability, Unresolved};

use super::support::*;

#[test]
fn the_first_token_may_do_everything_and_there_is_one() {
    let mut machine = Machine::new();
    assert_eq!(acl::bootstrapped_at(&machine.view()).unwrap(), None);
    let token = machine.token(bootstrap(1, None));
    assert_eq!(
        (token.name.as_str(), token.kind.as_str(), token.global),
        ("Bootstrap Token", "management", true)
    );
    assert_eq!((token.create_index, token.modify_index), (2, 2));
    assert_eq!(token.create_time, Time::from_unix(1_704_067_200, 0));
    assert_eq!(token.hash, Some(token.content_hash()));
    assert!(token.policies.is_none() && token.roles.is_none() && token.expiration_time.is_none());
    assert!(machine.resolve(&id(2)).unwrap().management().is_ok());
    assert_eq!(
        (machine.table_index("acl_token"), machine.table_index("acl_token_bootstrap")),
        (Some(2), Some(2))
    );
    assert_eq!(machine.apply(bootstrap(5, None)), invalid("ACL bootstrap already done (reset index: 2)"));
}

#[test]
fn an_operator_with_the_index_bootstraps_once_more() {
    let mut machine = Machine::new();
    machine.token(bootstrap(1, None));
    let wrong = "Invalid bootstrap reset index (specified 7, reset index: 2)";
    assert_eq!(machine.apply(bootstrap(5, Some(7))), invalid(wrong));
    assert_eq!(machine.apply(bootstrap(1, Some(2))), invalid("a token with that secret already exists"));
    let again = machine.token(bootstrap(5, Some(2)));
    assert_eq!(acl::bootstrapped_at(&machine.view()).unwrap(), Some(again.create_index));
    assert!(machine.resolve(&id(2)).is_ok() && machine.resolve(&id(6)).is_ok());
    assert!(machine.apply(bootstrap(9, Some(2))).is_err());
}

#[test]
fn a_chosen_secret_is_a_uuid() {
    let mut machine = Machine::new();
    let chosen = acl::Command::Bootstrap { accessor: id(1), secret: "root".into(), reset_index: None };
    assert_eq!(machine.apply(chosen), invalid("invalid acl token"));
    assert_eq!(acl::bootstrapped_at(&machine.view()).unwrap(), None);
}

#[test]
fn tokens_of_a_genuine_archive_are_good() {
    let mut machine = Machine::new();
    machine.token(bootstrap(1, None));
    machine.restore("server.snap");
    // The first token of that server; ours is gone with all that was here.
    let root = "5ca1ab1e-5ec2-4000-8000-000000000001";
    assert!(machine.resolve(root).unwrap().management().is_ok());
    assert!(machine.resolve(&root.to_uppercase()).unwrap().management().is_ok());
    assert!(matches!(machine.resolve(&id(2)), Err(Unresolved::NotFound)));
    assert!(acl::bootstrapped_at(&machine.view()).unwrap().is_some());
    assert!(machine.apply(bootstrap(7, None)).is_err());
    let view = machine.view();
    let tokens = acl::tokens(&view, "").unwrap().value;
    assert!(tokens.iter().any(|token| token.kind == "client"));
    for token in &tokens {
        assert_eq!(token.hash, Some(token.content_hash()), "{}", token.name);
        assert_eq!(
            acl::authenticate(&view, &token.secret_id, START_MS).unwrap().accessor_id,
            token.accessor_id
        );
        // Whatever it may do, its policies can be read.
        acl::resolve(&view, &token.secret_id, START_MS).unwrap();
    }
    for role in acl::roles(&view, "").unwrap().value {
        assert_eq!(acl::role_by_name(&view, &role.name).unwrap().value, Some(role));
    }
}

#[test]
fn whoever_bears_no_token_has_the_anonymous_policy_if_there_is_one() {
    let mut machine = Machine::new();
    let may_save =
        |machine: &Machine| machine.resolve("").unwrap().operator(OperatorCapability::SnapshotSave);
    assert!(may_save(&machine).is_err());
    machine.policy("anonymous", r#"operator { policy = "write" }"#);
    assert!(may_save(&machine).is_ok());
    assert!(machine.resolve("").unwrap().management().is_err());
    machine.apply(acl::Command::DeletePolicy { name: "anonymous".into() }).unwrap();
    assert!(may_save(&machine).is_err());
}
