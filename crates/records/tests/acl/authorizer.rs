//! What rules let a token do: many small cases, most of them after the genuine server's own.

use records::consul::acl::{Authorizer, DefaultPolicy, Repeats, Rules};

type Question = fn(&Authorizer, &str) -> bool;

fn authorizer(rules: &[&str], default: DefaultPolicy) -> Authorizer {
    let mut merged = Rules::default();
    for rules in rules {
        merged.merge(&Rules::parse(rules, Repeats::Refused).expect("rules"));
    }
    Authorizer::new("a".into(), merged, default, true)
}

/// Asks each name in turn; `+` expects yes, `-` no, `?` what the default says.
#[track_caller]
fn check(rules: &[&str], right: Question, expected: &[(&str, char)]) {
    let by_default = |default| {
        let authorizer = authorizer(rules, default);
        expected.iter().map(move |(name, _)| right(&authorizer, name)).collect::<Vec<_>>()
    };
    let (allowing, denying) = (by_default(DefaultPolicy::Allow), by_default(DefaultPolicy::Deny));
    for (place, (name, answer)) in expected.iter().enumerate() {
        let found = match (allowing[place], denying[place]) {
            (true, true) => '+',
            (false, false) => '-',
            (true, false) => '?',
            (false, true) => panic!("the default turned around"),
        };
        assert_eq!(found, *answer, "{name:?} under {rules:?}");
    }
}

const KEY_READ: Question = |may, name| may.key_read(name.as_bytes()).is_ok();
const KEY_LIST: Question = |may, name| may.key_list(name.as_bytes()).is_ok();
const KEY_WRITE: Question = |may, name| may.key_write(name.as_bytes()).is_ok();
const KEY_WRITE_PREFIX: Question = |may, name| may.key_write_prefix(name.as_bytes()).is_ok();

