//! The answers of the genuine libraries (`clients/go-filter`), and bounds.

use std::sync::LazyLock;

use super::*;

/// The structures of `clients/go-filter`.
static TYPES: LazyLock<Types> = LazyLock::new(|| {
    Types::parse(
        "Thing ID:text Count:int Size:uint Ratio:float On:bool Tags:[text] Ports:[int] Meta:{text} Named:{Inner} \
         One:Inner Maybe:*Inner List:[Inner] Refs:[*Inner] Loose:Loose\n\
         Inner Name:text Port:int Deep:*Deeper Tags:[text]\n\
         Deeper Name:text Tags:[text]\n\
         Loose Any:{any} Hash:bytes\n",
    )
});

/// Compares every answer; the first line of `answers` holds what was asked about.
fn check(edition: Edition, answers: &str) {
    let (things, answers) = answers.split_once('\n').unwrap();
    let mut things: Vec<Value> = serde_json::from_str(things).unwrap();
    for thing in &mut things {
        // Embedded structures are fields to expressions, but not in JSON.
        let mut loose = ["Any", "Hash"].map(|name| (name.to_owned(), thing[name].take()));
        // In JSON bytes are in base64.
        if loose[1].1.is_string() {
            loose[1].1 = "abc".into();
        }
        thing["Loose"] = loose.into_iter().collect();
    }
    let mut differences = Vec::new();
    for line in answers.lines() {
        let (expected, quoted) = line.split_once('\t').unwrap();
        let text = quoted::unquote(&unescaped(quoted), '"').unwrap();
        let found = match Filter::parse(edition, &text, &TYPES, "Thing") {
            Err(_) => "X".to_owned(),
            Ok(filter) => things.iter().map(|thing| letter(filter.ask(thing))).collect(),
        };
        // Where the genuine library breaks down anything is as good.
        let is_same = |(found, expected)| expected == 'P' || found == expected;
        let same_length = found.len() == expected.len();
        if !same_length || !found.chars().zip(expected.chars()).all(is_same) {
            differences.push(format!("{text}: {found}, not {expected}"));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

fn letter(answer: Result<bool, String>) -> char {
    match answer {
        Ok(true) => 'T',
        Ok(false) => 'F',
        Err(_) => 'E',
    }
}

/// What is between the quotes; quotes in it are written so that the reader of expressions takes them.
fn unescaped(quoted: &str) -> String {
    quoted[1..quoted.len() - 1].replace("\\\"", "\\x22")
}

#[test]
fn nomads_expressions_are_answered_as_by_the_genuine_library() {
    check(Edition::Nomad, include_str!("../../../tests/fixtures/filter-nomad.txt"));
}

#[test]
fn consuls_expressions_are_answered_as_by_the_genuine_library() {
    check(Edition::Consul, include_str!("../../../tests/fixtures/filter-consul.txt"));
}

fn refusal(text: &str) -> String {
    Filter::parse(Edition::Nomad, text, &TYPES, "Thing").err().unwrap()
}

#[test]
fn expressions_are_bounded() {
    let nested = |depth| format!("{}ID == a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(Edition::Nomad, &nested(60), &TYPES, "Thing").is_ok());
    assert!(refusal(&nested(100_000)).contains("longer"));
    assert!(refusal(&nested(1_000)).contains("deeper"));
    assert!(refusal(&"not ".repeat(1_000)).contains("deeper"));
    assert!(refusal(&format!("ID == a{}", " or ID == a".repeat(10_000))).contains("longer"));
    let wide = format!("ID == a{}", " or ID == a".repeat(1_000));
    assert!(Filter::parse(Edition::Nomad, &wide, &TYPES, "Thing").is_ok());
}

#[test]
fn an_error_says_where() {
    assert_eq!(refusal("ID == a or"), "1:11 (10): no match found");
    assert_eq!(refusal("ID\n= a"), "2:1 (3): no match found");
}
