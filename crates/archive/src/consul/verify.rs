//! Checks a state as a whole: every record decodes, its type is known, nothing is there twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;

use sha2::{Digest, Sha256};

use super::{
    AclPolicy, AclRole, AclToken, DirEntry, Error, Fault, Id, IndexEntry, Record, Records, Registration,
    Session, identity, kinds,
};
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
    /// The last index that touched the state.
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

/// Reads a gzipped archive to its end and checks everything that can be checked without a server.
///
/// Where both the container and a record are damaged, the error is the container's, because it explains
/// the other one. Memory: see [`Checker`].
pub fn verify(archive: impl Read, options: Options) -> Result<Verdict, Error> {
    let mut reader = hashicorp::Reader::with_options(archive, options.container);
    let state = match check_all(&mut reader, options) {
        Err(error @ (Error::Archive(_) | Error::Io(_))) => return Err(error),
        state => state,
    };
    let container = reader.finish()?;
    let (last_index, checker) = state?;
    Ok(Verdict { container, last_index, counts: checker.counts, repeated: checker.repeated })
}

fn check_all(state: impl Read, options: Options) -> Result<(u64, Checker), Error> {
    let mut records = Records::with_limits(state, options.record)?;
    let mut checker = Checker::new(options.allow_unknown_kinds);
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
    /// The same bytes were there before. Only `Index` records may repeat: Consul Enterprise is known to
    /// write some of them twice.
    Repeated(Id),
}

/// Checks the records of one state, one after the other.
///
/// Remembers 16 bytes of every id, which with the hash table's slack is 20 to 40 bytes for each record, and
/// half as much again in the moment in which the table grows: at most about 55 MB for a million.
#[derive(Debug, Default)]
pub struct Checker {
    allow_unknown_kinds: bool,
    ids: HashSet<u128>,
    /// For each index, the hash of the record.
    indexes: HashMap<u128, u128>,
    counts: BTreeMap<u8, Count>,
    repeated: u64,
}

impl Checker {
    /// A checker that has seen nothing.
    pub fn new(allow_unknown_kinds: bool) -> Checker {
        Checker { allow_unknown_kinds, ..Checker::default() }
    }

    /// Checks the next record; `offset` is where it begins, for errors.
    pub fn check(&mut self, record: &Record, offset: u64) -> Result<Seen, Error> {
        let kind = record.kind;
        if !kinds::is_known(kind) && !self.allow_unknown_kinds {
            return Err(Error::UnknownKind { kind, offset });
        }
        let id = decode(kind, &record.bytes).map_err(|source| Error::Record { kind, offset, source })?;
        let count = self.counts.entry(kind).or_default();
        count.records += 1;
        count.bytes += 1 + record.bytes.len() as u64;
        let key = hash(&[&[kind], id.tenancy.as_bytes(), &[0], &id.id]);
        if kind == kinds::INDEX {
            let content = hash(&[&record.bytes]);
            return match *self.indexes.entry(key).or_insert(content) {
                before if before != content => Err(Error::Duplicate { kind, offset, id }),
                _ if self.ids.insert(key) => Ok(Seen::First(id)),
                _ => {
                    self.repeated += 1;
                    Ok(Seen::Repeated(id))
                }
            };
        }
        match self.ids.insert(key) {
            true => Ok(Seen::First(id)),
            false => Err(Error::Duplicate { kind, offset, id }),
        }
    }

    /// What was seen of each type so far.
    pub fn counts(&self) -> &BTreeMap<u8, Count> {
        &self.counts
    }
}

/// Decodes the record as far as its structure is known and says what it is about.
fn decode(kind: u8, bytes: &[u8]) -> Result<Id, Fault> {
    match kind {
        kinds::KVS | kinds::TOMBSTONE => DirEntry::decode(bytes).map(drop)?,
        kinds::SESSION => Session::decode(bytes).map(drop)?,
        kinds::INDEX => IndexEntry::decode(bytes).map(drop)?,
        kinds::REGISTER => Registration::decode(bytes).map(drop)?,
        kinds::ACL_TOKEN => AclToken::decode(bytes).map(drop)?,
        kinds::ACL_POLICY => AclPolicy::decode(bytes).map(drop)?,
        kinds::ACL_ROLE => AclRole::decode(bytes).map(drop)?,
        _ => {}
    }
    identity(kind, bytes)
}

fn hash(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let digest: [u8; 32] = hash.finalize().into();
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    u128::from_be_bytes(*first)
}
