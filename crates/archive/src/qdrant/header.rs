//! The blocks before a member: GNU's headers with their long names and maps of holes.

use std::ops::Range;

use super::Extents;
use crate::tar::{self, BLOCK_BYTES, Block};

/// A file with holes.
pub(super) const SPARSE: u8 = b'S';
pub(super) const DIRECTORY: u8 = b'5';
/// The content is the name of the next member.
pub(super) const LONG_NAME: u8 = b'L';

/// What a name may have without a header of its own.
const NAME_BYTES: usize = 100;
/// Stretches that a header takes, and each block that goes on with them.
const STRETCHES: usize = 4;
const MORE_STRETCHES: usize = 21;
const STRETCH_BYTES: usize = 24;

const STRETCHES_AT: usize = 386;
const IS_EXTENDED_AT: usize = 482;
const REAL_SIZE: Range<usize> = 483..495;
const MORE_IS_EXTENDED_AT: usize = 504;

/// The blocks that announce a file.
pub(super) fn file(name: &str, extents: &Extents) -> Vec<u8> {
    let mut blocks = long_name(name);
    if extents.is_dense() {
        blocks.extend_from_slice(&block(name, 0o644, extents.size(), tar::REGULAR));
        return blocks;
    }
    let mut header = plain_block(name, 0o644, extents.stored_bytes(), SPARSE);
    put_number(&mut header[REAL_SIZE], extents.size());
    let mut listed = extents.listed();
    put_stretches(&mut header[STRETCHES_AT..], listed.by_ref().take(STRETCHES));
    let mut rest = listed.peekable();
    header[IS_EXTENDED_AT] = rest.peek().is_some().into();
    blocks.extend_from_slice(&sealed(header));
    while rest.peek().is_some() {
        let mut more: Block = [0; BLOCK_BYTES];
        put_stretches(&mut more, rest.by_ref().take(MORE_STRETCHES));
        more[MORE_IS_EXTENDED_AT] = rest.peek().is_some().into();
        blocks.extend_from_slice(&more);
    }
    blocks
}

/// The blocks that announce a directory.
pub(super) fn directory(name: &str) -> Vec<u8> {
    let mut blocks = long_name(name);
    blocks.extend_from_slice(&block(name, 0o755, 0, DIRECTORY));
    blocks
}

/// The stretches that the header of a sparse file lists, its real size, and whether more blocks follow.
pub(super) fn stretches(header: &Block) -> Option<(Vec<Range<u64>>, u64, bool)> {
    let listed = read_stretches(&header[STRETCHES_AT..], STRETCHES)?;
    Some((listed, tar::number(&header[REAL_SIZE])?, header[IS_EXTENDED_AT] == 1))
}

/// The stretches that a block behind such a header lists, and whether another one follows.
pub(super) fn more_stretches(block: &Block) -> Option<(Vec<Range<u64>>, bool)> {
    Some((read_stretches(block, MORE_STRETCHES)?, block[MORE_IS_EXTENDED_AT] == 1))
}

/// A header of its own for a name that does not fit.
fn long_name(name: &str) -> Vec<u8> {
    if name.len() <= NAME_BYTES {
        return Vec::new();
    }
    let bytes = name.len() + 1;
    let mut blocks = block("././@LongLink", 0o644, bytes as u64, LONG_NAME).to_vec();
    blocks.extend_from_slice(name.as_bytes());
    blocks.resize(BLOCK_BYTES + bytes.next_multiple_of(BLOCK_BYTES), 0);
    blocks
}

fn block(name: &str, mode: u64, bytes: u64, kind: u8) -> Block {
    sealed(plain_block(name, mode, bytes, kind))
}

fn plain_block(name: &str, mode: u64, bytes: u64, kind: u8) -> Block {
    let mut block: Block = [0; BLOCK_BYTES];
    let fits = name.len().min(NAME_BYTES);
    block[..fits].copy_from_slice(&name.as_bytes()[..fits]);
    tar::put_octal(&mut block[100..108], mode);
    tar::put_octal(&mut block[108..116], 0); // uid
    tar::put_octal(&mut block[116..124], 0); // gid
    put_number(&mut block[124..136], bytes);
    tar::put_octal(&mut block[136..148], 0); // time
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar  \0");
    block
}

fn sealed(mut block: Block) -> Block {
    let (sum, _) = tar::checksums(&block);
    tar::put_octal(&mut block[148..155], sum);
    block[155] = b' ';
    block
}

/// Octal digits, or GNU's base 256 for what they cannot hold.
fn put_number(field: &mut [u8], value: u64) {
    if value <= tar::OCTAL_MAX {
        tar::put_octal(field, value);
    } else {
        let at = field.len() - 8;
        field[0] = 0x80;
        field[at..].copy_from_slice(&value.to_be_bytes());
    }
}

fn put_stretches(fields: &mut [u8], stretches: impl Iterator<Item = Range<u64>>) {
    for (field, stretch) in fields.chunks_exact_mut(STRETCH_BYTES).zip(stretches) {
        put_number(&mut field[..12], stretch.start);
        put_number(&mut field[12..], stretch.end - stretch.start);
    }
}

/// Stretches up to the first empty field. `None` if one is no number, or ends beyond all numbers.
fn read_stretches(fields: &[u8], count: usize) -> Option<Vec<Range<u64>>> {
    let fields = fields.chunks_exact(STRETCH_BYTES).take(count);
    let filled = fields.take_while(|field| field[0] != 0 && field[12] != 0);
    filled
        .map(|field| {
            let (start, length) = (tar::number(&field[..12])?, tar::number(&field[12..])?);
            Some(start..start.checked_add(length)?)
        })
        .collect()
}
