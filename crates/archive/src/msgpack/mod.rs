//! Msgpack as HashiCorp's servers speak it: read within bounds, written byte for byte as their codec does.
//! Strings and byte strings are one family here ([`Value::Raw`]), as in the codec's old specification: it
//! writes no other, and readers must take both.

mod copy;
mod cursor;
mod encode;
mod rewrite;
mod time;
mod token;
mod value;

pub use copy::{CopyError, copy_value};
pub use cursor::Cursor;
pub use encode::Encoder;
pub use rewrite::{rewrite_elements, rewrite_fields};
pub use time::Time;
pub use value::Value;

/// What one value may cost. A value beyond is refused before anything of that size is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Encoded bytes of the whole value.
    pub bytes: usize,
    /// Levels of arrays and maps.
    pub depth: usize,
    /// Scalars, arrays and maps in all. Decoded, each takes some tens of bytes, however short its encoding.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes: 32 << 20, depth: 128, nodes: 1 << 20 }
    }
}

/// Why bytes are not an acceptable msgpack value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end within the value.
    #[error("the value is cut off")]
    Cut,
    /// The code `0xc1`, which means nothing.
    #[error("0xc1 is not a msgpack code")]
    Reserved,
    /// More bytes than [`Limits::bytes`].
    #[error("the value is larger than {0} bytes")]
    TooLarge(usize),
    /// More levels than [`Limits::depth`].
    #[error("the value nests deeper than {0} levels")]
    TooDeep(usize),
    /// More parts than [`Limits::nodes`].
    #[error("the value has more than {0} parts")]
    TooMany(usize),
    /// Bytes follow the value where it should have been all.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// Another type of value was needed here.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What was needed.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// An integer that does not fit.
    #[error("the integer does not fit {0}")]
    Range(&'static str),
    /// A string that should be text is not UTF-8.
    #[error("the string is not UTF-8")]
    Utf8,
    /// A time that is not 15 or 16 bytes of Go's binary form.
    #[error("not a time in Go's binary form")]
    Time,
}
