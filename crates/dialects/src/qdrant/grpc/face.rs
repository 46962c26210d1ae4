//! What every service has at hand: the node, and who asks.

use std::time::Instant;

use node::Node;
use node::collections::Collection;
use tonic::{Request, Response, Status};

use super::check::Result;
use super::status::failed;
use crate::qdrant::access::{Access, Need};

/// A node, as the services see it.
#[derive(Clone)]
pub(super) struct Face {
    pub(super) node: Node,
}

/// What a method answers.
pub(super) type Reply<T> = Result<Response<T>>;

/// A request on its way: who asks, and since when.
pub(super) struct Asked {
    access: Access,
    began: Instant,
}

impl Face {
    /// The collection called so, for whoever has the right. Every way to a collection leads through here.
    pub(super) async fn collection(&self, asked: &Asked, need: Need<'_>) -> Result<Collection> {
        asked.allow(need)?;
        let (Need::PointsRead(name)
        | Need::PointsWrite(name)
        | Need::CollectionRead(name)
        | Need::CollectionWrite(name)
        | Need::CollectionManage(name)) = need
        else {
            return Err(Status::internal("a right to no collection"));
        };
        self.node.collection(name).await.map_err(|error| failed(&error))
    }
}

impl Asked {
    /// Takes a request apart. The gate before all services has put there who asks.
    pub(super) fn open<T>(request: Request<T>) -> Result<(Asked, T)> {
        let (_, mut extensions, message) = request.into_parts();
        let access = extensions.remove::<Access>();
        let access = access.ok_or_else(|| Status::internal("nobody asks"))?;
        Ok((Asked { access, began: Instant::now() }, message))
    }

    /// Refuses who lacks a right.
    pub(super) fn allow(&self, need: Need<'_>) -> Result<()> {
        self.access.check(need).map_err(|error| failed(&error))
    }

    /// Whether a collection or an alias may be listed.
    pub(super) fn sees(&self, name: &str) -> bool {
        self.access.sees(name)
    }

    /// Seconds since the request came.
    pub(super) fn time(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
