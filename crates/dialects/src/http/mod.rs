//! What the foreign dialects share: HTTP as Go's servers speak it.

pub(crate) mod blocking;
mod body;
mod catch;
#[cfg(feature = "qdrant")]
pub(crate) mod conditional;
mod failure;
pub(crate) mod fetch;
pub(crate) mod filter;
pub(crate) mod forward;
mod headers;
pub(crate) mod json;
mod lingering;
mod number;
mod query;
mod routes;
pub(crate) mod shape;
mod upload;

pub(crate) use body::read_up_to;
pub(crate) use catch::caught;
pub(crate) use failure::{Failure, Reply};
pub use fetch::{Allowed, FetchPolicy, Fetcher, Resolve};
pub use forward::Outgoing;
pub(crate) use headers::{bearer, filled, last_contact_ms, warn};
pub(crate) use lingering::Lingering;
pub(crate) use number::{duration, signed_or_why, unsigned, unsigned_or_why};
pub(crate) use query::{Query, below, unescape};
pub(crate) use routes::Routes;
pub(crate) use upload::Upload;
