//! The settings of a collection, in the members that `config.json` of an archive and the answers about a
//! collection have (`qdrant/qdrant:lib/collection/src/config.rs`).

use serde::{Deserialize, Serialize};

/// What a client sends to create a collection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CreateCollection {}

/// What a client sends to change a collection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateCollection {}

/// The settings of a collection, complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectionConfig {}
