//! Reads typed values from a slice, front to back, with the tolerance that genuine decoders have.

use super::token::{self, Token, Walk};
use super::{Error, Limits, Time};

/// A place in a slice of msgpack values.
///
/// As in the genuine codec, nil stands for the zero of any type, and integers may have any width.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// At the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, position: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Fails unless everything has been read.
    pub fn finish(&self) -> Result<(), Error> {
        match self.bytes.len() - self.position {
            0 => Ok(()),
            more => Err(Error::Trailing(more)),
        }
    }

    /// Passes over one value of any type within [`Limits::default`] and returns its bytes.
    pub fn skip(&mut self) -> Result<&'a [u8], Error> {
        self.skip_within(Limits::default())
    }

    /// Passes over one value of any type within `limits` and returns its bytes.
    pub fn skip_within(&mut self, limits: Limits) -> Result<&'a [u8], Error> {
        let start = self.position;
        let mut walk = Walk::new(limits);
        while !walk.is_over() {
            let token = self.head()?;
            walk.step(token)?;
            if (self.position - start).saturating_add(token.payload_bytes()) > limits.bytes {
                return Err(Error::TooLarge(limits.bytes));
            }
            self.take(token.payload_bytes())?;
        }
        Ok(&self.bytes[start..self.position])
    }

    /// Whether the next value is nil; if so, passes over it.
    pub fn take_nil(&mut self) -> Result<bool, Error> {
        let next = *self.bytes.get(self.position).ok_or(Error::Cut)?;
        let is_nil = next == 0xc0;
        self.position += usize::from(is_nil);
        Ok(is_nil)
    }

    /// A string or byte string; nil is empty.
    pub fn raw(&mut self) -> Result<&'a [u8], Error> {
        match self.head()? {
            Token::Raw(bytes) => self.take(bytes),
            Token::Nil => Ok(&[]),
            other => Err(wrong("a string", other)),
        }
    }

    /// A string that is text; nil is empty.
    pub fn text(&mut self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.raw()?).map_err(|_| Error::Utf8)
    }

    /// A boolean; nil is false.
    pub fn bool(&mut self) -> Result<bool, Error> {
        match self.head()? {
            Token::Bool(value) => Ok(value),
            Token::Nil => Ok(false),
            other => Err(wrong("a boolean", other)),
        }
    }

    /// An integer that is not negative; nil is 0.
    pub fn uint(&mut self) -> Result<u64, Error> {
        match self.head()? {
            Token::UInt(value) => Ok(value),
            Token::Nil => Ok(0),
            Token::Int(_) => Err(Error::Range("u64")),
            other => Err(wrong("an integer", other)),
        }
    }

    /// An integer; nil is 0.
    pub fn int(&mut self) -> Result<i64, Error> {
        match self.head()? {
            Token::Int(value) => Ok(value),
            Token::UInt(value) => i64::try_from(value).map_err(|_| Error::Range("i64")),
            Token::Nil => Ok(0),
            other => Err(wrong("an integer", other)),
        }
    }

    /// A number as float; nil is 0.
    pub fn float(&mut self) -> Result<f64, Error> {
        match self.head()? {
            Token::Float(value) => Ok(value),
            Token::UInt(value) => Ok(value as f64),
            Token::Int(value) => Ok(value as f64),
            Token::Nil => Ok(0.0),
            other => Err(wrong("a number", other)),
        }
    }

    /// A time in Go's binary form; nil is `None`.
    pub fn time(&mut self) -> Result<Option<Time>, Error> {
        if self.take_nil()? {
            return Ok(None);
        }
        Time::from_bytes(self.raw()?).map(Some)
    }

    /// The length of an array whose elements follow; nil is `None`.
    pub fn array(&mut self) -> Result<Option<usize>, Error> {
        match self.head()? {
            Token::Array(length) => self.plausible(length, 1),
            Token::Nil => Ok(None),
            other => Err(wrong("an array", other)),
        }
    }

    /// The length of a map whose keys and values follow; nil is `None`.
    pub fn map(&mut self) -> Result<Option<usize>, Error> {
        match self.head()? {
            Token::Map(length) => self.plausible(length, 2),
            Token::Nil => Ok(None),
            other => Err(wrong("a map", other)),
        }
    }

    /// Calls `field` for every entry of a map with string keys, the cursor at the value. Values that
    /// `field` leaves alone are passed over. Returns false, having called nothing, for nil.
    pub fn fields(
        &mut self,
        mut field: impl FnMut(&'a [u8], &mut Cursor<'a>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let Some(length) = self.map()? else { return Ok(false) };
        for _ in 0..length {
            let key = self.raw()?;
            let value_at = self.position;
            field(key, self)?;
            if self.position == value_at {
                self.skip()?;
            }
        }
        Ok(true)
    }

    /// Calls `element` for every element of an array, the cursor at it; it must read the element.
    /// Returns false, having called nothing, for nil.
    pub fn elements(
        &mut self,
        mut element: impl FnMut(&mut Cursor<'a>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let Some(length) = self.array()? else { return Ok(false) };
        for _ in 0..length {
            element(self)?;
        }
        Ok(true)
    }

    /// A declared length, refused when the bytes left cannot hold as many values, or they are too many.
    fn plausible(&self, length: usize, values_each: usize) -> Result<Option<usize>, Error> {
        let values = length.saturating_mul(values_each);
        let nodes_max = Limits::default().nodes;
        match (values > self.bytes.len() - self.position, values > nodes_max) {
            (true, _) => Err(Error::Cut),
            (_, true) => Err(Error::TooMany(nodes_max)),
            (false, false) => Ok(Some(length)),
        }
    }

    pub(super) fn head(&mut self) -> Result<Token, Error> {
        let code = *self.bytes.get(self.position).ok_or(Error::Cut)?;
        token::parse(self.take(token::head_bytes(code)?)?)
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Error> {
        let end = self.position.checked_add(bytes).ok_or(Error::Cut)?;
        let taken = self.bytes.get(self.position..end).ok_or(Error::Cut)?;
        self.position = end;
        Ok(taken)
    }
}

fn wrong(expected: &'static str, found: Token) -> Error {
    Error::Type { expected, found: found.name() }
}
