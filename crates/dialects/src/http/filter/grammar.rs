//! Filter expressions, parsed.
//!
//! Follows `hashicorp/go-bexpr:grammar/grammar.peg`, of 0.1.16 for Nomad and of 0.1.2 for Consul: the latter knows
//! neither pointers nor `nil`, neither places in lists nor `any` and `all`.

use super::quoted::unquote;

/// No expression is longer.
pub(super) const BYTES_MAX: usize = 64 << 10;

/// No expression is nested deeper.
const DEPTH_MAX: usize = 64;

/// Whose expressions they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edition {
    Consul,
    Nomad,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Match(Match),
    Each(Each),
}

/// A question about one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) selector: Selector,
    pub(super) operator: Operator,
    /// Whether the opposite is asked.
    pub(super) is_negated: bool,
    /// With what to compare; empty where there is nothing to compare with.
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    In,
    Empty,
    Matches,
    Nil,
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) path: Vec<String>,
    is_pointer: bool,
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path.join(if self.is_pointer { "/" } else { "." }))
    }
}

/// A question about the things in a list or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Each {
    /// Whether all of them have to answer it, not just any.
    pub(super) is_all: bool,
    pub(super) selector: Selector,
    pub(super) names: Names,
    pub(super) inner: Box<Expression>,
}

/// What the question calls a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// The thing in a list, the key in a map.
    Default(String),
    Index(String),
    Value(String),
    Both {
        index: String,
        value: String,
    },
}

