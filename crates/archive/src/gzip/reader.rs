//! The decompressing half: members one after the other as one stream, every checksum verified.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::Error;
use super::header::{self, Header, Input};

const BUFFER_BYTES: usize = 64 << 10;

enum State {
    /// Before a member; the first one must exist.
    Header {
        first: bool,
    },
    Body,
    /// All data of a member was delivered; its checksum comes only now, as in Go, so that a wrong one is
    /// noticed in the same place.
    Trailer,
    /// Everything was verified.
    End,
    /// Repeated on every further read, so that no caller mistakes what follows for an end.
    Failed(Error),
}

/// Reads the contents of all members of `R` as one stream.
///
/// Bytes are tentative until a read returns 0: checksums come after the data they cover. Errors of the
/// stream are [`Error`] inside [`io::Error`]; errors of `R` pass unchanged.
pub struct Reader<R: Read> {
    input: Input<R>,
    state: State,
    inflate: Decompress,
    member_crc: libdeflater::Crc,
    member_bytes: u32,
}

impl<R: Read> Reader<R> {
    /// A reader of `input`. Nothing is read yet: a missing or wrong header shows at the first read.
    pub fn new(input: R) -> Reader<R> {
        Reader {
            input: Input::new(input, BUFFER_BYTES),
            state: State::Header { first: true },
            inflate: Decompress::new(false),
            member_crc: libdeflater::Crc::new(),
            member_bytes: 0,
        }
    }

    /// How many compressed bytes have been consumed.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// Reads until there is something for `out`; 0 is the end.
    fn read_content(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::Header { first } => self.begin_member(first)?,
                State::Body => {
                    let produced = self.inflate(out)?;
                    if produced > 0 {
                        return Ok(produced);
                    }
                }
                State::Trailer => self.end_member()?,
                State::End => return Ok(0),
                State::Failed(error) => return Err(error.into()),
            }
        }
    }

    fn begin_member(&mut self, first: bool) -> io::Result<()> {
        let start = self.offset();
        let header = header::read(&mut self.input)?;
        let error = match (header, first) {
            (Header::Valid, _) => {
                self.inflate.reset(false);
                self.member_crc = libdeflater::Crc::new();
                self.member_bytes = 0;
                self.state = State::Body;
                return Ok(());
            }
            (Header::Absent, false) => {
                self.state = State::End;
                return Ok(());
            }
            (Header::Absent, true) => Error::Empty,
            (Header::Cut | Header::ShortNoise, true) => Error::ShortHeader,
            (Header::Noise, true) => Error::NotGzip,
            (Header::Cut, false) => Error::CutHeader { offset: self.offset() },
            (Header::ShortNoise, false) => Error::Trailing { offset: start, short: true },
            (Header::Noise, false) => Error::Trailing { offset: start, short: false },
        };
        self.fail(error)
    }

    /// Decompresses into `out`. May return 0 when the member is over.
    fn inflate(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.input.fill_buf()?;
            let at_end = input.is_empty();
            let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, out, FlushDecompress::None);
            self.input.consume((self.inflate.total_in() - in_before) as usize);
            let Ok(status) = status else {
                return self.fail(Error::Corrupt { offset: self.offset() });
            };
            let produced = (self.inflate.total_out() - out_before) as usize;
            self.member_crc.update(&out[..produced]);
            // The format keeps the length modulo 2^32.
            self.member_bytes = self.member_bytes.wrapping_add(produced as u32);
            if status == Status::StreamEnd {
                self.state = State::Trailer;
                return Ok(produced);
            }
            if produced > 0 {
                return Ok(produced);
            }
            if at_end {
                return self.fail(Error::Cut { offset: self.offset() });
            }
        }
    }

    fn end_member(&mut self) -> io::Result<()> {
        let mut trailer = [0; 8];
        if self.input.fill(&mut trailer)? < trailer.len() {
            return self.fail(Error::CutTrailer { offset: self.offset() });
        }
        let expected = [self.member_crc.sum().to_le_bytes(), self.member_bytes.to_le_bytes()];
        if trailer[..] != expected.concat()[..] {
            return self.fail(Error::Checksum { offset: self.offset() });
        }
        self.state = State::Header { first: false };
        Ok(())
    }

    fn fail<T>(&mut self, error: Error) -> io::Result<T> {
        self.state = State::Failed(error);
        Err(error.into())
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        self.read_content(out).inspect_err(|error| {
            // An interruption loses nothing; after any other failure of the source bytes may be missing.
            let is_over = matches!(self.state, State::Failed(_));
            if !is_over && error.kind() != io::ErrorKind::Interrupted {
                self.state = State::Failed(Error::Poisoned);
            }
        })
    }
}
