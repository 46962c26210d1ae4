//! Makes archives of collections, of shards and of everything: described first, so that their size is known, then
//! written as one stream.
//!
//! Like `qdrant/qdrant:lib/collection/src/collection/snapshots.rs`, `lib/shard/src/snapshots` and
//! `lib/storage/src/content_manager/snapshots` make them, with `SHA256SUMS` at the end.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::sync::Arc;

use serde_json::json;

use super::entries::clean;
use super::layout::SUMS;
use super::sums::{self, Hashing};
use super::{END_BYTES, Error, Extents, ShardAt, Writer, member_bytes};

/// The format of collections that genuine servers of today write.
const COLLECTION_VERSION: &[u8] = b"0.4.2";
/// The archive is of one collection, which no clients' keys divide.
const NO_SHARD_KEYS: &[u8] = b"[]";
/// What a log of updates begins with: four bytes of magic, four of a seed, and place for nothing.
const EMPTY_LOG: [u8; 64] = {
    let mut log = [0; 64];
    (log[0], log[1], log[2]) = (b'w', b'a', b'l');
    log
};
const COPY_BYTES: usize = 256 << 10;

/// How segments lie in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One tar per segment inside the archive: what is stored.
    Regular,
    /// The files of segments as members, without `SHA256SUMS`: what is streamed.
    Streamable,
}

/// The archive of everything.
#[derive(Clone, Debug, Default)]
pub struct FullContent {
    /// By the collections' names: the member that becomes its archive, which ends with `.snapshot`, and what is in it.
    pub collections: BTreeMap<String, (String, CollectionContent)>,
    /// Which collection an alias stands for.
    pub aliases: BTreeMap<String, String>,
}

/// A collection.
#[derive(Clone, Debug, Default)]
pub struct CollectionContent {
    /// `config.json`.
    pub config: Vec<u8>,
    /// `payload_index.json`.
    pub schema: Vec<u8>,
    /// The shards, all there are.
    pub shards: Vec<ShardContent>,
}

/// A shard.
#[derive(Clone, Debug, Default)]
pub struct ShardContent {
    /// Its number.
    pub id: u32,
    /// What this node calls itself.
    pub peer_id: u64,
    /// The number of the operation that comes next, above those of all points: a genuine server ignores updates
    /// with lower ones.
    pub first_operation: u64,
    /// Its segments.
    pub segments: Vec<SegmentContent>,
}

/// A segment.
#[derive(Clone, Debug, Default)]
pub struct SegmentContent {
    /// Its name.
    pub uuid: String,
    /// Its files, as paths in it with `/` between their parts, and where their data lie.
    pub files: Vec<(String, Extents)>,
}

/// Where the bytes of segments come from.
pub trait Source {
    /// An open file.
    type File: Read + Seek;

