//! The blocks of the tar: made as Go's `archive/tar` makes them, parsed as liberally as it parses them.
//!
//! Only what all our archives need is here; what an entry may be is each reader's business.

/// Tar counts in these.
pub(crate) const BLOCK_BYTES: usize = 512;

/// One block.
pub(crate) type Block = [u8; BLOCK_BYTES];

/// Largest size that eleven octal digits hold; from 8 GiB on a PAX record carries it.
pub(crate) const OCTAL_MAX: u64 = (1 << 33) - 1;

pub(crate) const REGULAR: u8 = b'0';
/// How tars older than POSIX mark a regular file.
pub(crate) const REGULAR_OLD: u8 = 0;
/// The records that follow are about the next entry.
pub(crate) const PAX: u8 = b'x';

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The checksum does not fit the block.
    #[error("its checksum does not match")]
    Checksum,
    /// A number is not octal, or negative, or too large.
    #[error("its {0} is not a number")]
    Number(&'static str),
    /// A zero block, which announces the end, is followed by something else than another one.
    #[error("a zero block is followed by data")]
    LoneZeroBlock,
    /// An extended header is malformed.
    #[error("a malformed extended record")]
    Record,
    /// An extended header is larger than we are willing to read.
    #[error("an extended header of {0} bytes")]
    RecordsTooLarge(u64),
    /// An extended header announces a sparse file, which a snapshot has no use for.
    #[error("a sparse file")]
    Sparse,
}

impl HeaderFault {
    /// What Go's `archive/tar` says.
    pub fn genuine_text(self) -> &'static str {
        match self {
            HeaderFault::RecordsTooLarge(_) => "archive/tar: header field too long",
            _ => "archive/tar: invalid tar header",
        }
    }
}

/// The blocks that announce a regular file: one, or three when its size needs an extended record.
pub(crate) fn file_header(name: &str, bytes: u64, mtime_s: u64) -> Vec<u8> {
    if bytes <= OCTAL_MAX {
        return header_block(name, 0o600, bytes, mtime_s, REGULAR).to_vec();
    }
    let record = size_record(bytes);
    let mut blocks = header_block(&format!("PaxHeaders.0/{name}"), 0, record.len() as u64, 0, PAX).to_vec();
    blocks.extend_from_slice(record.as_bytes());
    blocks.resize(2 * BLOCK_BYTES, 0);
    blocks.extend_from_slice(&header_block(name, 0o600, 0, mtime_s, REGULAR));
    blocks
}

/// Zero bytes that fill the last block of `bytes` bytes.
pub(crate) fn padding(bytes: u64) -> usize {
    (bytes.wrapping_neg() % BLOCK_BYTES as u64) as usize
}

/// The largest time a header can carry: the year 2242.
pub(crate) const MTIME_S_MAX: u64 = OCTAL_MAX;

/// `27 size=1234567890123456\n`, the leading number being the length of the whole record.
fn size_record(bytes: u64) -> String {
    let rest = format!(" size={bytes}\n");
    // Two digits suffice, whatever the size.
    format!("{}{rest}", rest.len() + 2)
}

fn header_block(name: &str, mode: u64, bytes: u64, mtime_s: u64, kind: u8) -> Block {
    let mut block = [0; BLOCK_BYTES];
    block[..name.len()].copy_from_slice(name.as_bytes());
    put_octal(&mut block[100..108], mode);
    put_octal(&mut block[108..116], 0); // uid
    put_octal(&mut block[116..124], 0); // gid
    put_octal(&mut block[124..136], bytes);
    put_octal(&mut block[136..148], mtime_s);
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    if kind == REGULAR {
        // Go leaves the device numbers of its extended headers blank.
        put_octal(&mut block[329..337], 0);
        put_octal(&mut block[337..345], 0);
    }
    let sum = checksums(&block).0;
    put_octal(&mut block[148..155], sum);
    block[155] = b' ';
    block
}

/// Octal digits to the width of the field, closed by a zero byte.
pub(crate) fn put_octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    field[..digits].copy_from_slice(format!("{value:0digits$o}").as_bytes());
}

/// The sum of all bytes with the checksum itself taken as spaces, unsigned and, as old tars did it, signed.
pub(crate) fn checksums(block: &Block) -> (u64, i64) {
    let bytes =
        block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    bytes
        .fold((0, 0), |(unsigned, signed), byte| (unsigned + u64::from(byte), signed + i64::from(byte as i8)))
}

/// What matters of a header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) bytes: u64,
    pub(crate) kind: u8,
}

