//! Rules from an enemy: refused or read, within bounds, never a panic.

use proptest::prelude::*;
use records::consul::acl::{RULES_BYTES_MAX, Repeats, Rules};

/// Pieces that rules are made of, and some that break them.
const PIECES: [&str; 26] = [
    "key",
    "key_prefix",
    "acl",
    "service",
    "\"a\"",
    "\"\"",
    "policy",
    "intentions",
    "=",
    ":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"read\"",
    "\"write\"",
    "<<E\n",
    "\nE\n",
    "\n",
    "#",
    "/*",
    "*/",
    "\"${",
    "\\",
    "\u{feff}é",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = Rules::parse(&text, Repeats::Refused);
    }

    #[test]
    fn any_heap_of_pieces_is_read_or_refused(
        pieces in prop::collection::vec(0..PIECES.len(), 0..60), is_json in any::<bool>()
    ) {
        let mut text = String::from(if is_json { "{" } else { "" });
        pieces.iter().for_each(|piece| text.push_str(PIECES[*piece]));
        let _ = Rules::parse(&text, Repeats::LastHolds);
    }

    #[test]
    fn cut_rules_are_read_or_refused(end in 0_usize..200) {
        let rules = "key_prefix \"a/é\" { policy = \"write\" }\nservice \"b\" {\n policy = <<E\nread\nE\n}\nacl = \"read\"";
        let end = (0..=end.min(rules.len())).rev().find(|end| rules.is_char_boundary(*end)).unwrap();
        let _ = Rules::parse(&rules[..end], Repeats::Refused);
    }
}

#[test]
fn no_rules_are_too_deep_or_too_large_to_be_refused() {
    let deep = |open: &str| open.repeat(RULES_BYTES_MAX / open.len());
    for text in [deep("a {"), deep("a = ["), deep("{\"a\":"), deep("["), deep("{"), deep("\"${")] {
        assert!(Rules::parse(&text, Repeats::Refused).is_err());
    }
    assert!(Rules::parse(&" ".repeat(RULES_BYTES_MAX + 1), Repeats::Refused).is_err());
    assert!(Rules::parse(&deep("key \"a\" { policy = \"read\" }\n"), Repeats::Refused).is_ok());
}
