//! The life of tokens: created, changed, cloned, expired, reaped, deleted.

use archive::consul::{
    AclPolicy, AclRole, AclToken, NodeIdentity, ServiceIdentity, TemplateVariables, TemplatedPolicy,
};
use archive::msgpack::Time;
use records::consul::acl::{
    self, ANONYMOUS_ACCESSOR, Command, DefaultPolicy, REDACTED, Reply, TokenFilter, Unresolved, resolve,
};

use crate::support::{
    Machine, START_MS, create, failed, id, link, link_by_name, policy, settings, token, update,
};

const MINUTE_MS: u64 = 60_000;
const MINUTE_NS: i64 = 60_000_000_000;

fn clone_of(source: u32, number: u32, description: &str) -> Command {
    let (source, accessor, secret) = (id(source), id(number), id(number + 1));
    Command::CloneToken { source, accessor, secret, description: description.into() }
}

fn delete(accessor: &str, by: &str) -> Command {
    Command::DeleteToken { accessor: accessor.into(), by: by.into() }
}

/// In seconds from the start.
fn after(seconds: i64) -> Option<Time> {
    Some(Time::from_unix((START_MS / 1_000) as i64 + seconds, 0))
}

#[test]
fn a_new_token_is_found_by_accessor_and_by_secret() {
    let mut machine = Machine::initialized();
    machine.policy(1, "reader", "key_prefix \"\" { policy = \"read\" }");
    let mut wanted = token(10);
    wanted.description = "for tests".into();
    wanted.policies = Some(vec![link_by_name("READER"), link(&id(1))]);
    let created = machine.token(create(wanted));
    assert_eq!(created.create_time, Time::from_unix((START_MS / 1_000) as i64, 0));
    assert_eq!(created.hash, Some(created.content_hash()));
    assert_eq!(created.policies.as_ref().unwrap()[0].name, "reader");
    assert_eq!(created.policies.as_ref().unwrap().len(), 1);
    assert_eq!(machine.table_index("acl-tokens"), Some(created.modify_index));

    let view = machine.view();
    let by_accessor = acl::token(&view, &id(10), START_MS).unwrap();
    assert_eq!((by_accessor.value.as_ref(), by_accessor.index), (Some(&created), created.modify_index));
    assert_eq!(acl::token_by_secret(&view, &id(11), START_MS).unwrap().value, Some(created));
    let may = machine.resolve(&id(11)).unwrap();
    assert_eq!(may.accessor(), id(10));
    assert!(may.key_read(b"a").is_ok() && may.key_write(b"a").is_err());
}

#[test]
fn ids_of_new_tokens_are_checked() {
    let mut machine = Machine::initialized();
    machine.token(create(token(10)));
    let reserved = "00000000-0000-0000-0000-0000000000ff";
    let uuids = "UUIDs with the prefix \"00000000-0000-0000-0000-0000000000\" are reserved";
    let table = [
        ("x".to_owned(), id(1), "Invalid Token: AccessorID - not a valid UUID".to_owned()),
        (id(1), "x".into(), "Invalid Token: SecretID - not a valid UUID".into()),
        (reserved.into(), id(1), format!("Invalid Token: AccessorID - {uuids}")),
        (id(1), reserved.into(), format!("Invalid Token: SecretID - {uuids}")),
        (id(10), id(1), "Invalid Token: AccessorID is already in use".into()),
        (id(11), id(1), "Invalid Token: AccessorID is already in use".into()),
        (id(1), id(11), "Invalid Token: SecretID is already in use".into()),
        (id(1), id(10), "Invalid Token: SecretID is already in use".into()),
    ];
    for (accessor_id, secret_id, expected) in table {
        let token = AclToken { accessor_id, secret_id, ..AclToken::default() };
        assert_eq!(machine.apply(create(token)), failed(&expected));
    }
}

