//! Who may do what through Qdrant's API: keys, signed tokens, and what each of them opens.
//!
//! Follows `qdrant/qdrant:src/common/auth/mod.rs` and `lib/storage/src/rbac/mod.rs`; the table of who may do what is
//! that of `tests/consensus_tests/auth_tests/test_jwt_access.py`. As there, a right to a collection is a right to
//! its name as requests write it: a token for a collection opens no alias of it, one for an alias opens whatever
//! that names.

mod claims;
mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use node::{Error, Kind, Result};
use serde::Deserialize;

pub use keys::Keys;
pub(super) use keys::{Refused, authenticate};

/// What whoever sent a request may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything.
    Manage,
    /// Everything may be read.
    Read,
    /// What is granted, collection by collection.
    Collections(Arc<[Grant]>),
}

/// What a token opens of one collection.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Grant {
    collection: String,
    access: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Mode {
    #[serde(rename = "r")]
    Read,
    #[serde(rename = "rw")]
    ReadWrite,
    /// The points, but neither payload indexes nor snapshots nor shards.
    #[serde(rename = "prw")]
    Points,
}

/// What a request is about to do. Requests that any key may make need nothing. Names are those of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need<'a> {
    /// To read what is of no single collection, such as metrics.
    GlobalRead,
    /// To change what is of no single collection, among which are collections and aliases themselves.
    Manage,
    /// To read points or settings. Whoever names a second collection, to look something up, needs it there, too.
    PointsRead(&'a str),
    /// To change points.
    PointsWrite(&'a str),
    /// To read what is no point: shards, snapshots.
    CollectionRead(&'a str),
    /// To change what is no point: payload indexes, snapshots.
    CollectionWrite(&'a str),
    /// To move or drop shards.
    CollectionManage(&'a str),
}

impl Need<'_> {
    fn changes(self) -> bool {
        use Need::*;
        matches!(self, Manage | PointsWrite(_) | CollectionWrite(_) | CollectionManage(_))
    }
}

impl Access {
    /// `Denied`, with the sentence that clients know, unless what is needed was granted.
    pub(super) fn check(&self, need: Need<'_>) -> Result<()> {
        let refusal = match (self, need) {
            (Access::Manage, _) => None,
            (Access::Read, need) => need.changes().then(|| "Global manage access is required".to_owned()),
            (Access::Collections(_), Need::GlobalRead | Need::Manage) => {
                Some("Global access is required".to_owned())
            }
            (
                Access::Collections(grants),
                Need::PointsRead(name)
                | Need::PointsWrite(name)
                | Need::CollectionRead(name)
                | Need::CollectionWrite(name)
                | Need::CollectionManage(name),
            ) => match grants.iter().find(|grant| grant.collection == name) {
                Some(grant) => grant.refusal(need),
                None => Some(format!("Access to collection {name} is required")),
            },
        };
        refusal.map_or(Ok(()), |refusal| Err(Error::new(Kind::Denied, refusal)))
    }

    /// Whether a collection or an alias is to be listed at all.
    pub(super) fn sees(&self, name: &str) -> bool {
        self.check(Need::PointsRead(name)).is_ok()
    }
}

impl Grant {
    /// Why it is not enough, if it is not. Who lacks several rights is told of the first in this order.
    fn refusal(&self, need: Need<'_>) -> Option<String> {
        let name = &self.collection;
        let beyond_points =
            matches!(need, Need::CollectionRead(_) | Need::CollectionWrite(_) | Need::CollectionManage(_));
        if beyond_points && self.access == Mode::Points {
            return Some(format!("Only points access is allowed for collection {name}"));
        }
        if need.changes() && self.access == Mode::Read {
            return Some(format!("Write access to collection {name} is required"));
        }
        let manages = matches!(need, Need::CollectionManage(_));
        manages.then(|| "Manage access for this operation is required".to_owned())
    }
}