#[test]
fn an_exact_rule_beats_a_prefix_and_a_longer_prefix_a_shorter() {
    let rules = [r#"
        key_prefix "" { policy = "read" }
        key_prefix "foo/" { policy = "write" }
        key_prefix "foo/priv" { policy = "deny" }
        key "foo/private/mine" { policy = "write" }
        key "foo/" { policy = "deny" }
    "#];
    let table = [
        ("other", '-'),
        ("foo", '-'),
        ("foo/", '-'),
        ("foo/x", '+'),
        ("foo/priv", '-'),
        ("foo/private/yours", '-'),
        ("foo/private/mine", '+'),
        ("foo/private/mine/not", '-'),
    ];
    check(&rules, KEY_WRITE, &table);
    check(&rules, KEY_READ, &[("other", '+'), ("foo/priv", '-'), ("foo/", '-')]);
}

#[test]
fn a_name_without_a_rule_is_decided_by_default() {
    check(&["key \"a\" { policy = \"read\" }"], KEY_READ, &[("a", '+'), ("ab", '?'), ("", '?')]);
    check(&[], KEY_WRITE, &[("a", '?')]);
}

#[test]
fn listing_keys_needs_list_or_write() {
    let rules = [r#"
        key_prefix "r" { policy = "read" }
        key_prefix "l" { policy = "list" }
        key_prefix "w" { policy = "write" }
        key_prefix "d" { policy = "deny" }
    "#];
    check(&rules, KEY_READ, &[("r", '+'), ("l", '+'), ("w", '+'), ("d", '-')]);
    check(&rules, KEY_LIST, &[("r", '-'), ("l", '+'), ("w", '+'), ("d", '-')]);
    check(&rules, KEY_WRITE, &[("r", '-'), ("l", '-'), ("w", '+'), ("d", '-')]);
}

#[test]
fn listing_is_free_unless_it_is_a_right_of_its_own() {
    let rules = Rules::parse("key_prefix \"\" { policy = \"deny\" }", Repeats::Refused).unwrap();
    let authorizer = Authorizer::new("a".into(), rules, DefaultPolicy::Deny, false);
    assert!(authorizer.key_list(b"x").is_ok());
    assert!(authorizer.key_read(b"x").is_err());
}

/// The table of `hashicorp/consul:acl/policy_authorizer_test.go`, by and large.
#[test]
fn a_tree_can_be_removed_if_no_rule_within_forbids_it() {
    let rules = [r#"
        key_prefix "fo" { policy = "read" }
        key_prefix "foo/" { policy = "read" }
        key_prefix "bar/" { policy = "write" }
        key_prefix "baz/" { policy = "write" }
        key "baz/secret" { policy = "deny" }
        key "multi" { policy = "read" }
        key "multi/ok" { policy = "write" }
    "#];
    let table = [
        ("fo", '-'),
        ("foo/", '-'),
        ("f", '-'),
        ("bar/", '+'),
        ("bar/deeper", '+'),
        ("ba", '-'),
        ("baz/", '-'),
        ("baz/sec", '-'),
        ("baz/other", '+'),
        ("multi/", '?'),
        ("multi", '-'),
        ("zzz", '?'),
        ("", '-'),
    ];
    check(&rules, KEY_WRITE_PREFIX, &table);
}

#[test]
fn of_several_policies_the_strictest_rule_about_a_name_holds() {
    let rules = [
        "key \"a\" { policy = \"write\" } key \"b\" { policy = \"read\" } acl = \"write\"",
        "key \"a\" { policy = \"deny\" } key \"b\" { policy = \"write\" } acl = \"read\"",
    ];
    check(&rules, KEY_WRITE, &[("a", '-'), ("b", '+')]);
    check(&rules, |may, _| may.acl_write().is_ok(), &[("", '+')]);
    check(&["acl = \"write\"", "acl = \"deny\""], |may, _| may.acl_read().is_ok(), &[("", '-')]);
}

#[test]
fn every_named_resource_has_rules_of_its_own() {
    let resources: [(&str, Question, Question); 6] = [
        ("agent", |m, n| m.agent_read(n).is_ok(), |m, n| m.agent_write(n).is_ok()),
        ("event", |m, n| m.event_read(n).is_ok(), |m, n| m.event_write(n).is_ok()),
        ("node", |m, n| m.node_read(n).is_ok(), |m, n| m.node_write(n).is_ok()),
        ("query", |m, n| m.query_read(n).is_ok(), |m, n| m.query_write(n).is_ok()),
        ("service", |m, n| m.service_read(n).is_ok(), |m, n| m.service_write(n).is_ok()),
        ("session", |m, n| m.session_read(n).is_ok(), |m, n| m.session_write(n).is_ok()),
    ];
    for (place, (resource, ..)) in resources.iter().enumerate() {
        let rules = format!(
            "{resource} \"a\" {{ policy = \"write\" }} {resource}_prefix \"b\" {{ policy = \"read\" }}\n\
             {resource} \"bd\" {{ policy = \"deny\" }}"
        );
        for (other, (_, read, write)) in resources.iter().enumerate() {
            let expected = match other == place {
                true => [('+', '+'), ('?', '?'), ('+', '-'), ('-', '-')],
                false => [('?', '?'); 4],
            };
            for (name, (reads, writes)) in ["a", "aa", "bb", "bd"].into_iter().zip(expected) {
                check(&[&rules], *read, &[(name, reads)]);
                check(&[&rules], *write, &[(name, writes)]);
            }
        }
    }
}

#[test]
fn rights_over_the_cluster_are_yes_or_no() {
    let rights: [(&str, Question, Question); 3] = [
        ("operator", |m, _| m.operator_read().is_ok(), |m, _| m.operator_write().is_ok()),
        ("keyring", |m, _| m.keyring_read().is_ok(), |m, _| m.keyring_write().is_ok()),
        ("mesh", |m, _| m.mesh_read().is_ok(), |m, _| m.mesh_write().is_ok()),
    ];
    for (name, read, write) in rights {
        for (access, reads, writes) in [("read", '+', '-'), ("write", '+', '+'), ("deny", '-', '-')] {
            let rules = format!("{name} = \"{access}\"");
            check(&[&rules], read, &[("", reads)]);
            check(&[&rules], write, &[("", writes)]);
        }
        check(&[&format!("{name} = \"\"")], read, &[("", '?')]);
    }
}

#[test]
fn mesh_and_peerings_fall_back_to_the_operator() {
    let mesh: Question = |m, _| m.mesh_write().is_ok();
    let peering: Question = |m, _| m.peering_write().is_ok();
    check(&["operator = \"write\""], mesh, &[("", '+')]);
    check(&["operator = \"write\" mesh = \"read\""], mesh, &[("", '-')]);
    check(&["operator = \"read\" peering = \"write\""], peering, &[("", '+')]);
    check(&[], peering, &[("", '?')]);
}

#[test]
fn the_default_never_grants_rights_over_access_control() {
    let rights: [Question; 3] =
        [|m, _| m.acl_read().is_ok(), |m, _| m.acl_write().is_ok(), |m, _| m.snapshot().is_ok()];
    for right in rights {
        check(&[], right, &[("", '-')]);
        check(&["acl = \"write\""], right, &[("", '+')]);
    }
    check(&["acl = \"read\""], rights[2], &[("", '-')]);
    assert!(Authorizer::unrestricted().snapshot().is_ok());
}

#[test]
fn intentions_follow_the_service_unless_said_otherwise() {
    let rules = [r#"
        service "w" { policy = "write" }
        service "d" { policy = "deny" }
        service "o" { policy = "read" intentions = "write" }
        service_prefix "p" { policy = "deny" intentions = "read" }
    "#];
    let read: Question = |m, n| m.intention_read(n).is_ok();
    let write: Question = |m, n| m.intention_write(n).is_ok();
    check(&rules, read, &[("w", '+'), ("d", '-'), ("o", '+'), ("px", '+'), ("x", '?'), ("*", '+')]);
    check(&rules, write, &[("w", '-'), ("d", '-'), ("o", '+'), ("px", '-'), ("x", '?'), ("*", '-')]);
    check(&["service_prefix \"\" { policy = \"write\" intentions = \"write\" }"], write, &[("*", '+')]);
}

#[test]
fn everything_and_anything_can_be_asked_about() {
    let all: Question = |m, _| m.node_read_all().is_ok();
    check(&["node_prefix \"\" { policy = \"read\" }"], all, &[("", '+')]);
    check(&["node_prefix \"\" { policy = \"read\" } node \"x\" { policy = \"deny\" }"], all, &[("", '-')]);
    check(&["node \"x\" { policy = \"read\" }"], all, &[("", '?')]);
    let any: Question = |m, _| m.service_write_any().is_ok();
    check(&["service \"x\" { policy = \"write\" }"], any, &[("", '+')]);
    check(&["service_prefix \"\" { policy = \"read\" }"], any, &[("", '-')]);
    check(&[], |m, _| m.service_read_all().is_ok(), &[("", '?')]);
}

#[test]
fn denials_are_worded_as_genuine_servers_word_them() {
    let denying = authorizer(&[], DefaultPolicy::Deny);
    let table = [
        (denying.key_write_prefix(b"a/"), "key:write' on \"a/\""),
        (denying.key_list(b""), "key:list'"),
        (denying.acl_write(), "acl:write'"),
        (denying.node_read_all(), "node:read' on \"all nodes\""),
        (denying.service_write_any(), "service:write' on \"any service\""),
        (denying.intention_read("web"), "intention:read' on \"web\""),
    ];
    for (answer, end) in table {
        let expected = format!("Permission denied: token with AccessorID 'a' lacks permission '{end}");
        assert_eq!(answer.unwrap_err().to_string(), expected);
    }
}

/// As Go prints the rules, so that clients see the same text.
#[test]
fn rules_that_ask_for_what_there_is_not_are_refused() {
    let table = [
        ("acl = \"list\"", "Invalid acl policy: \"list\""),
        ("keyring = \"nope\"", "Invalid keyring policy: \"nope\""),
        (
            "agent \"f\" { policy = \"list\" }",
            "Invalid agent policy: &acl.AgentRule{Node:\"f\", Policy:\"list\"}",
        ),
        (
            "key_prefix \"f\\\"\" { policy = \"nope\" }",
            "Invalid key_prefix policy: &acl.KeyRule{Prefix:\"f\\\"\", Policy:\"nope\", \
             EnterpriseRule:acl.EnterpriseRule{}}",
        ),
        ("event \"f\" {}", "Invalid event policy: &acl.EventRule{Event:\"f\", Policy:\"\"}"),
        (
            "query_prefix \"f\" { policy = \"x\" }",
            "Invalid query_prefix policy: &acl.PreparedQueryRule{Prefix:\"f\", Policy:\"x\"}",
        ),
        (
            "service \"f\" { policy = \"write\" intentions = \"foo\" }",
            "Invalid service intentions policy: &acl.ServiceRule{Name:\"f\", Policy:\"write\", \
             Intentions:\"foo\", EnterpriseRule:acl.EnterpriseRule{}}",
        ),
        (
            "session \"f\" \"g\" { policy = \"read\" }",
            "Invalid session policy: &acl.SessionRule{Node:\"f\", Policy:\"\"}",
        ),
        ("acl {}", "Failed to parse ACL rules: root.acl: unknown type for string"),
        ("key = \"a\"", "Failed to parse ACL rules: key: not an object type for struct"),
        ("key \"a\" {", "Failed to parse ACL rules: At 1:10: object expected closing RBRACE got: EOF"),
    ];
    for (rules, expected) in table {
        assert_eq!(Rules::parse(rules, Repeats::Refused).unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_same_rules_can_be_written_in_several_ways() {
    let expected = Rules::parse("key \"a\" { policy = \"read\" } acl = \"write\"", Repeats::Refused).unwrap();
    let ways = [
        "KEY a { Policy = \"READ\" } Acl = \"Write\"",
        "key = { \"a\" = { policy = \"read\" } }\nacl = \"write\"",
        "{\"key\": {\"a\": {\"policy\": \"read\"}}, \"acl\": \"write\"}",
        "{\"key\": [{\"a\": {\"policy\": \"read\"}}], \"acl\": \"write\"}",
        "key \"a\" { policy = \"read\" }, acl = \"write\" partition_prefix \"\" { node \"x\" { policy = \"no\" } }",
    ];
    for way in ways {
        assert_eq!(Rules::parse(way, Repeats::Refused).as_ref(), Ok(&expected), "{way}");
    }
}