#[test]
fn what_a_token_links_to_is_checked() {
    let mut machine = Machine::initialized();
    let service = |name: &str, datacenters: &[&str]| {
        let datacenters = datacenters.iter().map(|datacenter| datacenter.to_string()).collect();
        Some(vec![ServiceIdentity { service_name: name.into(), datacenters: Some(datacenters) }])
    };
    let node = |name: &str, datacenter: &str| {
        Some(vec![NodeIdentity { node_name: name.into(), datacenter: datacenter.into() }])
    };
    let template = |name: &str, variable: &str| {
        let variables = Some(TemplateVariables { name: variable.into() });
        let policy = TemplatedPolicy { template_name: name.into(), variables, ..TemplatedPolicy::default() };
        Some(vec![policy])
    };
    let base = token(10);
    let table = [
        (
            AclToken { policies: Some(vec![link_by_name("x")]), ..base.clone() },
            "No such ACL policy with name \"x\"".to_owned(),
        ),
        (
            AclToken { policies: Some(vec![link(&id(7))]), ..base.clone() },
            format!("No such ACL policy with ID \"{}\"", id(7)),
        ),
        (
            AclToken { roles: Some(vec![link_by_name("x")]), ..base.clone() },
            "No such ACL role with name \"x\"".into(),
        ),
        (
            AclToken { service_identities: service("", &[]), ..base.clone() },
            "Service identity is missing the service name field on this token".into(),
        ),
        (
            AclToken { service_identities: service("We", &[]), ..base.clone() },
            "Service identity \"We\" has an invalid name. Only lowercase alphanumeric characters, '-' and '_' \
             are allowed"
                .into(),
        ),
        (
            AclToken { service_identities: service("web", &["dc1"]), local: true, ..base.clone() },
            "Service identity \"web\" cannot specify a list of datacenters on a local token".into(),
        ),
        (
            AclToken { node_identities: node("n", ""), ..base.clone() },
            "Node identity is missing the datacenter field on this token".into(),
        ),
        (
            AclToken { node_identities: node("-n", "dc1"), ..base.clone() },
            "Node identity has an invalid name. Only lowercase alphanumeric characters, '-' and '_' are allowed"
                .into(),
        ),
        (
            AclToken { templated_policies: template("builtin/no", ""), ..base.clone() },
            "no such ACL templated policy with Name \"builtin/no\"".into(),
        ),
        (
            AclToken { templated_policies: template("builtin/service", ""), ..base.clone() },
            "validation error for templated policy \"builtin/service\": name is required".into(),
        ),
        (
            AclToken { auth_method: "m".into(), ..base.clone() },
            "AuthMethod field is disallowed outside of login".into(),
        ),
    ];
    for (token, expected) in table {
        assert_eq!(machine.apply(create(token)), failed(&expected));
    }
    assert_eq!(acl::tokens(&machine.view(), TokenFilter::All, START_MS).unwrap().value.len(), 1);
}

#[test]
fn repeated_identities_become_one() {
    let mut machine = Machine::initialized();
    let service = |name: &str, datacenters: &[&str]| ServiceIdentity {
        service_name: name.into(),
        datacenters: Some(datacenters.iter().map(|datacenter| datacenter.to_string()).collect()),
    };
    let node = NodeIdentity { node_name: "n".into(), datacenter: "dc1".into() };
    let created = machine.token(create(AclToken {
        service_identities: Some(vec![service("b", &["z", "a"]), service("a", &["x"]), service("b", &["m"])]),
        node_identities: Some(vec![node.clone(), node.clone()]),
        ..token(10)
    }));
    let expected = vec![service("b", &["a", "m", "z"]), service("a", &["x"])];
    assert_eq!(created.service_identities, Some(expected));
    assert_eq!(created.node_identities, Some(vec![node]));
}

#[test]
fn an_update_sets_everything_that_can_be_changed() {
    let mut machine = Machine::initialized();
    machine.policy(1, "p", "acl = \"read\"");
    let created = machine.token(create(AclToken { expiration_time: after(3_600), ..token(10) }));
    machine.now_ms += 1;
    let wanted = AclToken {
        secret_id: String::new(),
        description: "new".into(),
        policies: Some(vec![link(&id(1))]),
        ..token(10)
    };
    let updated = machine.token(update(wanted));
    assert_eq!((&updated.secret_id, &updated.description), (&created.secret_id, &"new".to_owned()));
    assert_eq!(updated.create_index, created.create_index);
    assert!(updated.modify_index > created.modify_index);
    assert_eq!(updated.expiration_time, created.expiration_time);
    assert_eq!(updated.create_time, created.create_time);
    assert!(machine.resolve(&id(11)).unwrap().acl_read().is_ok());
    let stripped = machine.token(update(token(10)));
    assert_eq!((stripped.policies, stripped.description), (None, String::new()));
}