/// Parses a block that is not zero, of any of the dialects that Go reads.
pub(crate) fn parse(block: &Block) -> Result<Header, HeaderFault> {
    let sum = number(&block[148..156]).ok_or(HeaderFault::Checksum)?;
    let (unsigned, signed) = checksums(block);
    if sum != unsigned && i64::try_from(sum) != Ok(signed) {
        return Err(HeaderFault::Checksum);
    }
    let is_posix = &block[257..263] == b"ustar\0";
    let is_gnu = &block[257..265] == b"ustar  \0";
    let numbers = [("mode", 100..108), ("uid", 108..116), ("gid", 116..124), ("time", 136..148)];
    let devices = [("major", 329..337), ("minor", 337..345)];
    for (name, field) in numbers.into_iter().chain(devices.into_iter().filter(|_| is_posix || is_gnu)) {
        // Only whether they are numbers matters, as genuine readers refuse a header in which they aren't.
        signed_number(&block[field]).ok_or(HeaderFault::Number(name))?;
    }
    let bytes = number(&block[124..136]).ok_or(HeaderFault::Number("size"))?;
    let mut name = text(&block[..100]).to_vec();
    let is_star = &block[508..512] == b"tar\0";
    let prefix = text(&block[345..if is_star { 476 } else { 500 }]);
    if is_posix && !prefix.is_empty() {
        name = [prefix, b"/", &name].concat();
    }
    Ok(Header { name, bytes, kind: block[156] })
}

/// Extended records that change what the next header says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    pub(crate) bytes: Option<u64>,
    pub(crate) name: Option<Vec<u8>>,
}

/// Parses the content of an extended header.
pub(crate) fn parse_records(mut rest: &[u8]) -> Result<Records, HeaderFault> {
    let mut records = Records::default();
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or(HeaderFault::Record)?;
        let length = decimal(&rest[..space]).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length > space).ok_or(HeaderFault::Record)?;
        let record = rest.get(space + 1..length).ok_or(HeaderFault::Record)?;
        rest = &rest[length..];
        let record = record.strip_suffix(b"\n").ok_or(HeaderFault::Record)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or(HeaderFault::Record)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"" => return Err(HeaderFault::Record),
            // An empty value takes an earlier record back.
            b"size" if value.is_empty() => records.bytes = None,
            b"size" => records.bytes = Some(decimal(value).ok_or(HeaderFault::Number("size"))?),
            b"path" => records.name = Some(value.to_vec()).filter(|name| !name.is_empty()),
            key if key.starts_with(b"GNU.sparse.") => return Err(HeaderFault::Sparse),
            _ => {}
        }
    }
    Ok(records)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()?;
    Some(value).filter(|value| i64::try_from(*value).is_ok())
}

/// A number that is not negative.
pub(crate) fn number(field: &[u8]) -> Option<u64> {
    signed_number(field).and_then(|value| u64::try_from(value).ok())
}

/// Octal digits between spaces and zero bytes, or GNU's base 256 in two's complement.
fn signed_number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 == 0 {
        return octal(field).and_then(|value| i64::try_from(value).ok());
    }
    let is_negative = field[0] & 0x40 != 0;
    let inverted = if is_negative { 0xff } else { 0 };
    let digits =
        std::iter::once((field[0] ^ inverted) & 0x7f).chain(field[1..].iter().map(|digit| digit ^ inverted));
    // Fields have at most twelve bytes, so this cannot overflow.
    let value = digits.fold(0u128, |value, digit| value << 8 | u128::from(digit));
    let value = i64::try_from(value).ok()?;
    Some(if is_negative { !value } else { value })
}

fn octal(field: &[u8]) -> Option<u64> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    text(&field[start..end]).iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'7' => Some(value << 3 | u64::from(digit - b'0')),
        _ => None,
    })
}

/// What precedes the first zero byte.
pub(crate) fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const BELOW: &str = "7b8e07628844c565ecac21df6920b6f0c7b76444849fcbfeb5646868dab088d9";
    const ABOVE: &str = "1b84dd72210bb1d73bc9378cdb3fd5f9fe9f2e67c2794675ce38b0bb912cce1f";

    fn hash(blocks: &[u8]) -> String {
        Sha256::digest(blocks).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hashes are those of what Go 1.26's `archive/tar` writes for these sizes.
    #[test]
    fn headers_are_those_of_go_around_the_size_that_octal_digits_end_at() {
        let below = file_header("state.bin", OCTAL_MAX, 1_710_350_057);
        assert_eq!((below.len(), hash(&below).as_str()), (512, BELOW));
        let above = file_header("state.bin", OCTAL_MAX + 2, 1_710_350_057);
        assert_eq!((above.len(), hash(&above).as_str()), (1536, ABOVE));
    }

    #[test]
    fn what_is_written_is_read() {
        let blocks = file_header("state.bin", u64::MAX >> 1, MTIME_S_MAX);
        let (extended, rest) = blocks.split_first_chunk::<BLOCK_BYTES>().unwrap();
        let extended = parse(extended).unwrap();
        assert_eq!(extended.kind, PAX);
        let records = parse_records(&rest[..extended.bytes as usize]).unwrap();
        assert_eq!(records, Records { bytes: Some(u64::MAX >> 1), name: None });
        let file = parse(rest[BLOCK_BYTES..].try_into().unwrap()).unwrap();
        assert_eq!(file, Header { name: b"state.bin".to_vec(), bytes: 0, kind: REGULAR });
    }
}
