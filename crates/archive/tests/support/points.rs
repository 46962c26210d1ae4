//! Segments in memory: made up, packed into archives, and taken out of them.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use archive::qdrant::{
    CollectionContent, Contents, Error, Extents, FullContent, Limits, Pack, Packing, SegmentContent, ShardAt,
    ShardContent, Sink, Source, Wal, unpack,
};

/// The name of a file of a shard: whose, in which segment, and where.
pub(crate) type Name = (Option<String>, Option<u32>, String, String);

/// Where a file is looked for among those of segments.
const WAL: &str = "wal";

/// Files, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files(pub(crate) BTreeMap<Name, Vec<u8>>);

impl Files {
    /// A segment with what every one has, and the files of these extents.
    pub(crate) fn segment(
        &mut self,
        at: (Option<&str>, Option<u32>),
        number: u32,
        files: &[(String, Extents)],
    ) -> SegmentContent {
        let uuid = format!("00000000-0000-4000-8000-{number:012x}");
        let state = format!(r#"{{"version":{number},"config":{{"vector_data":{{}}}}}}"#);
        let mut found = vec![
            ("segment.json".to_owned(), state.clone().into_bytes(), Extents::dense(state.len() as u64)),
            ("version.info".to_owned(), b"0.6.0".to_vec(), Extents::dense(5)),
        ];
        found.extend(files.iter().map(|(path, extents)| (path.clone(), content(extents), extents.clone())));
        let mut segment = SegmentContent { uuid: uuid.clone(), files: Vec::new() };
        for (path, bytes, extents) in found {
            let (collection, shard) = (at.0.map(str::to_owned), at.1);
            self.0.insert((collection, shard, uuid.clone(), path.clone()), bytes);
            segment.files.push((path, extents));
        }
        segment
    }

    /// A collection of this many shards with two segments each.
    pub(crate) fn collection(
        &mut self,
        member: Option<&str>,
        shards: u32,
        files: &[(String, Extents)],
    ) -> CollectionContent {
        let shards = (0..shards).map(|id| self.shard((member, Some(id)), id, files)).collect::<Vec<_>>();
        let config = format!(r#"{{"params":{{"vectors":{{}},"shard_number":{}}}}}"#, shards.len());
        let schema = br#"{"schema":{"city":"keyword"}}"#.to_vec();
        CollectionContent { config: config.into_bytes(), schema, shards }
    }

    /// A shard with two segments.
    pub(crate) fn shard(
        &mut self,
        at: (Option<&str>, Option<u32>),
        id: u32,
        files: &[(String, Extents)],
    ) -> ShardContent {
        let segments = [2 * id + 2, 2 * id + 1].map(|number| self.segment(at, number, files)).into();
        ShardContent { id, peer_id: 7, first_operation: 100, segments }
    }

    /// An archive of everything, with two collections.
    pub(crate) fn full(&mut self, files: &[(String, Extents)]) -> FullContent {
        let mut full = FullContent::default();
        for (name, shards) in [("b", 2), ("a", 1)] {
            let member = format!("{name}-7-2026-01-02-03-04-05.snapshot");
            let collection = self.collection(Some(&member), shards, files);
            full.collections.insert(name.to_owned(), (member, collection));
        }
        full.aliases.insert("current".into(), "a".into());
        full
    }

    /// The archive of a collection.
    pub(crate) fn of_collection(shards: u32, files: &[(String, Extents)]) -> (Files, Vec<u8>) {
        let mut found = Files::default();
        let content = found.collection(None, shards, files);
        let archive = found.write(&Pack::collection(content));
        (found, archive)
    }

    /// The archive of a shard.
    pub(crate) fn of_shard(packing: Packing, files: &[(String, Extents)]) -> (Files, Vec<u8>) {
        let mut found = Files::default();
        let content = found.shard((None, None), 3, files);
        let archive = found.write(&Pack::shard(content, packing));
        (found, archive)
    }

    /// The archive of everything.
    pub(crate) fn of_all(files: &[(String, Extents)]) -> (Files, Vec<u8>) {
        let mut found = Files::default();
        let content = found.full(files);
        let archive = found.write(&Pack::full(content));
        (found, archive)
    }

    /// Writes an archive, which has the size that was announced.
    pub(crate) fn write(&mut self, pack: &Pack) -> Vec<u8> {
        let archive = pack.write(self, Vec::new()).expect("memory gives and takes everything");
        assert_eq!(archive.len() as u64, pack.bytes());
        archive
    }

    /// What comes out of an archive, without the logs of updates.
    pub(crate) fn read(archive: &[u8], limits: Limits) -> Result<(Contents, Files), Error> {
        let mut sink = Unpacked::default();
        let contents = unpack(archive, limits, &mut sink)?;
        let files = sink.0.into_iter().map(|(name, file)| (name, file.bytes()));
        let files = files.filter(|(name, _)| name.2 != WAL).collect();
        Ok((contents, Files(files)))
    }
}

impl Source for Files {
    type File = Cursor<Vec<u8>>;

    fn open(&mut self, shard: ShardAt<'_>, segment: &str, path: &str) -> io::Result<Self::File> {
        let name = name(shard, segment, path);
        self.0.get(&name).cloned().map(Cursor::new).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Takes everything, but nothing twice.
#[derive(Default)]
struct Unpacked(BTreeMap<Name, MemoryFile>);

/// A file in memory, which is as long as it was announced.
#[derive(Clone)]
pub(crate) struct MemoryFile(Arc<Mutex<Cursor<Vec<u8>>>>);

impl MemoryFile {
    fn new(bytes: u64) -> MemoryFile {
        MemoryFile(Arc::new(Mutex::new(Cursor::new(vec![0; bytes as usize]))))
    }

    fn bytes(self) -> Vec<u8> {
        self.0.lock().expect("no test panics while it writes").get_ref().clone()
    }
}

impl Unpacked {
    fn add(&mut self, name: Name, bytes: u64) -> io::Result<MemoryFile> {
        let file = MemoryFile::new(bytes);
        match self.0.insert(name, file.clone()) {
            None => Ok(file),
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }
}

impl Sink for Unpacked {
    type File = MemoryFile;

    fn segment_file(
        &mut self,
        shard: ShardAt<'_>,
        segment: &str,
        path: &str,
        bytes: u64,
    ) -> io::Result<MemoryFile> {
        self.add(name(shard, segment, path), bytes)
    }

    fn wal_file(&mut self, shard: ShardAt<'_>, wal: Wal, bytes: u64) -> io::Result<MemoryFile> {
        self.add(name(shard, WAL, &wal.to_string()), bytes)
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics while it writes").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for MemoryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.lock().expect("no test panics while it writes").seek(to)
    }
}

fn name(shard: ShardAt<'_>, segment: &str, path: &str) -> Name {
    (shard.collection.map(str::to_owned), shard.shard, segment.to_owned(), path.to_owned())
}

/// A file as it is on disk: data where there is some.
pub(crate) fn content(extents: &Extents) -> Vec<u8> {
    let mut bytes = vec![0; extents.size() as usize];
    for (at, Range { start, end }) in extents.data().iter().enumerate() {
        bytes[*start as usize..*end as usize].fill(at as u8 % 250 + 1);
    }
    bytes
}