#[test]
fn what_a_token_is_cannot_be_changed() {
    let mut machine = Machine::initialized();
    machine.token(create(token(10)));
    let accessor = id(10);
    let table = [
        (AclToken { accessor_id: "x".into(), ..token(10) }, "AccessorID is not a valid UUID".to_owned()),
        (token(20), format!("Cannot find token \"{}\"", id(20))),
        (AclToken { secret_id: id(9), ..token(10) }, "Changing a token's SecretID is not permitted".into()),
        (AclToken { local: true, ..token(10) }, format!("Cannot toggle local mode of {accessor}")),
        (
            AclToken { auth_method: "m".into(), ..token(10) },
            format!("Cannot change AuthMethod of {accessor}"),
        ),
        (
            AclToken { expiration_ttl_ns: MINUTE_NS, ..token(10) },
            format!("Cannot change expiration time of {accessor}"),
        ),
        (
            AclToken { expiration_time: after(90), ..token(10) },
            format!("Cannot change expiration time of {accessor}"),
        ),
    ];
    for (token, expected) in table {
        assert_eq!(machine.apply(update(token)), failed(&expected));
    }
    let root = AclToken { secret_id: "manage".into(), ..token(10) };
    assert_eq!(
        machine.apply(update(root)),
        Reply::Denied("Permission denied: Cannot modify root ACL".into())
    );
}

#[test]
fn a_clone_has_the_rights_and_other_ids() {
    let mut machine = Machine::initialized();
    machine.policy(1, "p", "acl = \"read\"");
    let source = machine.token(create(AclToken {
        description: "source".into(),
        policies: Some(vec![link(&id(1))]),
        ..token(10)
    }));
    let clone = machine.token(clone_of(10, 20, ""));
    assert_eq!((clone.accessor_id.clone(), clone.secret_id.clone()), (id(20), id(21)));
    assert_eq!((&clone.description, &clone.policies), (&source.description, &source.policies));
    assert_eq!(clone.create_index, clone.modify_index);
    assert_eq!(machine.token(clone_of(10, 30, "other")).description, "other");
    assert_eq!(machine.apply(clone_of(99, 40, "")), Reply::NotFound);
    assert!(machine.resolve(&id(31)).unwrap().acl_read().is_ok());
}

#[test]
fn a_token_is_deleted_but_not_by_itself_and_never_the_anonymous_one() {
    let mut machine = Machine::initialized();
    machine.token(create(token(10)));
    let own = "Deletion of the request's authorization token is not permitted";
    assert_eq!(machine.apply(delete(&id(10), &id(10))), failed(own));
    assert_eq!(machine.apply(delete(&id(10), &id(99))), Reply::Deleted);
    assert_eq!(machine.apply(delete(&id(10), &id(99))), Reply::NotFound);
    assert!(matches!(machine.resolve(&id(11)), Err(Unresolved::NotFound)));
    let invalid = "Accessor ID is missing or an invalid UUID";
    assert_eq!(machine.apply(delete("", "")), failed(invalid));
    let anonymous = "Delete operation not permitted on the anonymous token";
    assert_eq!(machine.apply(delete(ANONYMOUS_ACCESSOR, "")), failed(anonymous));
}

#[test]
fn a_time_to_live_becomes_a_moment_and_is_bounded() {
    let mut machine = Machine::initialized();
    let with_ttl = |number, expiration_ttl_ns| create(AclToken { expiration_ttl_ns, ..token(number) });
    let created = machine.token(with_ttl(10, 90_500_000_000));
    let expected = Time::from_unix((START_MS / 1_000) as i64 + 90, 500_000_000);
    assert_eq!((created.expiration_time, created.expiration_ttl_ns), (Some(expected), 0));
    let table = [
        (with_ttl(20, -1), "Token Expiration TTL '-1ns' should be > 0"),
        (
            with_ttl(20, MINUTE_NS - 1_000_000),
            "ExpirationTime cannot be less than 1m0s in the future (was 59.999s)",
        ),
        (
            with_ttl(20, 25 * 60 * MINUTE_NS),
            "ExpirationTime cannot be more than 24h0m0s in the future (was 25h0m0s)",
        ),
        (
            create(AclToken { expiration_time: after(-1), ..token(20) }),
            "ExpirationTime cannot be before CreateTime",
        ),
        (
            create(AclToken { expiration_time: after(90), expiration_ttl_ns: 2 * MINUTE_NS, ..token(20) }),
            "Token Expiration TTL and Expiration Time cannot both be set",
        ),
    ];
    for (command, expected) in table {
        assert_eq!(machine.apply(command), failed(expected));
    }
}

