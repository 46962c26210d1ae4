//! The first byte of every value: what it announces, and how many bytes announce it.

use super::Error;

/// A value's head: a whole scalar, or the length of what follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token {
    Nil,
    Bool(bool),
    UInt(u64),
    /// Negative; everything else is `UInt`, whatever the code.
    Int(i64),
    Float(f64),
    Raw(usize),
    Ext(i8, usize),
    Array(usize),
    Map(usize),
}

/// How many bytes the head has that begins with `code`.
pub(super) fn head_bytes(code: u8) -> Result<usize, Error> {
    Ok(match code {
        0xc1 => return Err(Error::Reserved),
        0xc4 | 0xcc | 0xd0 | 0xd9 => 2,
        0xd4..=0xd8 => 2,
        0xc5 | 0xc7 | 0xcd | 0xd1 | 0xda | 0xdc | 0xde => 3,
        0xc8 => 4,
        0xc6 | 0xca | 0xce | 0xd2 | 0xdb | 0xdd | 0xdf => 5,
        0xc9 => 6,
        0xcb | 0xcf | 0xd3 => 9,
        _ => 1,
    })
}

/// Parses a head of exactly [`head_bytes`] bytes.
pub(super) fn parse(head: &[u8]) -> Result<Token, Error> {
    let code = head[0];
    Ok(match code {
        0x00..=0x7f => Token::UInt(u64::from(code)),
        0x80..=0x8f => Token::Map(usize::from(code & 0x0f)),
        0x90..=0x9f => Token::Array(usize::from(code & 0x0f)),
        0xa0..=0xbf => Token::Raw(usize::from(code & 0x1f)),
        0xc0 => Token::Nil,
        0xc1 => return Err(Error::Reserved),
        0xc2 | 0xc3 => Token::Bool(code == 0xc3),
        0xc4..=0xc6 | 0xd9..=0xdb => Token::Raw(number(&head[1..]) as usize),
        0xc7..=0xc9 => {
            let (length, kind) = head[1..].split_at(head.len() - 2);
            Token::Ext(kind[0] as i8, number(length) as usize)
        }
        0xca => Token::Float(f64::from(f32::from_bits(number(&head[1..]) as u32))),
        0xcb => Token::Float(f64::from_bits(number(&head[1..]))),
        0xcc..=0xcf => Token::UInt(number(&head[1..])),
        0xd0..=0xd3 => signed(&head[1..]),
        0xd4..=0xd8 => Token::Ext(head[1] as i8, 1 << (code - 0xd4)),
        0xdc | 0xdd => Token::Array(number(&head[1..]) as usize),
        0xde | 0xdf => Token::Map(number(&head[1..]) as usize),
        0xe0..=0xff => Token::Int(i64::from(code as i8)),
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn signed(bytes: &[u8]) -> Token {
    let unused_bits = 64 - 8 * bytes.len() as u32;
    // Shifting up and down again carries the sign bit through the unused bits.
    let value = ((number(bytes) << unused_bits) as i64) >> unused_bits;
    match u64::try_from(value) {
        Ok(value) => Token::UInt(value),
        Err(_) => Token::Int(value),
    }
}

impl Token {
    /// What the value is called in errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Token::Nil => "nil",
            Token::Bool(_) => "a boolean",
            Token::UInt(_) | Token::Int(_) => "an integer",
            Token::Float(_) => "a float",
            Token::Raw(_) => "a string",
            Token::Ext(..) => "an extension",
            Token::Array(_) => "an array",
            Token::Map(_) => "a map",
        }
    }

    /// Bytes that follow the head and belong to the value itself.
    pub(super) fn payload_bytes(self) -> usize {
        match self {
            Token::Raw(bytes) | Token::Ext(_, bytes) => bytes,
            _ => 0,
        }
    }

    /// Values that follow the head and belong to this one; `None` for a scalar.
    pub(super) fn children(self) -> Option<u64> {
        match self {
            Token::Array(length) => Some(length as u64),
            Token::Map(length) => Some(2 * length as u64),
            _ => None,
        }
    }
}

/// Counts levels and parts of one value while its heads go by, in constant time per head.
pub(super) struct Walk {
    limits: super::Limits,
    nodes: usize,
    /// Values still to come on each open level.
    open: Vec<u64>,
    started: bool,
}

impl Walk {
    pub(super) fn new(limits: super::Limits) -> Walk {
        Walk { limits, nodes: 0, open: Vec::new(), started: false }
    }

    /// Whether the value is complete.
    pub(super) fn is_over(&self) -> bool {
        self.started && self.open.is_empty()
    }

    /// Accounts for the next head.
    pub(super) fn step(&mut self, token: Token) -> Result<(), Error> {
        self.started = true;
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(Error::TooMany(self.limits.nodes));
        }
        if let Some(remaining) = self.open.last_mut() {
            *remaining -= 1;
        }
        if let Some(children) = token.children() {
            if self.open.len() == self.limits.depth {
                return Err(Error::TooDeep(self.limits.depth));
            }
            if children > self.limits.nodes as u64 {
                return Err(Error::TooMany(self.limits.nodes));
            }
            self.open.push(children);
        }
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
        Ok(())
    }
}
