//! From captured points to the bytes of an archive.

use std::fs::File;
use std::io::{self, Write};

use ::archive::qdrant::{
    CollectionContent, Extents, FullContent, Pack, Packing as Form, SegmentContent, ShardAt, ShardContent,
    Source,
};
use bytes::Bytes;
use futures_util::Stream;
use serde_json::json;
use uuid::Uuid;

use super::Packing;
use super::capture::{CapturedCollection, CapturedShard, PointsCapture};
use crate::error::{self, Result};
use crate::save;
use crate::scope::PointsScope;

impl PointsCapture {
    /// Bytes of the archive.
    pub fn bytes(&self, packing: Packing) -> Result<u64> {
        Ok(self.pack(packing)?.bytes())
    }

    /// Writes the archive. Equal captures give equal bytes. Blocks.
    pub fn write<W: Write + Send>(&self, out: W, packing: Packing) -> Result<W> {
        self.write_pack(&self.pack(packing)?, out)
    }

    /// The same, of what [`pack`](Self::pack) has described.
    pub(super) fn write_pack<W: Write + Send>(&self, pack: &Pack, out: W) -> Result<W> {
        pack.write(&mut Files(self), out).map_err(|error| match error.downcast::<crate::Error>() {
            // Such as a cancel.
            Ok(ours) => ours,
            Err(error) => error::io("write the archive")(error),
        })
    }

    /// Streams the archive. An error in the stream means that the archive was cut.
    pub fn stream(self, packing: Packing) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let metrics = self.hold.metrics();
        save::stream(self.scope.to_string(), metrics, "qdrant", move |out| self.write(out, packing))
    }

    /// What the archive is made of. Looks for the holes of every file.
    pub(super) fn pack(&self, packing: Packing) -> Result<Pack> {
        Ok(match &self.scope {
            PointsScope::Storage => {
                let collections = self.collections.iter().map(|collection| {
                    let name = collection.described.record.name.clone();
                    Ok((name, (collection.member.clone(), self.collection(collection)?)))
                });
                let collections = collections.collect::<Result<_>>()?;
                Pack::full(FullContent { collections, aliases: self.aliases.clone() })
            }
            PointsScope::Collection(_) => {
                let collection = self.collections.first().map(|collection| self.collection(collection));
                Pack::collection(collection.transpose()?.unwrap_or_default())
            }
            PointsScope::Shard(..) => {
                let mut shards = self.collections.iter().flat_map(|collection| &collection.shards);
                let shard = shards.next().map(|shard| self.shard(shard));
                let form = match packing {
                    Packing::Regular => Form::Regular,
                    Packing::Streamable => Form::Streamable,
                };
                Pack::shard(shard.transpose()?.unwrap_or_default(), form)
            }
        })
    }

    fn collection(&self, collection: &CapturedCollection) -> Result<CollectionContent> {
        let record = &collection.described.record;
        let shards = collection.shards.iter().map(|shard| self.shard(shard));
        let schema = json!({ "schema": collection.described.schema });
        Ok(CollectionContent {
            config: record.config.clone().into_bytes(),
            schema: schema.to_string().into_bytes(),
            shards: shards.collect::<Result<_>>()?,
        })
    }

    fn shard(&self, shard: &CapturedShard) -> Result<ShardContent> {
        let segments = shard.capture.segments()?.into_iter().map(|segment| {
            let files = segment.files.into_iter().map(|file| {
                let (_, data) = shard.capture.open(segment.uuid, &file.path)?;
                let extents = Extents::new(file.length, data.into_iter().map(|(start, end)| start..end));
                Ok((file.path, extents))
            });
            Ok(SegmentContent { uuid: segment.uuid.to_string(), files: files.collect::<Result<_>>()? })
        });
        Ok(ShardContent {
            id: shard.id,
            peer_id: self.peer_id,
            first_operation: shard.capture.first_number(),
            segments: segments.collect::<Result<_>>()?,
        })
    }
}

/// The files of a capture.
struct Files<'a>(&'a PointsCapture);

impl Source for Files<'_> {
    type File = File;

    fn open(&mut self, at: ShardAt<'_>, segment: &str, path: &str) -> io::Result<File> {
        let mut collections = self.0.collections.iter();
        let collection = match at.collection {
            Some(member) => collections.find(|found| found.member == member),
            None => collections.next(),
        };
        let mut shards = collection.into_iter().flat_map(|collection| &collection.shards);
        let shard = shards.find(|shard| at.shard.is_none_or(|id| id == shard.id));
        let (Some(shard), Ok(segment)) = (shard, Uuid::try_parse(segment)) else {
            return Err(io::Error::other("a member of no captured shard"));
        };
        Ok(shard.capture.open(segment, path).map_err(io::Error::other)?.0)
    }
}
