//! Collections of points as the control state knows them: names, settings, aliases, payload indexes, and which
//! groups hold their shards. The points themselves are in those groups.
//!
//! A table of their own, outside all scopes: collections have no generations here. Settings and index schemas
//! are JSON texts that nobody below the node reads.

mod apply;
mod exchange;
mod state;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use apply::apply;
pub use exchange::{Content, Expected, Image, Previous};
pub use state::Collections;
pub(crate) use state::read;

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Its name.
    pub name: String,
    /// Tells it from others that had its name.
    pub uuid: Uuid,
    /// Its settings, as `config.json` of an archive has them.
    pub config: String,
    /// How often the settings were changed.
    pub revision: u64,
    /// Its shards, by number.
    pub shards: Vec<Shard>,
    /// What is indexed of payloads: the field, and how.
    pub schema: BTreeMap<String, String>,
}

/// Where a shard of a collection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its number in the collection, from 0.
    pub id: u32,
    /// Tells its group from others that were this shard before or will be.
    pub generation: Uuid,
    /// The nodes whose group it is.
    pub nodes: Vec<u64>,
    /// What it began as; empty if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

impl Shard {
    /// The name of its group.
    pub fn group(&self) -> String {
        group(self.generation, self.id)
    }
}

/// The name of the group of shard `id` in this generation.
pub fn group(generation: Uuid, id: u32) -> String {
    format!("qdrant/{generation}/{id}")
}

/// A change of collections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a collection.
    Create(Collection),
    /// Replaces the settings of a collection.
    Update {
        /// The collection, by [`Collection::uuid`].
        uuid: Uuid,
        /// The revision that `config` was made from; another one is refused.
        revision: u64,
        /// The new settings.
        config: String,
    },
    /// Removes a collection and its aliases.
    Delete {
        /// Its name; never an alias.
        name: String,
    },
    /// Makes all of these changes, or none.
    ChangeAliases(Vec<AliasChange>),
    /// Indexes a field of the payloads, or indexes it otherwise.
    SetIndex {
        /// The collection, by [`Collection::uuid`].
        uuid: Uuid,
        /// The field.
        field: String,
        /// How.
        schema: String,
    },
    /// Indexes a field no more.
    DropIndex {
        /// The collection, by [`Collection::uuid`].
        uuid: Uuid,
        /// The field.
        field: String,
    },
    /// Makes staged content the live one of its scope: the one commit point of a restore of points. What was there
    /// is kept, to be undone.
    Exchange {
        /// The image, called after the task that staged it.
        image: Uuid,
        /// The term in which the restore began; refused in another one, as [`crate::Commit::term`].
        term: u64,
        /// What is live then.
        content: Content,
        /// What the content was made to replace.
        expected: Expected,
    },
    /// Makes the previous content of a scope live again, and the live one the previous.
    UndoExchange {
        /// The scope, as [`Content::scope`] writes it.
        scope: String,
        /// The previous content that the caller means, by [`Previous::image`].
        image: Uuid,
    },
    /// Gives up the previous content of a scope, if it is still this one.
    ForgetExchange {
        /// The scope.
        scope: String,
        /// The previous content that the caller means.
        image: Uuid,
    },
}

impl Command {
    /// Whether it makes other content live, or gives content up for good.
    pub(crate) fn exchanges(&self) -> bool {
        matches!(
            self,
            Command::Exchange { .. } | Command::UndoExchange { .. } | Command::ForgetExchange { .. }
        )
    }
}

/// One change of the aliases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AliasChange {
    /// Makes an alias, or moves it.
    Create {
        /// The alias.
        alias: String,
        /// What it names.
        collection: String,
    },
    /// Gives an alias another name.
    Rename {
        /// The old name.
        old: String,
        /// The new name.
        new: String,
    },
    /// Removes an alias; a missing one is no error.
    Delete {
        /// The alias.
        alias: String,
    },
}

/// The answer to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// Nothing was there to be removed.
    Nothing,
    /// Not done, for a reason that is the caller's.
    Refused(Refusal),
}

/// Why a change was not made, in the sentences of genuine servers
/// (`qdrant/qdrant:lib/storage/src/content_manager/`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// A collection has that name.
    #[error("Collection `{0}` already exists!")]
    Exists(String),
    /// An alias has that name.
    #[error("Can't create collection with name {0}. Alias with the same name already exists")]
    IsAlias(String),
    /// No collection has that name, or the one that had is gone.
    #[error("Collection `{0}` doesn't exist!")]
    NoCollection(String),
    /// There is no such alias.
    #[error("Alias {0} does not exists!")]
    NoAlias(String),
    /// The settings are no longer those that the new ones were made from.
    #[error("the collection was changed at the same time")]
    Changed,
    /// There is no previous content, or it is another one.
    #[error("there is nothing to undo")]
    NothingToUndo,
}
