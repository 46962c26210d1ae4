//! What the shards of an archive become: a collection that is there keeps its settings, one that is missing has
//! those of the archive.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::archive::qdrant::{CollectionContents, Contents, Kind as Form};
use points::config::{CollectionConfig, check_name};
use points::engine::PayloadFieldSchema;
use records::qdrant::{Collection, Content, Expected, Image, Refusal, Shard};
use uuid::Uuid;

use super::super::directory::{Described, Directory};
use super::super::lifecycle::encode;
use super::staging::{Place, PointsPart, StagedShards, generation_of};
use super::{PointsRestore, no_shard};
use crate::blobs::Digest;
use crate::error::{Error, Kind, Result};
use crate::scope::PointsScope;

/// One collection that an archive would replace, or make, or of which it would replace a shard.
pub(super) struct Target {
    /// The member that is its archive, in an archive of several.
    pub(super) member: Option<String>,
    pub(super) name: String,
    pub(super) existing: Option<Arc<Described>>,
    pub(super) config: CollectionConfig,
    /// As the archive has it; `None` if it does not say.
    schema: Option<BTreeMap<String, PayloadFieldSchema>>,
}

/// What a restore would commit.
pub(super) struct Proposal {
    pub(super) content: Content,
    pub(super) expected: Expected,
}

/// What an exchange is made from, besides the archive and what is there.
pub(super) struct Making<'a> {
    pub(super) image: Uuid,
    /// Where nodes that lack the files find the archive.
    pub(super) blob: Option<Digest>,
    /// The nodes of new collections.
    pub(super) nodes: Vec<u64>,
    /// Identifies new collections, by their names.
    pub(super) uuids: &'a BTreeMap<String, Uuid>,
    pub(super) keep_others: bool,
    pub(super) adopt: bool,
}

/// What the archive's collections become. Checks that they fit what is there.
pub(super) fn targets(
    request: &PointsRestore,
    contents: &Contents,
    directory: &Directory,
) -> Result<Vec<Target>> {
    let wanted = match request.scope {
        PointsScope::Storage => Form::Full,
        PointsScope::Collection(_) => Form::Collection,
        PointsScope::Shard(..) => Form::Shard,
    };
    if contents.kind != wanted {
        let what = |form| match form {
            Form::Full => "all collections",
            Form::Collection => "a collection",
            Form::Shard => "a shard",
        };
        let message = format!("the archive is of {}, not of {}", what(contents.kind), what(wanted));
        return Err(Error::new(Kind::Invalid, message));
    }
    contents.collections.iter().map(|collection| target(request, collection, directory)).collect()
}

fn target(request: &PointsRestore, found: &CollectionContents, directory: &Directory) -> Result<Target> {
    let scope = &request.scope;
    let name = match scope.collection().or(found.name.as_deref()) {
        Some(name) => name.to_owned(),
        None => return Err(Error::new(Kind::Corrupt, "the archive has a collection without a name")),
    };
    let existing = directory.collections.get(&name).cloned();
    let member = found.member.clone();
    if let PointsScope::Shard(_, id) = scope {
        let refusal = || Error::new(Kind::NotFound, Refusal::NoCollection(name.clone()).to_string());
        let collection = existing.as_ref().ok_or_else(refusal)?;
        collection.keys().find(|key| key.1 == *id).ok_or_else(|| no_shard(*id))?;
        let config = collection.config.clone();
        return Ok(Target { member, name, existing, config, schema: None });
    }
    if existing.is_none() {
        check_name(&name)?;
    }
    let config = config_of(found)?;
    let schema = schema_of(found)?;
    if let (PointsScope::Collection(_), Some(existing), false) = (scope, &existing, request.adopt) {
        check_fits(&existing.config, &config)?;
        let config = existing.config.clone();
        return Ok(Target { member, name, existing: Some(Arc::clone(existing)), config, schema });
    }
    Ok(Target { member, name, existing, config, schema })
}

fn config_of(found: &CollectionContents) -> Result<CollectionConfig> {
    let document = found.config.as_ref();
    let missing = || Error::new(Kind::Corrupt, "the archive lacks config.json");
    let value = document.ok_or_else(missing)?.value.clone();
    serde_json::from_value(value)
        .map_err(|error| Error::new(Kind::Corrupt, format!("config.json in the archive: {error}")))
}

fn schema_of(found: &CollectionContents) -> Result<Option<BTreeMap<String, PayloadFieldSchema>>> {
    let Some(document) = &found.schema else { return Ok(None) };
    let Some(schema) = document.value.get("schema") else { return Ok(None) };
    serde_json::from_value(schema.clone())
        .map(Some)
        .map_err(|error| Error::new(Kind::Corrupt, format!("payload_index.json in the archive: {error}")))
}

/// In the sentences of genuine servers (`qdrant/qdrant:lib/storage/src/content_manager/snapshots/recover.rs`).
fn check_fits(there: &CollectionConfig, archive: &CollectionConfig) -> Result<()> {
    let differ = |what: &str, there: &dyn std::fmt::Debug, found: &str, archive: &dyn std::fmt::Debug| {
        let message = format!(
            "Snapshot is not compatible with existing collection: \
             Collection {what}: {there:?} Snapshot {found}: {archive:?}"
        );
        Err(Error::new(Kind::Invalid, message))
    };
    let (there, archive) = (&there.params, &archive.params);
    if there.vectors != archive.vectors {
        return differ("vectors", &there.vectors, "Vectors", &archive.vectors);
    }
    if there.shard_number != archive.shard_number {
        return differ("shard number", &there.shard_number, "shard number", &archive.shard_number);
    }
    Ok(())
}

