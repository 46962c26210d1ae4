//! Rules that say the same, and rules that say nothing.

use records::nomad::acl::{Rules, RulesError, UnknownKeys};

#[test]
fn the_same_rules_can_be_written_in_several_ways() {
    let parse = |source: &str| Rules::parse(source, UnknownKeys::Refused);
    let expected = parse(
        "namespace \"a\" { policy = \"read\" variables { path \"x/*\" { capabilities = [\"read\"] } } }\n\
         operator { capabilities = [\"snapshot-save\"] }",
    )
    .unwrap();
    let ways = [
        "namespace a { variables \"path\" \"x/*\" { Capabilities = [\"list\", \"read\",] } policy = \"read\" }\n\
         OPERATOR = { capabilities = [\"snapshot-save\"] }",
        "namespace \"a\" { policy = \"read\" } namespace \"a\" { variables { path \"x/*\" { capabilities = [\"read\"] } } }\n\
         operator { capabilities = [\"snapshot-save\"] capabilities = [\"snapshot-save\"] }",
        "{\"namespace\": {\"a\": {\"policy\": \"read\", \"variables\": {\"path\": {\"x/*\": {\"capabilities\": [\"read\"]}}}}}, \
         \"operator\": {\"capabilities\": [\"snapshot-save\"]}}",
        "{\"namespace\": [{\"a\": {\"policy\": \"read\", \"variables\": {\"path\": [{\"x/*\": {\"capabilities\": [\"read\"]}}]}}}], \
         \"operator\": [{\"capabilities\": [\"snapshot-save\"]}]}",
    ];
    for way in ways {
        assert_eq!(parse(way).as_ref(), Ok(&expected), "{way}");
    }
}

#[test]
fn stored_rules_may_have_keys_that_name_nothing() {
    let known = "agent { policy = \"read\" }";
    let table = [
        ("agent { policy = \"read\" } foo = 1", "foo"),
        ("b { c = 1 } agent { policy = \"read\" } a = 2 a = 3", "a, a, b"),
        ("agent { policy = \"write\" } agent { policy = \"read\" }", "agent"),
    ];
    let expected = Rules::parse(known, UnknownKeys::Refused);
    for (source, unknown) in table {
        assert_eq!(Rules::parse(source, UnknownKeys::PassedOver), expected, "{source}");
        let error = Rules::parse(source, UnknownKeys::Refused).unwrap_err();
        assert_eq!(error.to_string(), format!("Invalid or duplicate policy keys: {unknown}"));
    }
}

#[test]
fn a_text_without_rules_is_refused_but_no_text_is_not() {
    assert_eq!(Rules::parse("", UnknownKeys::Refused), Ok(Rules::default()));
    for source in [" ", "# nothing", "foo = \"bar\"", "{}"] {
        assert_eq!(Rules::parse(source, UnknownKeys::PassedOver), Err(RulesError::Empty(source.into())));
    }
}

#[test]
fn names_are_bounded() {
    let named = |name: &str| Rules::parse(&format!("namespace \"{name}\" {{ }}"), UnknownKeys::Refused);
    assert!(named(&"a".repeat(128)).is_ok());
    for name in ["", "a_b", "a b", "é", &"a".repeat(129)] {
        let error = named(name).unwrap_err().to_string();
        assert!(error.starts_with("Invalid namespace name: &acl.NamespacePolicy{Name:"), "{error}");
    }
}