#[test]
fn rights_end_when_their_token_does() {
    let mut machine = Machine::initialized();
    machine.token(create(AclToken { expiration_ttl_ns: 2 * MINUTE_NS, ..token(10) }));
    let found = machine.resolve(&id(11)).unwrap();
    let end_ms = START_MS + 2 * MINUTE_MS;
    assert!(found.is_valid(end_ms) && !found.is_valid(end_ms + 1));
    assert!(machine.resolve("").unwrap().is_valid(u64::MAX));
}

#[test]
fn every_change_of_rights_has_an_index_of_its_own() {
    let mut machine = Machine::initialized();
    let mut last = acl::last_change(&machine.view()).unwrap();
    let role = AclRole { id: id(30), name: "r".into(), ..AclRole::default() };
    for command in [
        Command::CreatePolicy(Box::new(policy(20, "p"))),
        Command::UpdatePolicy(Box::new(AclPolicy { rules: "acl = \"read\"".into(), ..policy(20, "p") })),
        Command::CreateRole(Box::new(role.clone())),
        Command::UpdateRole(Box::new(AclRole { description: "d".into(), ..role })),
        create(token(10)),
        update(AclToken { description: "d".into(), ..token(10) }),
        Command::DeleteRole { id: id(30) },
        Command::DeletePolicy { id: id(20) },
        Command::DeleteToken { accessor: id(10), by: String::new() },
    ] {
        machine.apply(command.clone());
        let change = acl::last_change(&machine.view()).unwrap();
        assert!(change > last, "{command:?}");
        last = change;
    }
}

#[test]
fn an_expired_token_is_nowhere_to_be_seen_and_then_reaped() {
    let mut machine = Machine::initialized();
    for (number, minutes) in [(10, 2), (20, 4), (30, 0)] {
        machine.token(create(AclToken { expiration_ttl_ns: minutes * MINUTE_NS, ..token(number) }));
    }
    let view = machine.view();
    assert_eq!(acl::next_expiration_ms(&view).unwrap(), Some(START_MS + 2 * MINUTE_MS));
    assert_eq!(machine.apply(Command::ReapTokens), Reply::Reaped(0));
    let quiet = machine.table_index("acl-tokens");

    machine.now_ms += 2 * MINUTE_MS;
    assert!(machine.resolve(&id(11)).is_ok(), "the very moment is still in time");
    machine.now_ms += 1;
    let now_ms = machine.now_ms;
    assert!(matches!(machine.resolve(&id(11)), Err(Unresolved::NotFound)));
    let view = machine.view();
    assert_eq!(acl::token(&view, &id(10), now_ms).unwrap().value, None);
    assert_eq!(acl::token_by_secret(&view, &id(11), now_ms).unwrap().value, None);
    assert_eq!(acl::tokens(&view, TokenFilter::All, now_ms).unwrap().value.len(), 3);
    assert_eq!(machine.apply(update(token(10))), failed(&format!("Cannot find token \"{}\"", id(10))));
    assert_eq!(machine.apply(clone_of(10, 40, "")), Reply::NotFound);
    let in_use = failed("Invalid Token: AccessorID is already in use");
    assert_eq!(machine.apply(create(token(10))), in_use, "until it is reaped its ids are taken");
    assert_eq!(machine.table_index("acl-tokens"), quiet);

    assert_eq!(machine.apply(Command::ReapTokens), Reply::Reaped(1));
    assert!(machine.table_index("acl-tokens") > quiet);
    assert!(machine.resolve(&id(21)).is_ok());
    machine.now_ms += 10 * MINUTE_MS;
    assert_eq!(machine.apply(Command::ReapTokens), Reply::Reaped(1));
    assert_eq!(acl::next_expiration_ms(&machine.view()).unwrap(), None);
    machine.token(create(token(10)));
}