impl Target {
    /// The shards that it needs of the archive.
    pub(super) fn places<'a>(&'a self, scope: &'a PointsScope) -> Box<dyn Iterator<Item = Place> + 'a> {
        match scope {
            PointsScope::Shard(_, id) => Box::new(std::iter::once((self.member.clone(), *id))),
            _ => Box::new((0..self.config.params.shard_number.get()).map(|id| (self.member.clone(), id))),
        }
    }

    /// What the archive makes of it, with the shards of `making`.
    fn record(&self, staged: &StagedShards, making: &Making<'_>, adopt: bool) -> Collection {
        if let (Some(existing), false) = (&self.existing, adopt) {
            let mut record = Collection::clone(&existing.record);
            for shard in &mut record.shards {
                *shard = self.shard(shard.id, shard.nodes.clone(), making);
            }
            return record;
        }
        let known = self.existing.as_ref().map(|existing| existing.record.uuid);
        let uuid = known.or_else(|| making.uuids.get(&self.name).copied()).unwrap_or_else(Uuid::new_v4);
        let config = CollectionConfig { uuid: Some(uuid), ..self.config.clone() };
        let shard = |id| self.shard(id, making.nodes.clone(), making);
        let schema = self.schema.clone().unwrap_or_else(|| {
            // Where the archive does not say, its segments do.
            let own = staged.shards.iter().filter(|((member, _), _)| *member == self.member);
            own.flat_map(|(_, staged)| staged.schema.clone()).collect()
        });
        let text = |schema: &PayloadFieldSchema| serde_json::to_string(schema).expect("plain data");
        Collection {
            name: self.name.clone(),
            uuid,
            config: encode(&config),
            revision: 0,
            shards: (0..config.params.shard_number.get()).map(shard).collect(),
            schema: schema.iter().map(|(field, schema)| (field.clone(), text(schema))).collect(),
        }
    }

    fn shard(&self, id: u32, nodes: Vec<u64>, making: &Making<'_>) -> Shard {
        let image = Image {
            name: making.image,
            blob: making.blob.map(|blob| blob.0.to_vec()),
            member: self.member.clone(),
        };
        let generation = generation_of(making.image, self.member.as_deref());
        Shard { id, generation, nodes, image: Some(image) }
    }
}

/// What is committed, and what it is made to replace.
pub(super) fn propose(
    scope: &PointsScope,
    targets: &[Target],
    contents: &Contents,
    staged: &StagedShards,
    directory: &Directory,
    making: &Making<'_>,
) -> Result<Proposal> {
    match scope {
        PointsScope::Storage => {
            let mut collections: BTreeMap<String, Collection> = BTreeMap::new();
            let mut aliases = BTreeMap::new();
            if making.keep_others {
                let others = directory.collections.iter();
                collections.extend(others.map(|(name, found)| (name.clone(), found.record.as_ref().clone())));
                aliases.clone_from(&directory.aliases);
            }
            for target in targets {
                collections.insert(target.name.clone(), target.record(staged, making, true));
                aliases.remove(&target.name);
            }
            aliases.extend(contents.aliases.clone());
            for (alias, target) in &aliases {
                check_alias(alias, target, &collections)?;
            }
            let content = Content::Storage { collections: collections.into_values().collect(), aliases };
            Ok(Proposal { content, expected: Expected::Anything })
        }
        PointsScope::Collection(name) => {
            let Some(target) = targets.first() else {
                return Err(Error::new(Kind::Corrupt, "no collection"));
            };
            let expected = match &target.existing {
                None => Expected::Absent,
                Some(existing) => {
                    Expected::Revision { uuid: existing.record.uuid, revision: existing.record.revision }
                }
            };
            let collection = Some(target.record(staged, making, making.adopt));
            let content = Content::Collection { name: name.clone(), collection, aliases: Vec::new() };
            Ok(Proposal { content, expected })
        }
        PointsScope::Shard(name, id) => {
            let target = targets.first();
            let existing = target.and_then(|target| target.existing.as_ref().map(|found| (target, found)));
            let Some((target, existing)) = existing else { return Err(no_shard(*id)) };
            let own = existing.record.shards.iter().find(|shard| shard.id == *id);
            let own = own.ok_or_else(|| no_shard(*id))?;
            let shard = target.shard(*id, own.nodes.clone(), making);
            let content = Content::Shard { collection: name.clone(), shard };
            Ok(Proposal { content, expected: Expected::Generation(own.generation) })
        }
    }
}

fn check_alias(alias: &str, target: &str, collections: &BTreeMap<String, Collection>) -> Result<()> {
    let refusal = match (collections.contains_key(target), collections.contains_key(alias)) {
        (false, _) => Refusal::NoCollection(target.to_owned()),
        (_, true) => Refusal::Exists(alias.to_owned()),
        _ => return Ok(check_name(alias)?),
    };
    Err(Error::new(Kind::Corrupt, format!("alias {alias:?} in the archive: {refusal}")))
}

/// What other nodes are asked to stage for `content`.
pub(super) fn parts(content: &Content, targets: &[Target]) -> Vec<PointsPart> {
    let made = content.shards().filter_map(|shard| Some((shard, shard.image.as_ref()?)));
    let mut parts = Vec::new();
    for (shard, image) in made {
        let target = targets.iter().find(|target| target.member == image.member);
        let own =
            target.filter(|target| shard.generation == generation_of(image.name, target.member.as_deref()));
        if let Some(target) = own {
            let config = encode(&target.config);
            parts.push(PointsPart { member: image.member.clone(), shard: shard.clone(), config });
        }
    }
    parts
}
