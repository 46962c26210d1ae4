//! Qdrant's API: REST and gRPC faces of the collections. Translate; decide nothing.

mod access;
mod failure;
pub mod grpc;
mod rest;
mod snapshots;
mod unserved;

pub use access::Keys;
pub use rest::{Served, operation, router, served};
pub use unserved::Unserved;

use crate::http::Fetcher;

/// What the REST face is told, besides its node.
#[derive(Clone, Default)]
pub struct Setup {
    /// What opens it.
    pub keys: Keys,
    /// Where clients find the native API, such as `http://127.0.0.1:7400`: answers that do not wait for what they
    /// began say where there its task is.
    pub native_url: Option<String>,
    /// Fetches the archives that clients name by URL; without one they are refused.
    pub fetcher: Option<Fetcher>,
}

impl From<Keys> for Setup {
    fn from(keys: Keys) -> Setup {
        Setup { keys, ..Setup::default() }
    }
}

/// What the genuine server calls itself.
const TITLE: &str = "qdrant - vector search engine";

/// The version whose API is spoken. Clients compare it with their own and warn if the two are far apart.
const VERSION: &str = "1.19.0";

/// What we call ourselves where we ask others.
const AGENT: &str = "Qdrant/1.19.0";