    /// Opens the file that is `path` in the segment `segment` of a shard. It is at least as long as was described.
    fn open(&mut self, shard: ShardAt<'_>, segment: &str, path: &str) -> io::Result<Self::File>;
}

/// An archive to be.
#[derive(Debug)]
pub struct Pack {
    members: Vec<Member>,
    has_sums: bool,
}

#[derive(Debug)]
struct Member {
    name: String,
    extents: Extents,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Bytes(Vec<u8>),
    File { collection: Option<Arc<str>>, shard: Option<u32>, segment: Arc<str>, path: String },
    Pack(Pack),
}

impl Pack {
    /// The archive of everything. Its `SHA256SUMS` covers the archives in it, which therefore have none.
    pub fn full(content: FullContent) -> Pack {
        let mut members = Vec::new();
        let mut mapping = BTreeMap::new();
        for (name, (member, collection)) in content.collections {
            let at: Arc<str> = member.as_str().into();
            members.push(Member::pack(member.clone(), Pack::of_collection(collection, Some(at))));
            mapping.insert(name, member);
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let config = json!({"collections_mapping": mapping, "collections_aliases": content.aliases});
        members.push(Member::bytes("config.json", format!("{config:#}").into_bytes()));
        Pack { members, has_sums: true }
    }

    /// The archive of a collection.
    pub fn collection(content: CollectionContent) -> Pack {
        Pack { has_sums: true, ..Pack::of_collection(content, None) }
    }

    /// The archive of a shard.
    pub fn shard(content: ShardContent, packing: Packing) -> Pack {
        let members = Member::of_shard(content, None, None, packing);
        Pack { members, has_sums: packing == Packing::Regular }
    }

    fn of_collection(content: CollectionContent, at: Option<Arc<str>>) -> Pack {
        let mut shards = content.shards;
        shards.sort_by_key(|shard| shard.id);
        let mut members = Vec::new();
        for shard in shards {
            let id = Some(shard.id);
            members.extend(Member::of_shard(shard, at.clone(), id, Packing::Regular));
        }
        members.push(Member::bytes("version.info", COLLECTION_VERSION));
        members.push(Member::bytes("config.json", content.config));
        members.push(Member::bytes("shard_key_mapping.json", NO_SHARD_KEYS));
        members.push(Member::bytes("payload_index.json", content.schema));
        Pack { members, has_sums: false }
    }

    /// How many bytes the archive has.
    pub fn bytes(&self) -> u64 {
        let members: u64 =
            self.members.iter().map(|member| member_bytes(&member.name, &member.extents)).sum();
        let sums = self.has_sums.then(|| member_bytes(SUMS, &Extents::dense(self.sums_bytes())));
        members + sums.unwrap_or(0) + END_BYTES
    }

    /// Writes the archive and returns `out`, flushed. What is described alike, and has the same data, has the same
    /// bytes. Fails with `UnexpectedEof` if a file is shorter than described, with `InvalidInput`, before anything
    /// is written, if nobody could read the archive because of its names, and with the errors of both sides.
    pub fn write<S: Source, W: Write>(&self, source: &mut S, out: W) -> io::Result<W> {
        self.check_names()?;
        let mut out = BufWriter::with_capacity(COPY_BYTES / 2, out);
        self.write_to(&mut Copying { source, chunk: vec![0; COPY_BYTES] }, &mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn write_to<S: Source>(&self, copying: &mut Copying<'_, S>, out: &mut dyn Write) -> io::Result<()> {
        let mut writer = Writer::new(out);
        let mut hashing = self.has_sums.then(Hashing::start).transpose()?;
        for member in &self.members {
            if let Some(hashing) = &mut hashing {
                hashing.begin(&member.name);
            }
            match &member.data {
                Data::File { collection, shard, segment, path } => {
                    let at = ShardAt { collection: collection.as_deref(), shard: *shard };
                    let mut file = copying.source.open(at, segment, path)?;
                    writer.copy(&member.name, &member.extents, &mut file, &mut copying.chunk)?;
                }
                data => writer.file_by(&member.name, member.extents.size(), |out| {
                    let out = &mut Tee { out, hashing: hashing.as_mut() };
                    match data {
                        Data::Pack(pack) => pack.write_to(copying, out),
                        Data::Bytes(bytes) => out.write_all(bytes),
                        Data::File { .. } => Ok(()),
                    }
                })?,
            }
        }
        if let Some(hashing) = hashing {
            writer.bytes(SUMS, sums::render(&hashing.finish()?).as_bytes())?;
        }
        writer.finish().map(drop)
    }

    fn check_names(&self) -> io::Result<()> {
        let mut names = HashSet::new();
        for Member { name, data, .. } in &self.members {
            let refused = |error: Error| Err(io::Error::new(io::ErrorKind::InvalidInput, error));
            match clean(name.as_bytes()) {
                Ok(cleaned) if cleaned == *name => {}
                _ => return refused(Error::Name(name.clone())),
            }
            if !names.insert(name) {
                return refused(Error::Twice(name.clone()));
            }
            if let Data::Pack(pack) = data {
                pack.check_names()?;
            }
        }
        Ok(())
    }

    fn sums_bytes(&self) -> u64 {
        sums::rendered_bytes(self.members.iter().map(|member| member.name.as_str()))
    }
}

impl Member {
    fn bytes(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Member {
        let bytes = bytes.into();
        Member { name: name.into(), extents: Extents::dense(bytes.len() as u64), data: Data::Bytes(bytes) }
    }

    fn pack(name: String, pack: Pack) -> Member {
        Member { name, extents: Extents::dense(pack.bytes()), data: Data::Pack(pack) }
    }

    /// The members of a shard; their names begin with its number, if it has one.
    fn of_shard(
        content: ShardContent,
        collection: Option<Arc<str>>,
        shard: Option<u32>,
        packing: Packing,
    ) -> Vec<Member> {
        let under = shard.map(|id| format!("{id}/")).unwrap_or_default();
        let mut segments = content.segments;
        segments.sort_by(|a, b| a.uuid.cmp(&b.uuid));
        let mut members = Vec::new();
        for segment in segments {
            let prefix = match packing {
                Packing::Regular => "snapshot/files/".to_owned(),
                Packing::Streamable => format!("{under}segments/{}/files/", segment.uuid),
            };
            let uuid: Arc<str> = segment.uuid.as_str().into();
            let mut files = segment.files;
            files.sort_by(|a, b| a.0.cmp(&b.0));
            let files = files.into_iter().map(|(path, extents)| Member {
                name: format!("{prefix}{path}"),
                extents,
                data: Data::File { collection: collection.clone(), shard, segment: uuid.clone(), path },
            });
            match packing {
                Packing::Streamable => members.extend(files),
                Packing::Regular => {
                    let pack = Pack { members: files.collect(), has_sums: false };
                    members.push(Member::pack(format!("{under}segments/{}.tar", segment.uuid), pack));
                }
            }
        }
        let peer = content.peer_id;
        let state = json!({"is_local": true, "this_peer_id": peer, "peers": {peer.to_string(): "Active"}})
            .to_string();
        members.push(Member::bytes(format!("{under}wal/closed-{}", content.first_operation), EMPTY_LOG));
        members.push(Member::bytes(format!("{under}replica_state.json"), state));
        members.push(Member::bytes(format!("{under}shard_config.json"), r#"{"type":"ReplicaSet"}"#));
        members
    }
}

struct Copying<'s, S> {
    source: &'s mut S,
    chunk: Vec<u8>,
}

/// Writes, and has what was written hashed.
struct Tee<'a> {
    out: &'a mut dyn Write,
    hashing: Option<&'a mut Hashing>,
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(hashing) = &mut self.hashing {
            hashing.feed(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
