//! What is stored of collections, read whole: there are few, and every request needs one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Collection, Previous};
use crate::store::{Scan, Table};
use crate::{Error, error, meta};

const COLLECTION: &str = "collection/";
const ALIAS: &str = "alias/";
pub(super) const PREVIOUS: &str = "previous/";

/// All collections and aliases, at one applied position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collections {
    /// By name.
    pub collections: BTreeMap<String, Arc<Collection>>,
    /// What each alias names.
    pub aliases: BTreeMap<String, String>,
    /// What an undo brings back, by scope.
    pub previous: BTreeMap<String, Previous>,
}

impl Collections {
    /// The collection called `name`, or whose alias it is.
    pub fn get(&self, name: &str) -> Option<&Arc<Collection>> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.collections.get(name)
    }
}

pub(crate) fn collection_key(name: &str) -> Bytes {
    format!("{COLLECTION}{name}").into()
}

pub(crate) fn alias_key(alias: &str) -> Bytes {
    format!("{ALIAS}{alias}").into()
}

pub(super) fn previous_key(scope: &str) -> Bytes {
    format!("{PREVIOUS}{scope}").into()
}

/// Reads what `scan` finds under a prefix of `table`.
pub(crate) fn read<'a>(table: Table, scan: impl Fn(Table, &[u8]) -> Scan<'a>) -> Result<Collections, Error> {
    let mut all = Collections::default();
    for pair in scan(table, COLLECTION.as_bytes()) {
        let collection: Collection = meta::decode("collection", &pair?.1)?;
        all.collections.insert(collection.name.clone(), Arc::new(collection));
    }
    for pair in scan(table, ALIAS.as_bytes()) {
        let (key, target) = pair?;
        let alias = String::from_utf8(key[ALIAS.len()..].to_vec()).map_err(|e| error::stored("alias", e))?;
        all.aliases.insert(alias, meta::decode("target of an alias", &target)?);
    }
    for pair in scan(table, PREVIOUS.as_bytes()) {
        let previous: Previous = meta::decode("previous collections", &pair?.1)?;
        all.previous.insert(previous.content.scope(), previous);
    }
    Ok(all)
}
