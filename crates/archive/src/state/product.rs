//! Whose state it is, and what follows from that.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use super::{Error, Fault, Id};
use crate::msgpack::{Cursor, Encoder};
use crate::{consul, nomad};

/// A product whose snapshots come in this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// HashiCorp Consul. Its header names the last index that touched the state.
    Consul,
    /// HashiCorp Nomad. Its header is empty.
    Nomad,
}

impl Product {
    /// What `inspect` of the genuine tool calls a type.
    pub fn kind_name(self, kind: u8) -> Cow<'static, str> {
        match self {
            Product::Consul => consul::kinds::name(kind),
            Product::Nomad => nomad::kinds::name(kind),
        }
    }

    /// Whether we know what records of this type are about.
    pub fn knows(self, kind: u8) -> bool {
        match self {
            Product::Consul => consul::kinds::is_known(kind),
            Product::Nomad => nomad::kinds::is_known(kind),
        }
    }

    /// Whether records of this type are those of the Enterprise edition, which the community edition refuses.
    pub fn is_enterprise(self, kind: u8) -> bool {
        match self {
            Product::Consul => consul::kinds::edition(kind) == consul::kinds::Edition::Enterprise,
            Product::Nomad => nomad::kinds::edition(kind) == nomad::kinds::Edition::Enterprise,
        }
    }

    /// The place of a type in an archive; no two types share one.
    pub fn rank(self, kind: u8) -> u8 {
        match self {
            Product::Consul => consul::kinds::rank(kind),
            Product::Nomad => nomad::kinds::rank(kind),
        }
    }

    /// The type at a place in an archive.
    pub fn of_rank(self, rank: u8) -> u8 {
        match self {
            Product::Consul => consul::kinds::of_rank(rank),
            Product::Nomad => nomad::kinds::of_rank(rank),
        }
    }

    /// What the record with type `kind` and value `bytes` is about. Fails if the bytes are not a whole value of
    /// the type.
    pub fn identity(self, kind: u8, bytes: &[u8]) -> Result<Id, Fault> {
        match self {
            Product::Consul => consul::identity(kind, bytes),
            Product::Nomad => nomad::identity(kind, bytes),
        }
    }

    /// Whether ids of this type can be what nobody but their bearer should know.
    pub fn id_may_be_secret(self, kind: u8) -> bool {
        // A token without accessor has its secret for an id.
        self == Product::Consul && kind == consul::kinds::ACL_TOKEN
    }

    /// Decodes the record as far as its structure is known and says what it is about.
    pub(super) fn decode(self, kind: u8, bytes: &[u8]) -> Result<Id, Fault> {
        match self {
            Product::Consul => consul::decode(kind, bytes),
            Product::Nomad => nomad::decode(kind, bytes),
        }
    }

    /// Whether a record of this type may be there twice, to the byte. Consul Enterprise is known to write some
    /// indexes twice.
    pub(super) fn may_repeat(self, kind: u8) -> bool {
        self == Product::Consul && kind == consul::kinds::INDEX
    }

    /// Writes the header of a state whose last change had index `last_index`, which Nomad's doesn't tell.
    pub fn write_header(self, out: &mut impl Write, last_index: u64) -> io::Result<()> {
        let mut header = Encoder::new();
        match self {
            Product::Consul => header.map(1).raw("LastIndex").uint(last_index),
            Product::Nomad => header.map(0),
        };
        out.write_all(&header.into_bytes())
    }

    /// Tells whose header it is, and the index in it or 0.
    pub(super) fn of_header(bytes: &[u8]) -> Result<(Product, u64), Error> {
        let (mut last_index, mut is_empty) = (None, true);
        let is_map = Cursor::new(bytes).fields(|key, value| {
            is_empty = false;
            if key == b"LastIndex" {
                last_index = Some(value.uint()?);
            }
            Ok(())
        });
        match (is_map.map_err(Error::Header)?, last_index, is_empty) {
            (true, Some(last_index), _) => Ok((Product::Consul, last_index)),
            (true, None, true) => Ok((Product::Nomad, 0)),
            _ => Err(Error::UnknownProduct),
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str(match self {
            Product::Consul => "Consul",
            Product::Nomad => "Nomad",
        })
    }
}
