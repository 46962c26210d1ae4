//! The shapes of JSON that points, queries and answers have.
//!
//! Follows `qdrant/qdrant:lib/api/src/rest/{schema,validate}.rs`. The names of types and fields are told to clients
//! when something cannot be read or breaks a rule, and so are those of genuine servers.

pub(super) mod example;
pub(super) mod formula;
pub(super) mod groups;
pub(super) mod legacy;
pub(super) mod point;
pub(super) mod query;
pub(super) mod record;
pub(super) mod select;
pub(super) mod vector;
