//! Exchanging the content of a scope of points: what a restore commits, and what undoes it.
//!
//! A scope is all collections and aliases, one collection, or one shard. What an exchange replaces goes into the
//! scope's slot, from where an undo takes it; the points themselves are files that shards name.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::apply::{Change, Outcome};
use super::state::{alias_key, collection_key, previous_key};
use super::{Collection, Refusal, Reply, Shard};
use crate::{Error, meta};

/// What a shard began as: a part of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its name, which is that of the task that staged it.
    pub name: Uuid,
    /// SHA-256 of the archive, by which a node without the shard's files fetches it. `None` once every node of the
    /// shard had them before the exchange.
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    pub blob: Option<Vec<u8>>,
    /// The member that is the collection's archive, in one that holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// What a scope holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// All collections and aliases.
    Storage {
        /// The collections.
        collections: Vec<Collection>,
        /// What each alias names.
        aliases: BTreeMap<String, String>,
    },
    /// One collection.
    Collection {
        /// Its name.
        name: String,
        /// The collection; `None` if there is none of that name.
        collection: Option<Collection>,
        /// Aliases that went with it when it went, and come back with it where they are free.
        aliases: Vec<String>,
    },
    /// One shard.
    Shard {
        /// The collection's name.
        collection: String,
        /// The shard.
        shard: Shard,
    },
}

/// What an exchange was made to replace; anything else is refused as [`Refusal::Changed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// Whatever is there.
    Anything,
    /// No collection of that name.
    Absent,
    /// The collection in this revision.
    Revision {
        /// The collection, by [`Collection::uuid`].
        uuid: Uuid,
        /// Its revision.
        revision: u64,
    },
    /// The shard in this generation.
    Generation(Uuid),
}

/// What an undo brings back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// What the scope held.
    pub content: Content,
    /// The image that was live; nil for what no restore made, and where that is not known any more.
    pub image: Uuid,
    /// The image that is live now; nil as above.
    pub live: Uuid,
    /// When it was replaced, in milliseconds since the Unix epoch.
    pub replaced_at_ms: u64,
}

impl Content {
    /// What it is the content of: `qdrant`, `qdrant/COLLECTION` or `qdrant/COLLECTION/SHARD`.
    pub fn scope(&self) -> String {
        match self {
            Content::Storage { .. } => "qdrant".to_owned(),
            Content::Collection { name, .. } => format!("qdrant/{name}"),
            Content::Shard { collection, shard } => format!("qdrant/{collection}/{}", shard.id),
        }
    }

    /// Its shards.
    pub fn shards(&self) -> Box<dyn Iterator<Item = &Shard> + Send + '_> {
        match self {
            Content::Storage { collections, .. } => {
                Box::new(collections.iter().flat_map(|collection| &collection.shards))
            }
            Content::Collection { collection, .. } => {
                Box::new(collection.iter().flat_map(|collection| &collection.shards))
            }
            Content::Shard { shard, .. } => Box::new(std::iter::once(shard)),
        }
    }
}

/// Makes `content` live, if what is there is what it was made to replace.
pub(super) fn exchange(
    change: &mut Change<'_>,
    image: Uuid,
    content: Content,
    expected: Expected,
) -> Outcome {
    if !is_as_expected(change, &content, &expected)? {
        return Ok(Err(Refusal::Changed));
    }
    let scope = content.scope();
    let before = read_slot(change, &scope)?.map_or(Uuid::nil(), |slot| slot.live);
    replace(change, &scope, content, before, image)
}

/// Exchanges the content of a scope and that of its slot.
pub(super) fn undo(change: &mut Change<'_>, scope: &str, image: Uuid) -> Outcome {
    match read_slot(change, scope)? {
        Some(slot) if slot.image == image => replace(change, scope, slot.content, slot.live, slot.image),
        _ => Ok(Err(Refusal::NothingToUndo)),
    }
}

/// Empties the slot of a scope.
pub(super) fn forget(change: &mut Change<'_>, scope: &str, image: Uuid) -> Outcome {
    match read_slot(change, scope)? {
        Some(slot) if slot.image == image => {
            change.set(previous_key(scope), None);
            Ok(Ok(Reply::Done))
        }
        _ => Ok(Err(Refusal::NothingToUndo)),
    }
}

/// The collection was removed: nothing of it alone can be undone any more.
pub(super) fn forget_collection(change: &mut Change<'_>, name: &str) -> Result<(), Error> {
    let scope = format!("qdrant/{name}");
    forget_inside(change, &scope)?;
    change.set(previous_key(&scope), None);
    Ok(())
}

