//! Reads the two languages in which rules are written, HCL 1 and JSON, into one tree.
//!
//! Follows `hashicorp/hcl:hcl/parser/parser.go` and `hashicorp/hcl:parse.go`. A source is bounded in size and
//! depth, and whatever it says, its tree is no larger than a fixed number of times the source.

mod flatten;
mod lexer;

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

pub(crate) use flatten::flatten;
use lexer::{Lexer, Position, Token};

/// The longest source. Genuine rules are a few hundred bytes; they know no bound of their own.
pub const RULES_BYTES_MAX: usize = 512 << 10;

/// Levels of blocks, objects and lists. Rules of the community edition have one, Enterprise's have three.
const DEPTH_MAX: usize = 32;

/// Why a text is not HCL or JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("the rules have {0} bytes, at most {RULES_BYTES_MAX} are read")]
    Large(usize),
    #[error("At {0}: the rules nest deeper than {DEPTH_MAX} levels")]
    Deep(Position),
    #[error(transparent)]
    Lexer(#[from] lexer::Error),
    #[error("At {at}: {expected} got: {found}")]
    Unexpected { at: Position, expected: &'static str, found: Token },
    #[error("The argument \"{key}\" at {at} was already set. Each argument can only be defined once")]
    Repeated { key: String, at: Position },
    #[error("{0}")]
    Json(String),
    #[error("the rules repeat their keys too often")]
    Repetitive,
}

/// One entry of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// A block has its labels as further keys. Never empty.
    pub(crate) keys: Vec<String>,
    pub(crate) value: Value,
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text, or anything else that fits where a text is wanted.
    Text(String),
    Object(Vec<Item>),
    List(Vec<Value>),
}

/// What becomes of an argument that is set twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// It is refused, as servers since Consul 1.22 do with new rules.
    Refused,
    /// The last one holds, as in rules that were stored before.
    LastHolds,
}

/// Reads a source: JSON if it begins with a brace, else HCL.
pub(crate) fn parse(source: &str, repeats: Repeats) -> Result<Vec<Item>, Error> {
    if source.len() > RULES_BYTES_MAX {
        return Err(Error::Large(source.len()));
    }
    if is_json(source) {
        return match serde_json::from_str(source) {
            Ok(Value::Object(items)) => Ok(items),
            Ok(_) => Err(Error::Json("not an object".into())),
            Err(error) => Err(Error::Json(error.to_string())),
        };
    }
    let mut parser = Parser { lexer: Lexer::new(source), next: None, repeats };
    let (items, at, end) = parser.items(0)?;
    match end {
        Token::End => Ok(items),
        found => Err(Error::Unexpected { at, expected: "expected: IDENT | STRING | ASSIGN | LBRACE", found }),
    }
}

/// Whether a source is JSON rather than HCL.
pub(crate) fn is_json(source: &str) -> bool {
    source.trim_start().starts_with('{')
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// A token that was looked at and not taken.
    next: Option<(Position, Token)>,
    repeats: Repeats,
}

