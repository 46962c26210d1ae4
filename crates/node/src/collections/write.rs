//! Changes of points: checked, split by shard, resolved to ids, and logged by each shard's group.

use futures_util::future::join_all;
use points::engine::{CreateIndex, FieldIndexOperations, JsonPath, PayloadFieldSchema, UpdateOperation};
use points::{Operation, Reply, Update};
use records::qdrant::Command;
use uuid::Uuid;

use super::Updated;
use super::lifecycle::{Moved, done};
use super::read::Collection;
use super::shards::{Hosted, Key};
use crate::error::{Error, Kind, Result, blocking, to_the_end};
use crate::node::Node;

impl Collection {
    /// Makes one change. When this returns it is durable on a quorum of every shard concerned, and can be read.
    ///
    /// An error of one shard, or over one of several points, does not take back what the others did.
    pub async fn update(&self, update: Update) -> Result<Updated> {
        if !update.only_removes() {
            self.node.check_points_disk()?;
        }
        let mut collection = self.clone();
        to_the_end(async move {
            let (mut left, mut highest) = (vec![update], 0);
            loop {
                let (mut parts, described) = (Vec::new(), &collection.described);
                for update in left.drain(..) {
                    update.check(&described.config.params)?;
                    let split = described.ring.split(update).into_iter();
                    parts.extend(split.filter_map(|(id, part)| Some((collection.key(id)?, part))));
                }
                let changes = parts.into_iter().map(|(key, part)| change(&collection.node, key, part));
                let mut failed = None;
                for changed in join_all(changes).await {
                    match changed {
                        Ok(Changed::Done(number)) => highest = highest.max(number),
                        Ok(Changed::Moved(part)) => left.push(*part),
                        Err(error) => drop(failed.get_or_insert(error)),
                    }
                }
                match failed {
                    Some(error) => return Err(error),
                    None if left.is_empty() => return Ok(Updated { operation_id: highest }),
                    // A restore came in between: what it did not replace goes to what it brought.
                    None => collection.refresh().await?,
                }
            }
        })
        .await
    }

    /// Indexes a field of the payload. On return every shard has the index.
    pub async fn create_index(&self, field: &str, schema: PayloadFieldSchema) -> Result<Updated> {
        self.node.check_points_disk()?;
        let operation = create_index(field, &schema)?;
        let schema = serde_json::to_string(&schema).expect("a schema is plain data");
        let field = field.to_owned();
        self.index(move |uuid| Command::SetIndex { uuid, field, schema }, operation).await
    }

    /// Drops the index of a field; without one, does nothing.
    pub async fn delete_index(&self, field: &str) -> Result<Updated> {
        let operation = FieldIndexOperations::DeleteIndex(path(field)?);
        let field = field.to_owned();
        self.index(move |uuid| Command::DropIndex { uuid, field }, operation).await
    }

    /// First the collection's schema, then every shard: whoever leads a shard next compares the two.
    async fn index(
        &self,
        command: impl FnOnce(Uuid) -> Command + Send + 'static,
        operation: FieldIndexOperations,
    ) -> Result<Updated> {
        let operation = Operation::new(UpdateOperation::FieldIndexOperation(operation))?.encode();
        let mut collection = self.clone();
        to_the_end(async move {
            let node = collection.node.clone();
            let _changing = node.shards().gate.read().await;
            // As it is now that nobody exchanges it.
            collection.refresh().await?;
            let command = command(collection.described.record.uuid);
            done(node.propose_collections(command).await?)?;
            let changes = collection.described.keys().map(|key| {
                let (node, operation) = (node.clone(), operation.clone());
                async move {
                    let hosted = node.ready_shard(key).await?;
                    let _gate = hosted.gate.read().await;
                    propose(&hosted, vec![operation]).await
                }
            });
            last(join_all(changes).await)
        })
        .await
    }
}

pub(super) fn create_index(field: &str, schema: &PayloadFieldSchema) -> Result<FieldIndexOperations> {
    let (field_name, field_schema) = (path(field)?, Some(schema.clone()));
    Ok(FieldIndexOperations::CreateIndex(CreateIndex { field_name, field_schema }))
}

fn path(field: &str) -> Result<JsonPath> {
    field.parse().map_err(|()| Error::new(Kind::Invalid, format!("Invalid json path: '{field}'")))
}

/// The highest of the numbers, or the first error.
fn last(parts: Vec<Result<u64>>) -> Result<Updated> {
    let numbers = parts.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Updated { operation_id: numbers.into_iter().max().unwrap_or(0) })
}

/// What became of the part of a change that concerns one shard.
enum Changed {
    /// Logged, under this number.
    Done(u64),
    /// Not made: the shard is its collection's no more.
    Moved(Box<Update>),
}

async fn change(node: &Node, key: Key, update: Update) -> Result<Changed> {
    let hosted = match node.ready_shard(key).await {
        Ok(hosted) => hosted,
        Err(error) if error.cause::<Moved>().is_some() => return Ok(Changed::Moved(Box::new(update))),
        Err(error) => return Err(error),
    };
    // Whoever exchanges a shard holds its gate until the directory says so; whoever closes one, until it is not found.
    let is_live = || node.directory().has(key) && node.shards().is_open(key, &hosted);
    let number = if update.depends_on_state() {
        let _gate = hosted.gate.write().await;
        if !is_live() {
            return Ok(Changed::Moved(Box::new(update)));
        }
        // What timed out before may have been logged since.
        hosted.group.confirm().await?;
        let shard = hosted.shard().live()?;
        let entries = blocking(move || Ok(update.resolve(&shard)?)).await?;
        propose(&hosted, entries).await?
    } else {
        let _gate = hosted.gate.read().await;
        if !is_live() {
            return Ok(Changed::Moved(Box::new(update)));
        }
        let shard = hosted.shard().live()?;
        let entries = update.resolve(&shard)?;
        propose(&hosted, entries).await?
    };
    Ok(Changed::Done(number))
}

/// Logs the entries in order; the number of the last one. A refusal keeps none of the others from being made.
async fn propose(hosted: &Hosted, entries: Vec<bytes::Bytes>) -> Result<u64> {
    let mut number = hosted.group.status().applied.map_or(0, |applied| applied.index);
    let mut refused = None;
    for entry in entries {
        let (position, reply) = hosted.group.propose(entry).await?;
        number = position.index;
        if let Reply::Refused(error) = Reply::decode(&reply)? {
            refused.get_or_insert(error);
        }
    }
    match refused {
        None => Ok(number),
        Some(error) => Err(error.into()),
    }
}
