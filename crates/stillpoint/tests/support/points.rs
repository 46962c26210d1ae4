//! Small archives of Qdrant's form, made on the spot, and genuine ones.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use archive::qdrant::{
    CollectionContent, Extents, Pack, Packing, SegmentContent, ShardAt, ShardContent, Source,
};

const SEGMENT: &str = r#"{"version":1,"config":{"vector_data":{}}}"#;
const VERSION: &str = "0.6.0";

/// The archive of a collection with one shard of one segment. What is in it no engine would open.
pub(crate) fn collection() -> Vec<u8> {
    let config = br#"{"params":{"vectors":{},"shard_number":1}}"#.to_vec();
    let schema = br#"{"schema":{}}"#.to_vec();
    write(&Pack::collection(CollectionContent { config, schema, shards: vec![content()] }))
}

/// The archive of a shard, as it is streamed.
pub(crate) fn shard() -> Vec<u8> {
    write(&Pack::shard(content(), Packing::Streamable))
}

fn content() -> ShardContent {
    let file = |name: &str, text: &str| (name.to_owned(), Extents::dense(text.len() as u64));
    let files = vec![file("segment.json", SEGMENT), file("version.info", VERSION)];
    let segment = SegmentContent { uuid: "00000000-0000-4000-8000-000000000001".into(), files };
    ShardContent { id: 0, peer_id: 7, first_operation: 1, segments: vec![segment] }
}

fn write(pack: &Pack) -> Vec<u8> {
    pack.write(&mut Texts, Vec::new()).expect("memory takes everything")
}

struct Texts;

impl Source for Texts {
    type File = Cursor<&'static [u8]>;

    fn open(&mut self, _: ShardAt<'_>, _: &str, path: &str) -> io::Result<Self::File> {
        match path {
            "segment.json" => Ok(Cursor::new(SEGMENT.as_bytes())),
            "version.info" => Ok(Cursor::new(VERSION.as_bytes())),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// An archive of a genuine server, if there is one.
pub(crate) fn genuine(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let fixtures = std::env::var_os("STILLPOINT_FIXTURES").map_or_else(beside, PathBuf::from);
    let path = fixtures.join("qdrant").join(name);
    if !path.exists() {
        eprintln!("skipped: no genuine fixtures");
        return None;
    }
    Some(path)
}