/// Parses an expression. The error is worded as the genuine one, but for what it says was expected.
pub(super) fn parse(text: &str, edition: Edition) -> Result<Expression, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("the expression is longer than {BYTES_MAX} bytes"));
    }
    let mut parser = Parser { text, at: 0, farthest: 0, depth: 0, is_too_deep: false, edition };
    parser.spaces();
    let parsed = parser.or();
    parser.spaces();
    match parsed {
        Some(expression) if parser.rest().is_empty() => Ok(expression),
        _ if parser.is_too_deep => Err(format!("the expression is nested deeper than {DEPTH_MAX} levels")),
        _ => Err(parser.mismatch()),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// How far anything could be read.
    farthest: usize,
    depth: usize,
    is_too_deep: bool,
    edition: Edition,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn mismatch(&self) -> String {
        let before = &self.text[..self.farthest];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        format!("{line}:{column} ({}): no match found", self.farthest)
    }

    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        self.farthest = self.farthest.max(self.at);
    }

    /// Takes what `read` takes, or nothing.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Parser<'a>) -> Option<T>) -> Option<T> {
        let begin = self.at;
        let read = read(self);
        if read.is_none() {
            self.at = begin;
        }
        read
    }

    /// The same one level deeper.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Parser<'a>) -> Option<T>) -> Option<T> {
        if self.depth == DEPTH_MAX {
            self.is_too_deep = true;
            return None;
        }
        self.depth += 1;
        let read = self.attempt(read);
        self.depth -= 1;
        read
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.rest().starts_with(literal).then(|| self.advance(literal.len()))
    }

    fn spaces(&mut self) -> bool {
        let bytes = self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.advance(bytes);
        bytes > 0
    }

    /// These words, each after a space.
    fn words(&mut self, words: &[&str]) -> Option<()> {
        words.iter().try_for_each(|word| if self.spaces() { self.literal(word) } else { None })
    }

    /// The same, and a space after them.
    fn words_apart(&mut self, words: &[&str]) -> Option<()> {
        self.words(words)?;
        self.spaces().then_some(())
    }

    fn or(&mut self) -> Option<Expression> {
        let Some(first) = self.and() else { return self.each() };
        let mut operands = vec![first];
        // What begins with any or all ends the row, unless it stands in parentheses.
        let mut is_over = false;
        while !is_over {
            let next = self.attempt(|parser| {
                parser.words_apart(&["or"])?;
                let next = parser.and();
                is_over = next.is_none();
                next.or_else(|| parser.each())
            });
            let Some(next) = next else { break };
            operands.push(next);
        }
        Some(if operands.len() == 1 { operands.remove(0) } else { Expression::Or(operands) })
    }

    fn and(&mut self) -> Option<Expression> {
        let mut operands = vec![self.not()?];
        while let Some(next) = self.attempt(|parser| {
            parser.words_apart(&["and"])?;
            parser.not()
        }) {
            operands.push(next);
        }
        Some(if operands.len() == 1 { operands.remove(0) } else { Expression::And(operands) })
    }

    fn not(&mut self) -> Option<Expression> {
        let negated = self.deeper(|parser| {
            parser.literal("not")?;
            if !parser.spaces() {
                return None;
            }
            parser.not()
        });
        match negated {
            Some(operand) => Some(Expression::Not(Box::new(operand))),
            None => self.group().or_else(|| self.one().map(Expression::Match)),
        }
    }

    fn group(&mut self) -> Option<Expression> {
        self.deeper(|parser| {
            parser.literal("(")?;
            parser.spaces();
            let inner = parser.or()?;
            parser.spaces();
            parser.literal(")")?;
            Some(inner)
        })
    }

    fn each(&mut self) -> Option<Expression> {
        if self.edition == Edition::Consul {
            return None;
        }
        self.deeper(|parser| {
            let is_all = parser.literal("all").is_some();
            if !is_all {
                parser.literal("any")?;
            }
            if !parser.spaces() {
                return None;
            }
            let selector = parser.selector()?;
            parser.words_apart(&["as"])?;
            let names = parser.names()?;
            parser.spaces();
            parser.literal("{")?;
            parser.spaces();
            let inner = Box::new(parser.or()?);
            parser.spaces();
            parser.literal("}")?;
            Some(Expression::Each(Each { is_all, selector, names, inner }))
        })
    }

    fn names(&mut self) -> Option<Names> {
        let comma = |parser: &mut Parser<'a>| {
            parser.spaces();
            parser.literal(",")?;
            parser.spaces();
            Some(())
        };
        if let Some(index) = self.identifier() {
            let second = self.attempt(|parser| {
                comma(parser)?;
                let value = parser.identifier();
                if value.is_none() {
                    parser.literal("_")?;
                }
                Some(value)
            });
            return Some(match second {
                None => Names::Default(index),
                Some(None) => Names::Index(index),
                Some(Some(value)) => Names::Both { index, value },
            });
        }
        self.literal("_")?;
        comma(self)?;
        self.identifier().map(Names::Value)
    }

    fn one(&mut self) -> Option<Match> {
        self.attempt(Self::selector_first).or_else(|| self.attempt(Self::value_first))
    }

    fn selector_first(&mut self) -> Option<Match> {
        let selector = self.selector()?;
        let compared = self.attempt(|parser| {
            let (operator, is_negated) = parser.comparison()?;
            Some((operator, is_negated, parser.value()?))
        });
        let (operator, is_negated, value) = match compared {
            Some(compared) => compared,
            None => {
                let (operator, is_negated) = self.state()?;
                (operator, is_negated, String::new())
            }
        };
        Some(Match { selector, operator, is_negated, value })
    }

    fn value_first(&mut self) -> Option<Match> {
        let value = self.value()?;
        let is_negated = self.attempt(|parser| parser.words_apart(&["in"])).is_none();
        if is_negated {
            self.words_apart(&["not", "in"])?;
        }
        Some(Match { selector: self.selector()?, operator: Operator::In, is_negated, value })
    }

    fn comparison(&mut self) -> Option<(Operator, bool)> {
        for (sign, is_negated) in [("==", false), ("!=", true)] {
            let is_there = self.attempt(|parser| {
                parser.spaces();
                parser.literal(sign)?;
                parser.spaces();
                Some(())
            });
            if is_there.is_some() {
                return Some((Operator::Equal, is_negated));
            }
        }
        for (word, operator) in [("contains", Operator::In), ("matches", Operator::Matches)] {
            for words in [&[word][..], &["not", word]] {
                if self.attempt(|parser| parser.words_apart(words)).is_some() {
                    return Some((operator, words.len() == 2));
                }
            }
        }
        None
    }

    fn state(&mut self) -> Option<(Operator, bool)> {
        for (word, operator) in [("empty", Operator::Empty), ("nil", Operator::Nil)] {
            if operator == Operator::Nil && self.edition == Edition::Consul {
                break;
            }
            for words in [&["is", word][..], &["is", "not", word]] {
                if self.attempt(|parser| parser.words(words)).is_some() {
                    return Some((operator, words.len() == 3));
                }
            }
        }
        None
    }

    fn selector(&mut self) -> Option<Selector> {
        let Some(first) = self.identifier() else { return self.pointer() };
        let mut path = vec![first];
        while let Some(part) = self.part() {
            path.push(part);
        }
        Some(Selector { path, is_pointer: false })
    }

    fn part(&mut self) -> Option<String> {
        let named = self.attempt(|parser| {
            parser.literal(".")?;
            parser.identifier().or_else(|| parser.place())
        });
        named.or_else(|| {
            self.attempt(|parser| {
                parser.literal("[")?;
                parser.spaces();
                let key = parser.string()?;
                parser.spaces();
                parser.literal("]")?;
                Some(key)
            })
        })
    }

    /// The place of something in a list.
    fn place(&mut self) -> Option<String> {
        if self.edition == Edition::Consul {
            return None;
        }
        self.taken(|text| text.bytes().take_while(u8::is_ascii_digit).count())
    }

    /// As many bytes as `count` says, at least one.
    fn taken(&mut self, count: impl FnOnce(&str) -> usize) -> Option<String> {
        let bytes = count(self.rest());
        let taken = self.rest().get(..bytes).filter(|taken| !taken.is_empty())?;
        self.advance(bytes);
        Some(taken.to_owned())
    }

    fn identifier(&mut self) -> Option<String> {
        let has_slashes = self.edition == Edition::Nomad;
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || (has_slashes && *byte == b'/');
        let begins = self.rest().bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        begins.then(|| self.taken(|text| text.bytes().take_while(is_part).count())).flatten()
    }

    /// A JSON pointer in quotes.
    fn pointer(&mut self) -> Option<Selector> {
        if self.edition == Edition::Consul {
            return None;
        }
        self.attempt(|parser| {
            parser.literal("\"")?;
            let mut path = Vec::new();
            while parser.literal("/").is_some() {
                let is_part = |c: &char| c.is_alphanumeric() || "-_.~:|".contains(*c);
                let part = parser.taken(|text| text.chars().take_while(is_part).map(char::len_utf8).sum())?;
                path.push(part.replace("~1", "/").replace("~0", "~"));
            }
            parser.literal("\"")?;
            // The empty pointer has one part, as in the genuine library.
            if path.is_empty() {
                path.push(String::new());
            }
            Some(Selector { path, is_pointer: true })
        })
    }

    /// A value: a word, a number, a text in quotes. What looks like a selector stands for its own name.
    fn value(&mut self) -> Option<String> {
        if let Some(selector) = self.selector() {
            return Some(selector.to_string());
        }
        self.attempt(Self::number).or_else(|| self.string())
    }

    fn number(&mut self) -> Option<String> {
        let begin = self.at;
        let _ = self.literal("-");
        let whole = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        // No number begins with a zero but 0.
        let whole = if self.rest().starts_with('0') { 1 } else { whole };
        self.taken(|_| whole)?;
        let _ = self.attempt(|parser| {
            parser.literal(".")?;
            parser.taken(|text| text.bytes().take_while(u8::is_ascii_digit).count())
        });
        let is_over = matches!(self.rest().bytes().next(), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b')'));
        is_over.then(|| self.text[begin..self.at].to_owned())
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.rest().chars().next().filter(|c| matches!(c, '"' | '`'))?;
        let inner = self.rest()[1..].split_once(quote)?.0;
        let string = unquote(inner, quote)?;
        self.advance(inner.len() + 2);
        Some(string)
    }
}
