//! The stream of records: framing only, each record as the bytes it came in.

use std::io::{self, BufReader, Read, Write};

use super::{Error, Fault, Product};
use crate::msgpack::{CopyError, Limits, copy_value};

const BUFFER_BYTES: usize = 64 << 10;

/// One record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its type, see [`crate::consul::kinds`] and [`crate::nomad::kinds`].
    pub kind: u8,
    /// Its msgpack value, without the type.
    pub bytes: Vec<u8>,
}

/// Reads records one by one; memory is bounded by the largest record allowed.
///
/// Over a [`crate::hashicorp::Reader`], the state is only certain once `None` was returned.
pub struct Records<R: Read> {
    input: BufReader<R>,
    limits: Limits,
    offset: u64,
    header_bytes: u64,
    product: Product,
    last_index: u64,
    /// After an error nothing more is read, as it is unknown where the next record begins.
    failed: bool,
}

impl<R: Read> Records<R> {
    /// Reads the header.
    pub fn new(state: R) -> Result<Records<R>, Error> {
        Records::with_limits(state, Limits::default())
    }

    /// Reads the header; no record may exceed `limits`.
    pub fn with_limits(state: R, limits: Limits) -> Result<Records<R>, Error> {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, state);
        let mut header = Vec::new();
        copy_value(&mut input, limits, &mut header).map_err(|error| match error {
            CopyError::Io(error) => error.into(),
            CopyError::Value(error) => Error::Header(error),
        })?;
        let header_bytes = header.len() as u64;
        let (product, last_index) = Product::of_header(&header)?;
        Ok(Records { input, limits, offset: header_bytes, header_bytes, product, last_index, failed: false })
    }

    /// Goes on only with a state of this product.
    pub fn expect(self, wanted: Product) -> Result<Records<R>, Error> {
        match self.product {
            found if found == wanted => Ok(self),
            found => Err(Error::WrongProduct { wanted, found }),
        }
    }

    /// Whose state it is, by its header.
    pub fn whose(&self) -> Product {
        self.product
    }

    /// The last index that touched the state; 0 for Nomad, whose header doesn't say.
    pub fn last_index(&self) -> u64 {
        self.last_index
    }

    /// The length of the header.
    pub fn header_bytes(&self) -> u64 {
        self.header_bytes
    }

    /// Where the next record begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record, or `None` at the end of the state.
    pub fn next_record(&mut self) -> Result<Option<Record>, Error> {
        let mut record = Record::default();
        Ok(self.read_into(&mut record)?.then_some(record))
    }

    /// Replaces `record` with the next one, reusing its buffer; false at the end of the state.
    pub fn read_into(&mut self, record: &mut Record) -> Result<bool, Error> {
        if self.failed {
            return Ok(false);
        }
        self.read_record(record).inspect_err(|_| self.failed = true)
    }

    /// The reader underneath, from which bytes beyond the current record may have been taken.
    pub fn into_inner(self) -> R {
        self.input.into_inner()
    }

    fn read_record(&mut self, record: &mut Record) -> Result<bool, Error> {
        let mut kind = [0];
        if read_one(&mut self.input, &mut kind)? == 0 {
            return Ok(false);
        }
        record.kind = kind[0];
        record.bytes.clear();
        let offset = self.offset;
        copy_value(&mut self.input, self.limits, &mut record.bytes).map_err(|error| match error {
            CopyError::Io(error) => error.into(),
            CopyError::Value(error) => {
                let (product, kind) = (self.product, record.kind);
                Error::Record { product, kind, offset, source: Fault::Msgpack(error) }
            }
        })?;
        self.offset += 1 + record.bytes.len() as u64;
        Ok(true)
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record, Error>;

    /// Ends after the first error.
    fn next(&mut self) -> Option<Result<Record, Error>> {
        self.next_record().transpose()
    }
}

/// Writes one record; `bytes` must be one msgpack value.
pub fn write_record(out: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&[kind])?;
    out.write_all(bytes)
}

fn read_one(input: &mut impl Read, byte: &mut [u8; 1]) -> io::Result<usize> {
    loop {
        match input.read(byte) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
