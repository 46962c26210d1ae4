//! Checks a state as a whole: every record decodes, its type is known, nothing is there twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;

use sha2::{Digest, Sha256};

use super::{Error, Id, Product, Record, Records};
use crate::{hashicorp, msgpack};

/// How strict to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What is accepted of the container.
    pub container: hashicorp::Options,
    /// What a record may cost.
    pub record: msgpack::Limits,
    /// Whether records of unknown types are kept as they are instead of refused.
    pub allow_unknown_kinds: bool,
}

/// An archive whose every record was decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the container proved.
    pub container: hashicorp::Verified,
    /// Whose state it is.
    pub product: Product,
    /// The last index that touched the state; 0 for Nomad, whose header doesn't say.
    pub last_index: u64,
    /// What there is of each type, by number.
    pub counts: BTreeMap<u8, Count>,
    /// How many records repeat an earlier one to the byte, see [`Seen::Repeated`].
    pub repeated: u64,
}

/// Records of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many, repeated ones included.
    pub records: u64,
    /// Their bytes, the byte for the type included.
    pub bytes: u64,
}

/// Reads a gzipped archive to its end and checks everything that can be checked without a server. If a product
/// is wanted, it must be one of that.
///
/// Where both the container and a record are damaged, the error is the container's, because it explains
/// the other one. Memory: see [`Checker`].
pub fn verify(archive: impl Read, wanted: Option<Product>, options: Options) -> Result<Verdict, Error> {
    let mut reader = hashicorp::Reader::with_options(archive, options.container);
    let state = match check_all(&mut reader, wanted, options) {
        Err(error @ (Error::Archive(_) | Error::Io(_))) => return Err(error),
        state => state,
    };
    let container = reader.finish()?;
    let (last_index, checker) = state?;
    let Checker { product, counts, repeated, .. } = checker;
    Ok(Verdict { container, product, last_index, counts, repeated })
}

fn check_all(state: impl Read, wanted: Option<Product>, options: Options) -> Result<(u64, Checker), Error> {
    let mut records = Records::with_limits(state, options.record)?;
    if let Some(product) = wanted {
        records = records.expect(product)?;
    }
    let mut checker = Checker::new(records.whose(), options.allow_unknown_kinds);
    let mut record = Record::default();
    loop {
        let offset = records.offset();
        if !records.read_into(&mut record)? {
            return Ok((records.last_index(), checker));
        }
        checker.check(&record, offset)?;
    }
}

/// What a [`Checker`] says of an acceptable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The first record about this thing.
    First(Id),
    /// The same bytes were there before. Only Consul's `Index` records may repeat: Consul Enterprise is known
    /// to write some of them twice.
    Repeated(Id),
}

/// Checks the records of one state, one after the other.
///
/// Remembers 16 bytes of every id, which with the hash table's slack is 20 to 40 bytes for each record, and
/// half as much again in the moment in which the table grows: at most about 55 MB for a million.
#[derive(Debug)]
pub struct Checker {
    product: Product,
    allow_unknown_kinds: bool,
    ids: HashSet<u128>,
    /// For each id that may repeat, the hash of its record.
    repeatable: HashMap<u128, u128>,
    counts: BTreeMap<u8, Count>,
    repeated: u64,
}

impl Checker {
    /// A checker that has seen nothing.
    pub fn new(product: Product, allow_unknown_kinds: bool) -> Checker {
        Checker {
            product,
            allow_unknown_kinds,
            ids: HashSet::new(),
            repeatable: HashMap::new(),
            counts: BTreeMap::new(),
            repeated: 0,
        }
    }

    /// Checks the next record; `offset` is where it begins, for errors.
    pub fn check(&mut self, record: &Record, offset: u64) -> Result<Seen, Error> {
        let (product, kind) = (self.product, record.kind);
        if !product.knows(kind) && !self.allow_unknown_kinds {
            return Err(Error::UnknownKind { kind, offset });
        }
        let id = product.decode(kind, &record.bytes).map_err(|source| Error::Record {
            product,
            kind,
            offset,
            source,
        })?;
        let count = self.counts.entry(kind).or_default();
        count.records += 1;
        count.bytes += 1 + record.bytes.len() as u64;
        let key = hash(&[&[kind], id.tenancy.as_bytes(), &[0], &id.id]);
        if product.may_repeat(kind) {
            let content = hash(&[&record.bytes]);
            return match *self.repeatable.entry(key).or_insert(content) {
                before if before != content => Err(Error::Duplicate { product, kind, offset, id }),
                _ if self.ids.insert(key) => Ok(Seen::First(id)),
                _ => {
                    self.repeated += 1;
                    Ok(Seen::Repeated(id))
                }
            };
        }
        match self.ids.insert(key) {
            true => Ok(Seen::First(id)),
            false => Err(Error::Duplicate { product, kind, offset, id }),
        }
    }

    /// What was seen of each type so far.
    pub fn counts(&self) -> &BTreeMap<u8, Count> {
        &self.counts
    }
}

fn hash(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let digest: [u8; 32] = hash.finalize().into();
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    u128::from_be_bytes(*first)
}
