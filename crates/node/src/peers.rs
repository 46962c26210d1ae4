//! What one node asks of another besides replication: to stage an image, and for a blob.

use std::io::Read;

use futures_util::future::BoxFuture;
use groups::Member;
use records::Commit;

use crate::blobs::Digest;
#[cfg(feature = "qdrant")]
use crate::collections::PointsImage;
use crate::error::{Error, Kind, Result};

/// The way to the other nodes.
pub trait Peers: Send + Sync + 'static {
    /// Asks `to` to fetch, verify and stage the image of `commit` (whose digest is still empty), and returns
    /// the digest of what it staged: ready there, and durable.
    fn stage<'a>(&'a self, to: &'a Member, commit: Commit) -> BoxFuture<'a, Result<Vec<u8>>>;

    /// Asks `to` to fetch, verify and stage shards, and returns the digest of what it staged: ready there, and
    /// durable.
    #[cfg(feature = "qdrant")]
    fn stage_points<'a>(&'a self, to: &'a Member, image: PointsImage) -> BoxFuture<'a, Result<Vec<u8>>>;

    /// Opens a blob that `from` has. Blocks.
    fn blob(&self, from: &Member, digest: Digest) -> Result<Box<dyn Read + Send>>;
}

/// A node without others.
pub struct NoPeers;

impl Peers for NoPeers {
    fn stage<'a>(&'a self, to: &'a Member, _: Commit) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(std::future::ready(Err(unreachable(to))))
    }

    #[cfg(feature = "qdrant")]
    fn stage_points<'a>(&'a self, to: &'a Member, _: PointsImage) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(std::future::ready(Err(unreachable(to))))
    }

    fn blob(&self, from: &Member, _: Digest) -> Result<Box<dyn Read + Send>> {
        Err(unreachable(from))
    }
}

/// The failure of asking a node that does not answer.
pub(crate) fn unreachable(member: &Member) -> Error {
    Error::new(Kind::Unavailable, format!("node {} at {:?} cannot be reached", member.id, member.address))
}
