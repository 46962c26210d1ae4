//! Copies one value of unknown shape out of a stream, to learn where it ends.

use std::io::{self, BufRead};

use super::token::{self, Walk};
use super::{Cursor, Error, Limits};

/// Why a value could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are not an acceptable value.
    #[error(transparent)]
    Value(#[from] Error),
}

/// Appends the bytes of the next value of `input` to `out`.
///
/// Memory grows with the bytes that are there, never with the lengths they declare; no recursion. After an
/// error `out` may hold a part of the value.
pub fn copy_value(input: &mut impl BufRead, limits: Limits, out: &mut Vec<u8>) -> Result<(), CopyError> {
    match Cursor::new(fill(input)?).skip_within(limits) {
        Ok(value) => {
            let bytes = value.len();
            out.extend_from_slice(value);
            input.consume(bytes);
            Ok(())
        }
        // It goes on beyond what is in the buffer, which happens to few values.
        Err(Error::Cut) => copy_piecemeal(input, limits, out),
        Err(error) => Err(error.into()),
    }
}

fn copy_piecemeal(input: &mut impl BufRead, limits: Limits, out: &mut Vec<u8>) -> Result<(), CopyError> {
    let start = out.len();
    let mut walk = Walk::new(limits);
    while !walk.is_over() {
        let head_at = out.len();
        let code = *fill(input)?.first().ok_or(Error::Cut)?;
        append(input, token::head_bytes(code)?, out)?;
        let token = token::parse(&out[head_at..])?;
        walk.step(token)?;
        if (out.len() - start).saturating_add(token.payload_bytes()) > limits.bytes {
            return Err(Error::TooLarge(limits.bytes).into());
        }
        append(input, token.payload_bytes(), out)?;
    }
    Ok(())
}

fn append(input: &mut impl BufRead, mut bytes: usize, out: &mut Vec<u8>) -> Result<(), CopyError> {
    while bytes > 0 {
        let available = fill(input)?;
        if available.is_empty() {
            return Err(Error::Cut.into());
        }
        let taken = available.len().min(bytes);
        out.extend_from_slice(&available[..taken]);
        input.consume(taken);
        bytes -= taken;
    }
    Ok(())
}

fn fill(input: &mut impl BufRead) -> io::Result<&[u8]> {
    // Asking twice is what the borrow checker wants of a retry; the second answer is at hand.
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    input.fill_buf()
}
