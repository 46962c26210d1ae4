//! Writes the archives and states that fuzzing starts from into the directory given: small, and with every
//! type of record.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use archive::hashicorp::{Compression, Reader};
use archive::qdrant::{
    CollectionContent, Extents, FullContent, Pack, Packing, SegmentContent, ShardAt, ShardContent, Source,
    Writer,
};
use archive::testing::{Builder, archive, meta, one_of_each};

fn main() -> io::Result<()> {
    let directory = env::args_os().nth(1).map(PathBuf::from).unwrap_or_else(|| "corpus".into());
    let whole = Builder::with_every_kind();
    let small = Builder::new(7).key("a/b", b"1", 5);
    for (name, builder) in [("small", &small), ("every-kind", &whole)] {
        let state = builder.state();
        let meta = meta(7, state.len());
        write(&directory, "container", &format!("{name}.snap"), &builder.archive())?;
        write(&directory, "container", &format!("{name}.tar"), &archive(&meta, &state, Compression::None))?;
        write(&directory, "records", name, &state)?;
    }
    for (number, record) in one_of_each().into_iter().enumerate() {
        let state = Builder::new(7).record(record.kind, record.bytes).state();
        write(&directory, "records", &format!("{number:02}"), &state)?;
    }
    qdrant(&directory)?;
    nomad(&directory)
}

/// Tars with all that ours can have: a directory, a long name, few holes and many.
fn qdrant(directory: &Path) -> io::Result<()> {
    let mut writer = Writer::new(Vec::new());
    writer.directory("0/wal")?;
    writer.bytes("config.json", b"{}")?;
    for (name, stretches) in [("a".repeat(120), 2), ("b".to_owned(), 30)] {
        let extents = Extents::new(40_000, (0..stretches).map(|n| n * 1200..n * 1200 + 10));
        writer.file(&name, &extents, io::repeat(7))?;
    }
    write(directory, "sparse_tar", "every-member", &writer.finish()?)?;

    let shard = || ShardContent { segments: vec![segment()], ..ShardContent::default() };
    let collection = || CollectionContent {
        config: br#"{"params":{"vectors":{}}}"#.to_vec(),
        schema: br#"{"schema":{}}"#.to_vec(),
        shards: vec![shard()],
    };
    let collections = [("a".to_owned(), ("a.snapshot".to_owned(), collection()))].into();
    let full = FullContent { collections, aliases: [("b".to_owned(), "a".to_owned())].into() };
    for (name, pack) in [
        ("shard", Pack::shard(shard(), Packing::Regular)),
        ("streamed", Pack::shard(shard(), Packing::Streamable)),
        ("collection", Pack::collection(collection())),
        ("full", Pack::full(full)),
    ] {
        write(directory, "qdrant_archive", name, &pack.write(&mut Made, Vec::new())?)?;
    }
    Ok(())
}

/// The least that a segment has, and a list of one point.
fn segment() -> SegmentContent {
    let uuid = "00000000-0000-4000-8000-000000000001".to_owned();
    let files = [("segment.json", STATE.len()), ("version.info", 5), ("mutable_id_tracker.mappings", 13)];
    let files = files.map(|(path, bytes)| (path.to_owned(), Extents::dense(bytes as u64)));
    SegmentContent { uuid, files: files.into() }
}

const STATE: &[u8] = br#"{"version":4,"config":{}}"#;

struct Made;

impl Source for Made {
    type File = io::Cursor<&'static [u8]>;

    fn open(&mut self, _: ShardAt<'_>, _: &str, path: &str) -> io::Result<Self::File> {
        Ok(io::Cursor::new(match path {
            "segment.json" => STATE,
            "version.info" => b"0.6.0",
            _ => b"\x01\x07\0\0\0\0\0\0\0\0\0\0\0",
        }))
    }
}

/// States that genuine Nomad code wrote, small ones: large ones slow fuzzing down.
fn nomad(directory: &Path) -> io::Result<()> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/archive/tests/fixtures/nomad");
    for name in ["legacy.snap", "every-kind.snap"] {
        let mut state = Vec::new();
        Reader::new(fs::File::open(fixtures.join(name))?).read_to_end(&mut state)?;
        let records = archive::state::Records::new(state.as_slice()).map_err(io::Error::other)?;
        for (number, record) in records.enumerate() {
            let record = record.map_err(io::Error::other)?;
            if record.bytes.len() < 1024 {
                let state = [&[0x80, record.kind], record.bytes.as_slice()].concat();
                write(directory, "records", &format!("nomad-{name}-{number:02}"), &state)?;
            }
        }
    }
    Ok(())
}

fn write(directory: &Path, target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let directory = directory.join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(name), bytes)
}
