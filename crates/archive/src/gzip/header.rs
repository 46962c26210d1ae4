//! The header of a member as Go reads it, with all its optional fields, none of which matters here.

use std::io::{self, BufRead, BufReader, Read};

/// Longest file name or comment, as in Go; with a longer one it is no header.
const TEXT_BYTES_MAX: usize = 512;

const FLAG_CHECKSUM: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;

/// A buffered source that knows how much was taken from it.
pub(super) struct Input<R: Read> {
    buffer: BufReader<R>,
    offset: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(source: R, buffer_bytes: usize) -> Input<R> {
        Input { buffer: BufReader::with_capacity(buffer_bytes, source), offset: 0 }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.buffer.fill_buf()
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.buffer.consume(bytes);
        self.offset += bytes as u64;
    }

    /// Reads until `out` is full or the input ends, and says how much there was.
    pub(super) fn fill(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut found = 0;
        while found < out.len() {
            match self.buffer.read(&mut out[found..]) {
                Ok(0) => break,
                Ok(count) => found += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.offset += found as u64;
        Ok(found)
    }
}

/// What stands where a header could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A header; the data of its member follow.
    Valid,
    /// Nothing: the input has ended.
    Absent,
    /// The input ends within what could be a header.
    Cut,
    /// The input ends before it is known whether this is a header, but it doesn't begin like one.
    ShortNoise,
    /// Something else.
    Noise,
}

/// Reads a header.
pub(super) fn read<R: Read>(input: &mut Input<R>) -> io::Result<Header> {
    let mut fixed = [0; 10];
    let found = input.fill(&mut fixed)?;
    let begins_like_one = [0x1f, 0x8b, 8].starts_with(&fixed[..found.min(3)]);
    match (found, begins_like_one) {
        (0, _) => return Ok(Header::Absent),
        (10.., false) => return Ok(Header::Noise),
        (..10, true) => return Ok(Header::Cut),
        (..10, false) => return Ok(Header::ShortNoise),
        (10.., true) => {}
    }
    let mut crc = libdeflater::Crc::new();
    crc.update(&fixed);
    read_optional_fields(fixed[3], &mut Fields { input, crc })
}

fn read_optional_fields<R: Read>(flags: u8, fields: &mut Fields<R>) -> io::Result<Header> {
    if flags & FLAG_EXTRA != 0 {
        let Some(length) = fields.take::<2>()? else { return Ok(Header::Cut) };
        for _ in 0..u16::from_le_bytes(length) {
            if fields.take::<1>()?.is_none() {
                return Ok(Header::Cut);
            }
        }
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        let text = match flags & flag {
            0 => Header::Valid,
            _ => fields.skip_text()?,
        };
        if text != Header::Valid {
            return Ok(text);
        }
    }
    if flags & FLAG_CHECKSUM != 0 {
        let expected = fields.crc.sum() as u16;
        return Ok(match fields.take::<2>()?.map(u16::from_le_bytes) {
            None => Header::Cut,
            Some(found) if found == expected => Header::Valid,
            Some(_) => Header::Noise,
        });
    }
    Ok(Header::Valid)
}

/// What follows the fixed part, under the checksum that may close it.
struct Fields<'a, R: Read> {
    input: &'a mut Input<R>,
    crc: libdeflater::Crc,
}

impl<R: Read> Fields<'_, R> {
    /// The next `N` bytes; `None` if the input ends before.
    fn take<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        let found = self.input.fill(&mut bytes)?;
        self.crc.update(&bytes[..found]);
        Ok((found == N).then_some(bytes))
    }

    /// Passes over a text and the zero byte that ends it.
    fn skip_text(&mut self) -> io::Result<Header> {
        for _ in 0..TEXT_BYTES_MAX {
            match self.take::<1>()? {
                None => return Ok(Header::Cut),
                Some([0]) => return Ok(Header::Valid),
                Some(_) => {}
            }
        }
        Ok(Header::Noise)
    }
}