#[test]
fn lists_can_be_narrowed() {
    let mut machine = Machine::initialized();
    machine.policy(1, "p", "");
    let identity = ServiceIdentity { service_name: "web".into(), datacenters: None };
    machine.token(create(AclToken { policies: Some(vec![link(&id(1))]), ..token(10) }));
    machine.token(create(AclToken { service_identities: Some(vec![identity]), ..token(20) }));
    let view = machine.view();
    let listed = |filter: TokenFilter<'_>| {
        let tokens = acl::tokens(&view, filter, START_MS).unwrap().value;
        tokens.into_iter().map(|token| token.accessor_id).collect::<Vec<_>>()
    };
    assert_eq!(listed(TokenFilter::All), [ANONYMOUS_ACCESSOR.to_owned(), id(10), id(20)]);
    assert_eq!(listed(TokenFilter::Policy(&id(1))), [id(10)]);
    assert_eq!(listed(TokenFilter::Service("web")), [id(20)]);
    assert!(listed(TokenFilter::Role("x")).is_empty() && listed(TokenFilter::AuthMethod("x")).is_empty());
}

#[test]
fn secrets_are_hidden_from_those_who_may_only_read() {
    let mut machine = Machine::initialized();
    for (number, access) in [(1, "read"), (2, "write")] {
        machine.policy(number, access, &format!("acl = \"{access}\""));
        machine.token(create(AclToken { policies: Some(vec![link(&id(number))]), ..token(10 * number) }));
    }
    let seen_by = |secret: &str| {
        let mut seen = token(10);
        acl::redact(&mut seen, &machine.resolve(secret).unwrap());
        seen.secret_id
    };
    assert_eq!((seen_by(&id(11)).as_str(), seen_by(&id(21))), (REDACTED, id(11)));
}

#[test]
fn requests_without_a_token_bear_the_anonymous_one() {
    let mut machine = Machine::new();
    let may = machine.resolve("").unwrap();
    assert!(may.key_read(b"a").is_err() && may.accessor() == ANONYMOUS_ACCESSOR);
    machine.apply(Command::Initialize { management: None });
    machine.policy(1, "p", "key \"a\" { policy = \"read\" }");
    let rights = AclToken {
        accessor_id: ANONYMOUS_ACCESSOR.into(),
        policies: Some(vec![link(&id(1))]),
        ..AclToken::default()
    };
    machine.token(update(rights));
    assert!(machine.resolve("").unwrap().key_read(b"a").is_ok());
    let denied = machine.resolve("anonymous").unwrap().key_write(b"a").unwrap_err().to_string();
    assert!(denied.starts_with("Permission denied: anonymous token lacks permission 'key:write' on \"a\". "));
}

#[test]
fn unknown_secrets_and_root_words_do_not_resolve() {
    let machine = Machine::initialized();
    assert_eq!(machine.resolve("nobody").unwrap_err().to_string(), "ACL not found");
    for word in ["allow", "deny", "manage"] {
        assert_eq!(machine.resolve(word).unwrap_err().to_string(), "Cannot resolve root ACL");
    }
    assert_eq!(machine.resolve("a\0b").unwrap_err().to_string(), "ACL not found");
}

#[test]
fn policies_and_identities_of_other_datacenters_give_nothing() {
    let mut machine = Machine::initialized();
    let elsewhere = AclPolicy {
        rules: "key \"a\" { policy = \"read\" }".into(),
        datacenters: Some(vec!["dc2".into(), "dc3".into()]),
        ..policy(1, "p")
    };
    machine.apply(Command::CreatePolicy(Box::new(elsewhere)));
    let template = TemplatedPolicy {
        template_name: "builtin/dns".into(),
        datacenters: Some(vec!["dc2".into()]),
        ..TemplatedPolicy::default()
    };
    let service = ServiceIdentity { service_name: "web".into(), datacenters: Some(vec!["dc2".into()]) };
    machine.token(create(AclToken {
        policies: Some(vec![link(&id(1))]),
        service_identities: Some(vec![service]),
        node_identities: Some(vec![NodeIdentity { node_name: "n".into(), datacenter: "dc2".into() }]),
        templated_policies: Some(vec![template]),
        ..token(10)
    }));
    let rights_in = |datacenter: &str| {
        let settings = acl::Settings { datacenter: datacenter.into(), ..settings(DefaultPolicy::Deny) };
        let may = resolve(&machine.view(), &id(11), START_MS, &settings).unwrap();
        [may.key_read(b"a"), may.service_write("web"), may.node_write("n"), may.query_read("q")]
            .map(|answer| answer.is_ok())
    };
    assert_eq!(rights_in("dc1"), [false; 4]);
    assert_eq!(rights_in("dc2"), [true; 4]);
}
