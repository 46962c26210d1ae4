//! Reading a collection: what can be asked, and how the answers of its shards become one.

mod request;

pub use request::*;