impl Parser<'_> {
    /// Items up to a token that begins none, which is returned.
    fn items(&mut self, depth: usize) -> Result<(Vec<Item>, Position, Token), Error> {
        let mut items: Vec<Item> = Vec::new();
        let mut assigned = BTreeSet::new();
        loop {
            let (at, first) = self.take()?;
            let (Token::Word(key) | Token::Quoted(key)) = first else { return Ok((items, at, first)) };
            let (keys, is_assigned) = self.keys(key)?;
            if is_assigned && self.repeats == Repeats::Refused && !assigned.insert(keys[0].clone()) {
                return Err(Error::Repeated { key: keys[0].clone(), at });
            }
            let value = if is_assigned { self.value(depth)? } else { self.object(at, depth)? };
            items.push(Item { keys, value });
            self.take_if(&Token::Comma)?;
        }
    }

    /// The keys of an item, and whether an equals sign followed them rather than a brace.
    fn keys(&mut self, first: String) -> Result<(Vec<String>, bool), Error> {
        let mut keys = vec![first];
        loop {
            match self.take()? {
                (_, Token::Word(key) | Token::Quoted(key)) => keys.push(key),
                (_, Token::OpenBrace) => return Ok((keys, false)),
                (_, Token::Assign) if keys.len() == 1 => return Ok((keys, true)),
                (at, found @ Token::Assign) => {
                    return Err(Error::Unexpected { at, expected: "nested object expected: LBRACE", found });
                }
                (at, found) => {
                    let expected = "expected: IDENT | STRING | ASSIGN | LBRACE";
                    return Err(Error::Unexpected { at, expected, found });
                }
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        match self.take()? {
            (_, Token::Word(text)) if matches!(text.as_str(), "true" | "false") => Ok(Value::Text(text)),
            (_, Token::Number(text) | Token::Quoted(text) | Token::Heredoc(text)) => Ok(Value::Text(text)),
            (at, Token::OpenBrace) => self.object(at, depth),
            (at, Token::OpenBracket) => self.list(at, depth),
            (at, found) => Err(Error::Unexpected { at, expected: "expected a value", found }),
        }
    }

    /// The rest of an object whose brace has been taken.
    fn object(&mut self, at: Position, depth: usize) -> Result<Value, Error> {
        let depth = deeper(at, depth)?;
        match self.items(depth)? {
            (items, _, Token::CloseBrace) => Ok(Value::Object(items)),
            (_, at, found) => {
                Err(Error::Unexpected { at, expected: "object expected closing RBRACE", found })
            }
        }
    }

    /// The rest of a list whose bracket has been taken.
    fn list(&mut self, at: Position, depth: usize) -> Result<Value, Error> {
        let depth = deeper(at, depth)?;
        let mut values = Vec::new();
        while !self.take_if(&Token::CloseBracket)? {
            values.push(self.value(depth)?);
            if !self.take_if(&Token::Comma)? {
                return match self.take()? {
                    (_, Token::CloseBracket) => Ok(Value::List(values)),
                    (at, found) => Err(Error::Unexpected {
                        at,
                        expected: "error parsing list, expected comma or list end,",
                        found,
                    }),
                };
            }
        }
        Ok(Value::List(values))
    }

    fn take(&mut self) -> Result<(Position, Token), Error> {
        match self.next.take() {
            Some(next) => Ok(next),
            None => Ok(self.lexer.next_token()?),
        }
    }

    fn take_if(&mut self, wanted: &Token) -> Result<bool, Error> {
        let next = self.take()?;
        let is_wanted = next.1 == *wanted;
        if !is_wanted {
            self.next = Some(next);
        }
        Ok(is_wanted)
    }
}

fn deeper(at: Position, depth: usize) -> Result<usize, Error> {
    if depth == DEPTH_MAX { Err(Error::Deep(at)) } else { Ok(depth + 1) }
}

/// From JSON, whose parser bounds the depth itself. Repeated keys all count, as they do in HCL: the stricter
/// rule must not get lost.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(OfJson)
    }
}

struct OfJson;

