//! The tokens of HCL 1, in which rules are written.
//!
//! Follows `hashicorp/hcl:hcl/scanner/scanner.go`. That language is not today's HCL: it needs no line ends
//! between blocks, takes quoted keys, and knows no templates.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// A token of the source. Comments are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A bare word, or a number or boolean: where a value is wanted they are all text.
    Word(String),
    /// A number; unlike a word it can't be a key.
    Number(String),
    /// Text in quotes.
    Quoted(String),
    /// A text of several lines.
    Heredoc(String),
    Assign,
    Comma,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    End,
}

/// A place in the source, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Why a source has no further token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("At {at}: {problem}")]
pub(crate) struct Error {
    pub(crate) at: Position,
    pub(crate) problem: &'static str,
}

/// Reads tokens one after the other.
pub(super) struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    at: Position,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Token::Word(_) => "IDENT",
            Token::Number(_) => "NUMBER",
            Token::Quoted(_) => "STRING",
            Token::Heredoc(_) => "HEREDOC",
            Token::Assign => "ASSIGN",
            Token::Comma => "COMMA",
            Token::OpenBrace => "LBRACE",
            Token::CloseBrace => "RBRACE",
            Token::OpenBracket => "LBRACK",
            Token::CloseBracket => "RBRACK",
            Token::End => "EOF",
        })
    }
}

impl<'a> Lexer<'a> {
    pub(super) fn new(source: &'a str) -> Lexer<'a> {
        Lexer { rest: source.chars().peekable(), at: Position { line: 1, column: 1 } }
    }

    /// The next token and where it begins.
    pub(super) fn next_token(&mut self) -> Result<(Position, Token), Error> {
        self.skip_blanks()?;
        let at = self.at;
        let Some(first) = self.take() else { return Ok((at, Token::End)) };
        let token = match first {
            '=' => Token::Assign,
            ',' => Token::Comma,
            '{' => Token::OpenBrace,
            '}' => Token::CloseBrace,
            '[' => Token::OpenBracket,
            ']' => Token::CloseBracket,
            '"' => Token::Quoted(self.quoted(at)?),
            '<' => Token::Heredoc(self.heredoc(at)?),
            '-' | '.' | '0'..='9' => Token::Number(self.number(first)),
            first if is_letter(first) => Token::Word(self.word(first)),
            _ => return Err(Error { at, problem: "illegal char" }),
        };
        Ok((at, token))
    }

    fn skip_blanks(&mut self) -> Result<(), Error> {
        loop {
            let at = self.at;
            match self.rest.peek() {
                Some(' ' | '\t' | '\n' | '\r') => {
                    self.take();
                }
                Some('#') => self.skip_line(),
                Some('/') => {
                    self.take();
                    match self.take() {
                        Some('/') => self.skip_line(),
                        Some('*') => self.skip_comment(at)?,
                        _ => return Err(Error { at, problem: "expected '/' for comment" }),
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.rest.peek().is_some_and(|next| *next != '\n') {
            self.take();
        }
    }

    fn skip_comment(&mut self, at: Position) -> Result<(), Error> {
        let mut before = ' ';
        loop {
            match self.take().ok_or(Error { at, problem: "comment not terminated" })? {
                '/' if before == '*' => return Ok(()),
                next => before = next,
            }
        }
    }

    fn word(&mut self, first: char) -> String {
        self.while_is(first, |next| is_letter(next) || is_digit(next) || matches!(next, '-' | '.'))
    }

    /// Nothing that rules say is a number, so it only matters where one ends.
    fn number(&mut self, first: char) -> String {
        self.while_is(first, |next| next.is_ascii_alphanumeric() || matches!(next, '.' | '+' | '-'))
    }

    fn while_is(&mut self, first: char, belongs: fn(char) -> bool) -> String {
        let mut text = String::from(first);
        while let Some(next) = self.rest.peek().copied().filter(|next| belongs(*next)) {
            self.take();
            text.push(next);
        }
        text
    }

    /// The rest of a text in quotes. Within `${…}` quotes and line ends are part of the text.
    fn quoted(&mut self, at: Position) -> Result<String, Error> {
        let not_terminated = Error { at, problem: "literal not terminated" };
        let mut text = String::new();
        let mut braces = 0_usize;
        loop {
            match self.take().ok_or(not_terminated.clone())? {
                '\n' if braces == 0 => return Err(not_terminated),
                '"' if braces == 0 => return Ok(text),
                '\\' => text.push(self.escape()?),
                next => {
                    match (next, braces) {
                        ('$', 0) if self.rest.peek() == Some(&'{') => {
                            text.push('$');
                            self.take();
                            text.push('{');
                            braces = 1;
                            continue;
                        }
                        ('{', 1..) => braces += 1,
                        ('}', 1..) => braces -= 1,
                        _ => {}
                    }
                    text.push(next);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let at = self.at;
        let illegal = Error { at, problem: "illegal char escape" };
        let (radix, digits) = match self.take().ok_or(illegal.clone())? {
            'a' => return Ok('\x07'),
            'b' => return Ok('\x08'),
            'f' => return Ok('\x0c'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\x0b'),
            same @ ('\\' | '"') => return Ok(same),
            'x' => (16, 2),
            'u' => (16, 4),
            'U' => (16, 8),
            _ => return Err(illegal),
        };
        let mut code = 0_u32;
        for _ in 0..digits {
            let digit = self.take().and_then(|digit| digit.to_digit(radix)).ok_or(illegal.clone())?;
            code = code.checked_mul(radix).and_then(|code| code.checked_add(digit)).ok_or(illegal.clone())?;
        }
        char::from_u32(code).ok_or(illegal)
    }

    /// The rest of `<<ANCHOR`, up to the line that holds the anchor alone.
    fn heredoc(&mut self, at: Position) -> Result<String, Error> {
        let fails = |problem| Err(Error { at, problem });
        if self.take() != Some('<') {
            return fails("heredoc expected second '<', didn't see it");
        }
        let Some(anchor) = self.line() else { return fails("heredoc not terminated") };
        let anchor = anchor.trim_end_matches('\r');
        let anchor = anchor.strip_prefix('-').unwrap_or(anchor);
        if anchor.is_empty() {
            return fails("zero-length heredoc anchor");
        }
        if !anchor.chars().all(|c| is_letter(c) || is_digit(c)) {
            return fails("invalid characters in heredoc anchor");
        }
        let mut text = String::new();
        while let Some(line) = self.line() {
            if line.trim() == anchor {
                return Ok(text);
            }
            text.push_str(&line);
            text.push('\n');
        }
        fails("heredoc not terminated")
    }

    /// The rest of the line, without its end; nothing at the end of the source.
    fn line(&mut self) -> Option<String> {
        self.rest.peek()?;
        let mut line = String::new();
        loop {
            match self.take() {
                Some('\n') | None => return Some(line),
                Some(next) => line.push(next),
            }
        }
    }

    fn take(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        match next {
            '\n' => self.at = Position { line: self.at.line + 1, column: 1 },
            _ => self.at.column += 1,
        }
        Some(next)
    }
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || !c.is_ascii() && c.is_numeric()
}
