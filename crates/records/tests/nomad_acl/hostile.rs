//! Rules from an enemy: refused or read, within bounds, never a panic.

use proptest::prelude::*;
use records::nomad::acl::{Rules, UnknownKeys};

/// Pieces that rules are made of, and some that break them.
const PIECES: [&str; 30] = [
    "namespace",
    "variables",
    "path",
    "node_pool",
    "agent",
    "operator",
    "\"a*\"",
    "\"\"",
    "policy",
    "capabilities",
    "\"policy\"",
    "=",
    ":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"read\"",
    "\"deny\"",
    "1",
    "true",
    "null",
    "<<E\n",
    "\nE\n",
    "\n",
    "#",
    "\"${",
    "\\",
    "\u{feff}é",
];

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Rules::parse(&String::from_utf8_lossy(&bytes), UnknownKeys::Refused);
    }

    #[test]
    fn any_heap_of_pieces_is_read_or_refused(
        pieces in prop::collection::vec(0..PIECES.len(), 0..60), is_json in any::<bool>()
    ) {
        let mut text = String::from(if is_json { "{" } else { "" });
        pieces.iter().for_each(|piece| text.push_str(PIECES[*piece]));
        let _ = Rules::parse(&text, UnknownKeys::PassedOver);
    }

    #[test]
    fn any_tree_of_known_words_is_read_or_refused(json in tree()) {
        let _ = Rules::parse(&json.to_string(), UnknownKeys::Refused);
    }
}

/// JSON made of words that mean something somewhere.
fn tree() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(vec![
        "namespace",
        "variables",
        "path",
        "agent",
        "operator",
        "policy",
        "capabilities",
        "a",
    ]);
    let leaf = prop_oneof![
        prop::sample::select(vec!["read", "deny", "a*"]).prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    let nested = leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(word.clone().prop_map(String::from), inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    nested.prop_map(|value| match value {
        object @ serde_json::Value::Object(_) => object,
        other => serde_json::json!({ "namespace": other }),
    })
}

#[test]
fn no_rules_are_too_deep_or_too_large_to_be_refused() {
    let deep = |open: &str| open.repeat((500 << 10) / open.len());
    for text in [deep("namespace {"), deep("a = ["), deep("{\"a\":"), deep("["), deep("{"), deep("\"${")] {
        assert!(Rules::parse(&text, UnknownKeys::Refused).is_err());
    }
    assert!(Rules::parse(&deep(" ").repeat(2), UnknownKeys::Refused).is_err());
    assert!(Rules::parse(&deep("namespace \"a\" { policy = \"read\" }\n"), UnknownKeys::Refused).is_ok());
}

/// Blocks in JSON repeat the keys above them, and errors name every key.
#[test]
fn a_long_key_over_many_blocks_is_refused_without_being_repeated() {
    let blocks: Vec<String> = (0..10_000).map(|number| format!("\"{number}\":{{}}")).collect();
    let text = format!("{{\"{}\":{{{}}}}}", "k".repeat(100_000), blocks.join(","));
    let error = Rules::parse(&text, UnknownKeys::Refused).unwrap_err().to_string();
    assert_eq!(error, "Failed to parse ACL Policy: the rules repeat their keys too often");
}