/// Installs `content`, which is called `live`, and keeps what was there, which was called `before`.
fn replace(change: &mut Change<'_>, scope: &str, content: Content, before: Uuid, live: Uuid) -> Outcome {
    let present = match present(change, &content)? {
        Ok(present) => present,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(refusal) = install(change, content)? {
        return Ok(Err(refusal));
    }
    forget_inside(change, scope)?;
    let slot = Previous { content: present, image: before, live, replaced_at_ms: change.at_ms };
    change.set(previous_key(scope), Some(meta::encode(&slot)));
    Ok(Ok(Reply::Done))
}

fn is_as_expected(change: &Change<'_>, content: &Content, expected: &Expected) -> Result<bool, Error> {
    let named = |name: &str| change.collection(name);
    Ok(match (content, expected) {
        (Content::Storage { .. }, Expected::Anything) => true,
        (Content::Collection { name, .. }, Expected::Absent) => named(name)?.is_none(),
        (Content::Collection { name, .. }, Expected::Revision { uuid, revision }) => {
            named(name)?.is_some_and(|found| found.uuid == *uuid && found.revision == *revision)
        }
        (Content::Shard { collection, shard }, Expected::Generation(generation)) => {
            let found = named(collection)?;
            found.is_some_and(|found| {
                found.shards.iter().any(|own| own.id == shard.id && own.generation == *generation)
            })
        }
        _ => false,
    })
}

/// What is there in the place of `content`.
fn present(change: &Change<'_>, content: &Content) -> Result<Result<Content, Refusal>, Error> {
    Ok(Ok(match content {
        Content::Storage { .. } => {
            let all = change.all()?;
            let collections = all.collections.into_values().map(|found| Collection::clone(&found));
            Content::Storage { collections: collections.collect(), aliases: all.aliases }
        }
        Content::Collection { name, collection, .. } => {
            let goes = collection.is_none();
            let aliases = change.all()?.aliases.into_iter().filter(|(_, target)| goes && target == name);
            let aliases = aliases.map(|(alias, _)| alias).collect();
            Content::Collection { name: name.clone(), collection: change.collection(name)?, aliases }
        }
        Content::Shard { collection, shard } => {
            let Some(found) = change.collection(collection)? else {
                return Ok(Err(Refusal::NoCollection(collection.clone())));
            };
            let Some(own) = found.shards.into_iter().find(|own| own.id == shard.id) else {
                return Ok(Err(Refusal::Changed));
            };
            Content::Shard { collection: collection.clone(), shard: own }
        }
    }))
}

fn install(change: &mut Change<'_>, content: Content) -> Result<Result<(), Refusal>, Error> {
    match content {
        Content::Storage { collections, aliases } => {
            let before = change.all()?;
            for alias in before.aliases.keys() {
                change.set(alias_key(alias), None);
            }
            for name in before.collections.keys() {
                change.set(collection_key(name), None);
            }
            for collection in collections {
                let known = before.collections.get(&collection.name);
                change.put(&raised(collection, known.map(|known| &**known)));
            }
            for (alias, target) in aliases {
                if !change.exists(&target)? {
                    return Ok(Err(Refusal::NoCollection(target)));
                }
                if change.exists(&alias)? {
                    return Ok(Err(Refusal::Exists(alias)));
                }
                change.set(alias_key(&alias), Some(meta::encode(&target)));
            }
        }
        Content::Collection { name, collection: Some(collection), aliases } => {
            if change.alias(&name)?.is_some() {
                return Ok(Err(Refusal::IsAlias(name)));
            }
            let known = change.collection(&name)?;
            change.put(&raised(collection, known.as_ref()));
            for alias in aliases {
                if change.alias(&alias)?.is_none() && !change.exists(&alias)? {
                    change.set(alias_key(&alias), Some(meta::encode(&name)));
                }
            }
        }
        Content::Collection { name, collection: None, .. } => {
            for (alias, target) in change.all()?.aliases {
                if target == name {
                    change.set(alias_key(&alias), None);
                }
            }
            change.set(collection_key(&name), None);
        }
        Content::Shard { collection, shard } => {
            let Some(mut found) = change.collection(&collection)? else {
                return Ok(Err(Refusal::NoCollection(collection)));
            };
            let Some(own) = found.shards.iter_mut().find(|own| own.id == shard.id) else {
                return Ok(Err(Refusal::Changed));
            };
            *own = shard;
            found.revision += 1;
            change.put(&found);
        }
    }
    Ok(Ok(()))
}

/// `collection`, in a revision above every one it had.
fn raised(collection: Collection, known: Option<&Collection>) -> Collection {
    let known = known.filter(|known| known.uuid == collection.uuid);
    let revision = known.map_or(0, |known| known.revision).max(collection.revision) + 1;
    Collection { revision, ..collection }
}

fn read_slot(change: &Change<'_>, scope: &str) -> Result<Option<Previous>, Error> {
    let found = change.get(&previous_key(scope))?;
    found.map(|bytes| meta::decode("previous collections", &bytes)).transpose()
}

/// Empties the slots of the scopes inside `scope`: what they would undo is gone.
fn forget_inside(change: &mut Change<'_>, scope: &str) -> Result<(), Error> {
    let inside: Vec<Bytes> = change.keys(&previous_key(&format!("{scope}/")))?;
    inside.into_iter().for_each(|key| change.set(key, None));
    Ok(())
}