impl<'de> Visitor<'de> for OfJson {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rules")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            items.push(Item { keys: vec![key], value });
        }
        Ok(Value::Object(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: &str, value: &str) -> Item {
        Item { keys: vec![key.into()], value: Value::Text(value.into()) }
    }

    fn block(keys: &[&str], items: Vec<Item>) -> Item {
        Item { keys: keys.iter().map(|key| key.to_string()).collect(), value: Value::Object(items) }
    }

    #[track_caller]
    fn check(source: &str, expected: Vec<Item>) {
        assert_eq!(parse(source, Repeats::Refused), Ok(expected), "{source}");
    }

    #[test]
    fn blocks_need_no_line_ends_between_them() {
        let service = block(&["service", "a"], vec![text("policy", "write"), text("intentions", "read")]);
        check(
            "service \"a\" { policy = \"write\" intentions = \"read\" } acl = \"read\"",
            vec![service.clone(), text("acl", "read")],
        );
        check(
            "service a {policy=\"write\",intentions=\"read\",},\"acl\"=\"read\",",
            vec![service, text("acl", "read")],
        );
    }

    #[test]
    fn comments_heredocs_and_lists_are_read() {
        let source =
            "# one\nacl = \"read\" // two\n/* three\n*/ a = <<E\n read\n E\nb = [1, \"x\", {}, [true],]\n";
        let list = Value::List(vec![
            Value::Text("1".into()),
            Value::Text("x".into()),
            Value::Object(vec![]),
            Value::List(vec![Value::Text("true".into())]),
        ]);
        let list = Item { keys: vec!["b".into()], value: list };
        check(source, vec![text("acl", "read"), text("a", " read\n"), list]);
    }

    #[test]
    fn escapes_and_interpolations_are_kept_apart() {
        check(r#""a\t\"\\\x41\u00e9" = "${"x{}"} $ %{""#, vec![text("a\t\"\\Aé", "${\"x{}\"} $ %{")]);
    }

    #[test]
    fn json_is_read_like_hcl() {
        let source = r#" {"key": {"a": {"policy": "read"}}, "key": [{"b": {"policy": null}}], "acl": 1}"#;
        let rule = |name, policy| block(&[name], vec![text("policy", policy)]);
        let list = Value::List(vec![Value::Object(vec![rule("b", "")])]);
        check(
            source,
            vec![
                block(&["key"], vec![rule("a", "read")]),
                Item { keys: vec!["key".into()], value: list },
                text("acl", "1"),
            ],
        );
    }

    #[test]
    fn an_argument_set_twice_is_refused_in_new_rules_alone() {
        let source = "key \"a\" { policy = \"read\"\n policy = \"deny\" }";
        let error = parse(source, Repeats::Refused).unwrap_err().to_string();
        let expected =
            "The argument \"policy\" at 2:2 was already set. Each argument can only be defined once";
        assert_eq!(error, expected);
        assert!(parse(source, Repeats::LastHolds).is_ok());
        assert!(parse("key a {} key a {}", Repeats::Refused).is_ok());
    }

    #[test]
    fn errors_say_where() {
        let table = [
            ("acl", "At 1:4: expected: IDENT | STRING | ASSIGN | LBRACE got: EOF"),
            ("acl =\n}", "At 2:1: expected a value got: RBRACE"),
            ("a b = \"x\"", "At 1:5: nested object expected: LBRACE got: ASSIGN"),
            ("a {", "At 1:4: object expected closing RBRACE got: EOF"),
            ("}", "At 1:1: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACE"),
            ("a = [1 2]", "At 1:8: error parsing list, expected comma or list end, got: NUMBER"),
            ("a = \"b\nc\"", "At 1:5: literal not terminated"),
            ("a = \"\\q\"", "At 1:7: illegal char escape"),
            ("a = <<E\nb", "At 1:5: heredoc not terminated"),
            ("a = ;", "At 1:5: illegal char"),
            ("/* a", "At 1:1: comment not terminated"),
            ("{", "EOF while parsing an object at line 1 column 1"),
        ];
        for (source, expected) in table {
            assert_eq!(parse(source, Repeats::Refused).unwrap_err().to_string(), expected, "{source}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        for (open, close) in [("a {", "}"), ("a = {", "}"), ("a = [[", "]]"), ("{\"a\":", "}")] {
            let nested = |levels| format!("{}{}", open.repeat(levels), close.repeat(levels));
            assert!(parse(&nested(100_000), Repeats::Refused).is_err());
            assert!(parse(&open.repeat(100_000), Repeats::Refused).is_err());
        }
        let large = " ".repeat(RULES_BYTES_MAX + 1);
        assert_eq!(parse(&large, Repeats::Refused), Err(Error::Large(large.len())));
    }
}
