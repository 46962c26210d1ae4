//! Reading a collection: what can be asked, and how the answers of its shards become one.
//!
//! Every stage of a query is merged over the shards before the next one uses it, so that the answer over several
//! shards is the answer over one that holds all points. What depends on more points than a stage's results, the
//! inverse document frequency of a sparse vector, is each shard's own, as in the genuine server.

mod formula;
mod fusion;
mod groups;
mod mmr;
mod order;
mod request;
mod resolve;
mod scroll;
mod search;
mod shards;
mod values;

pub use groups::Group;
pub use request::*;
pub use scroll::Page;
pub use shards::{Others, Shards};
