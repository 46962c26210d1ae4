//! Tokens: what they have to be, how long they live, who is told what about them.

use archive::msgpack::Time;
use archive::nomad::AclToken;
use records::nomad::acl::{self, Command, NamespaceCapability, Unresolved};

use super::support::*;

const MINUTE_NS: i64 = 60_000_000_000;

#[test]
fn a_client_token_has_the_rights_of_its_policies() {
    let mut machine = Machine::new();
    machine.policy("reader", r#"namespace "default" { policy = "read" }"#);
    // A policy that is not there grants nothing, and may come later.
    let token = machine.token(create(client(1, &["reader", "later"])));
    assert_eq!((token.create_index, token.modify_index), (3, 3));
    assert_eq!(token.hash, Some(token.content_hash()));
    let may = |machine: &Machine, capability| {
        machine.resolve(&id(2)).unwrap().namespace("default", capability).is_ok()
    };
    assert!(may(&machine, NamespaceCapability::ReadJob) && !may(&machine, NamespaceCapability::SubmitJob));
    assert!(machine.resolve(&id(2)).unwrap().management().is_err());
    machine.policy("later", r#"namespace "default" { policy = "write" }"#);
    assert!(may(&machine, NamespaceCapability::SubmitJob));
}

#[test]
fn unknown_secrets_are_denied_and_told_nothing() {
    let machine = Machine::new();
    for secret in [id(7).as_str(), "anonymous", "x", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"] {
        let error = machine.resolve(secret).unwrap_err();
        assert!(matches!(error, Unresolved::NotFound));
        assert_eq!(error.to_string(), "Permission denied");
    }
}

#[test]
fn everything_that_is_wrong_with_a_token_is_told() {
    let mut machine = Machine::new();
    let mut refused = |token: AclToken| machine.apply(create(token));
    let links = "management token cannot be associated with policies or roles";
    assert_eq!(refused(client(1, &[])), flawed("token", "client token missing policies or roles"));
    assert_eq!(refused(AclToken { kind: "management".into(), ..client(1, &["p"]) }), flawed("token", links));
    let kind = "token type must be client or management";
    assert_eq!(refused(AclToken { kind: String::new(), ..client(1, &["p"]) }), flawed("token", kind));
    let long = AclToken { name: "n".repeat(257), ..client(1, &["p"]) };
    assert_eq!(refused(long), flawed("token", "token name too long"));
    let mut linked = client(1, &[]);
    linked.roles = Some(vec![role_by_name("none")]);
    assert_eq!(refused(linked), invalid("cannot find role none"));

    let life = |ns| AclToken { expiration_ttl_ns: ns, ..client(1, &["p"]) };
    let short = "expiration time cannot be less than 1m0s in the future (was 59s)";
    assert_eq!(refused(life(MINUTE_NS - 1_000_000_000)), flawed("token", short));
    let long = "expiration time cannot be more than 24h0m0s in the future (was 24h1m0s)";
    assert_eq!(refused(life(MINUTE_NS * (24 * 60 + 1))), flawed("token", long));
    let past = "token 0 invalid: 3 errors occurred:\n\t* token expiration TTL '-1m0s' should not be negative\n\t\
                * expiration time cannot be before create time\n\t\
                * expiration time cannot be less than 1m0s in the future (was -1m0s)\n\n";
    assert_eq!(refused(life(-MINUTE_NS)), invalid(past));
    assert_eq!(machine.table_index("acl_token"), None);
}

#[test]
fn what_a_token_is_can_be_changed_and_what_it_was_given_for_cannot() {
    let mut machine = Machine::new();
    let made = machine.token(create(AclToken { expiration_ttl_ns: MINUTE_NS, ..client(1, &["p"]) }));
    machine.now_ms += 1_000;
    let sent = AclToken {
        name: "renamed".into(),
        secret_id: id(9),
        create_time: Time::ZERO,
        expiration_ttl_ns: MINUTE_NS,
        ..client(1, &["q"])
    };
    let changed = machine.token(update(sent.clone()));
    assert_eq!(
        (changed.name.as_str(), changed.policies.as_deref()),
        ("renamed", Some(&["q".to_owned()][..]))
    );
    assert_eq!((&changed.secret_id, changed.create_time), (&made.secret_id, made.create_time));
    assert_eq!((changed.create_index, changed.modify_index), (2, 3));
    // An expiration that is not said again stays.
    assert_eq!(changed.expiration_time, made.expiration_time);
    let later = Some(Time::from_unix(1_704_070_000, 0));
    for (wish, flaw) in [
        (AclToken { global: true, ..sent.clone() }, "cannot toggle global mode"),
        (AclToken { expiration_ttl_ns: 0, ..sent.clone() }, "cannot update expiration TTL"),
        (AclToken { expiration_time: later, ..sent.clone() }, "cannot update expiration time"),
    ] {
        assert_eq!(machine.apply(update(wish)), flawed("token", flaw));
    }
    let missing = machine.apply(update(client(5, &["p"])));
    assert_eq!(missing, invalid(&format!("cannot find token {}", id(5))));
}

#[test]
fn a_token_ends_with_its_time_and_is_reaped() {
    let mut machine = Machine::new();
    let token = machine.token(create(AclToken { expiration_ttl_ns: MINUTE_NS, ..client(1, &["p"]) }));
    assert_eq!(token.expiration_time, Some(Time::from_unix(1_704_067_260, 0)));
    assert_eq!(token.expiration_ttl_ns, MINUTE_NS);
    machine.token(create(client(3, &["p"])));
    let end_ms = START_MS + 60_000;
    assert_eq!(acl::next_expiration_ms(&machine.view()).unwrap(), Some(end_ms));
    machine.now_ms = end_ms;
    assert!(machine.resolve(&id(2)).is_ok());
    machine.now_ms = end_ms + 1;
    let error = machine.resolve(&id(2)).unwrap_err();
    assert!(matches!(error, Unresolved::Expired));
    assert_eq!(error.to_string(), "ACL token expired");
    machine.apply(Command::ReapTokens).unwrap();
    assert!(matches!(machine.resolve(&id(2)), Err(Unresolved::NotFound)));
    assert!(machine.resolve(&id(4)).is_ok());
    assert_eq!(acl::next_expiration_ms(&machine.view()).unwrap(), None);
    let index = machine.table_index("acl_token");
    machine.apply(Command::ReapTokens).unwrap();
    assert_eq!(machine.table_index("acl_token"), index);
}

#[test]
fn tokens_are_listed_the_oldest_first_and_deleted_once() {
    let mut machine = Machine::new();
    for number in [30, 10, 20] {
        machine.token(create(client(number, &["p"])));
    }
    let accessors = |machine: &Machine, prefix: &str| -> Vec<String> {
        let tokens = acl::tokens(&machine.view(), prefix).unwrap().value;
        tokens.into_iter().map(|token| token.accessor_id).collect()
    };
    assert_eq!(accessors(&machine, ""), [id(30), id(10), id(20)]);
    assert_eq!(accessors(&machine, "0000001"), [id(20), id(30)]);
    let delete = Command::DeleteToken { accessor: id(10) };
    assert_eq!(machine.apply(delete.clone()), Ok(acl::Reply::Done));
    assert_eq!(machine.apply(delete), invalid(&format!("Cannot delete nonexistent tokens: {}", id(10))));
    assert!(matches!(machine.resolve(&id(11)), Err(Unresolved::NotFound)));
}

#[test]
fn ids_that_are_taken_are_not_given_again() {
    let mut machine = Machine::new();
    machine.token(create(client(1, &["p"])));
    for token in [client(1, &["p"]), client(2, &["p"]), AclToken { secret_id: id(1), ..client(8, &["p"]) }] {
        assert!(machine.apply(create(token)).is_err());
    }
}
