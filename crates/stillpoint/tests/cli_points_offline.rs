//! What the binary does with Qdrant's archives when no server is involved.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{self, Cursor, Write};
use std::path::PathBuf;
use std::process::Stdio;

use archive::qdrant::{
    CollectionContent, Extents, FullContent, Pack, Packing, SegmentContent, ShardAt, ShardContent, Source,
};
use sha2::{Digest, Sha256};
use support::Cli;

const STATE: &str = r#"{"version":4,"config":{"vector_data":{"":{"size":8,"distance":"Dot","index":{"type":"hnsw","options":{"m":16}}}}}}"#;

/// The least that a segment has, and a list of two points.
struct Made;

impl Source for Made {
    type File = Cursor<&'static [u8]>;

    fn open(&mut self, _: ShardAt<'_>, _: &str, path: &str) -> io::Result<Self::File> {
        Ok(Cursor::new(match path {
            "segment.json" => STATE.as_bytes(),
            "version.info" => b"0.6.0",
            _ => b"\x01\x07\0\0\0\0\0\0\0\0\0\0\0\x01\x08\0\0\0\0\0\0\0\x01\0\0\0",
        }))
    }
}

fn shard() -> ShardContent {
    let uuid = "00000000-0000-4000-8000-000000000001".to_owned();
    let files = [("segment.json", STATE.len()), ("version.info", 5), ("mutable_id_tracker.mappings", 26)];
    let files = files.map(|(path, bytes)| (path.to_owned(), Extents::dense(bytes as u64)));
    let segments = vec![SegmentContent { uuid, files: files.into() }];
    ShardContent { id: 0, peer_id: 1, first_operation: 9, segments }
}

fn collection() -> CollectionContent {
    let config = r#"{"params":{"vectors":{"size":8,"distance":"Dot","on_disk":true},"shard_number":1},"hnsw_config":{"m":16}}"#;
    let schema = br#"{"schema":{"city":"keyword","at":{"type":"datetime","is_principal":true}}}"#.to_vec();
    CollectionContent { config: config.into(), schema, shards: vec![shard()] }
}

fn write(pack: &Pack) -> Vec<u8> {
    pack.write(&mut Made, Vec::new()).unwrap()
}

fn full() -> Vec<u8> {
    let collections = [("a".to_owned(), ("a.snapshot".to_owned(), collection()))].into();
    write(&Pack::full(FullContent { collections, aliases: [("b".to_owned(), "a".to_owned())].into() }))
}

fn cli_with(name: &str, content: &[u8]) -> Cli {
    let cli = Cli::new();
    cli.write(name, content);
    cli
}

/// Where the genuine archives are, if there are any on this machine.
fn genuine() -> Option<PathBuf> {
    let directory = std::env::var_os("STILLPOINT_FIXTURES")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"));
    let found = directory.join("qdrant").is_dir().then(|| directory.join("qdrant"));
    if found.is_none() {
        eprintln!("skipped: no genuine fixtures");
    }
    found
}

#[test]
fn inspect_shows_what_is_in_it() {
    let cli = cli_with("a.snapshot", &full());
    let text = cli.run(&["inspect", "a.snapshot"]).expect(0, "").text().to_owned();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let bytes = STATE.len() + 5 + 26;
    for expected in [
        "Kind full snapshot",
        "Points 2",
        "Hashes SHA256SUMS",
        "Alias b -> a",
        "Collection a",
        "HNSW m=16",
        "dense 8 Dot on_disk=true",
        "at type=datetime is_principal=true",
        "city keyword",
        &format!("0 1 2 {bytes} {bytes} 9"),
        &format!("00000000-0000-4000-8000-000000000001 0 0.6.0 2 3 {bytes} {bytes} hnsw"),
    ] {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert!(lines.contains(&expected), "{expected:?} is not in:\n{text}");
    }
    let json = cli.run(&["inspect", "a.snapshot", "--json"]).expect(0, "").json();
    assert_eq!((json["kind"].as_str(), json["points"].as_u64()), (Some("full snapshot"), Some(2)));
    assert_eq!(json["aliases"]["b"], "a");
    let collection = &json["collections"][0];
    assert_eq!((&collection["name"], &collection["vectors"][0]["size"]), (&"a".into(), &8.into()));
    assert_eq!(collection["shards"][0]["wal"][0], "closed-9");
    assert_eq!(collection["shards"][0]["segments"][0]["config"]["vector_data"][""]["distance"], "Dot");
}

#[test]
fn a_shard_shows_the_vectors_of_its_segments() {
    let archive = write(&Pack::shard(shard(), Packing::Streamable));
    let json = cli_with("a", &archive).run(&["inspect", "a", "--format", "json"]).expect(0, "").json();
    assert_eq!((json["kind"].as_str(), json["sums"].as_str()), (Some("snapshot of a shard"), None));
    assert_eq!(json["collections"][0]["vectors"][0]["distance"], "Dot");
}

#[test]
fn verify_says_what_vouches_for_it() {
    let regular = write(&Pack::collection(collection()));
    let cli = cli_with("a.snapshot", &regular);
    let said = |cli: &Cli| cli.run(&["verify", "a.snapshot"]).expect(0, "").text().to_owned();
    let whole = "a.snapshot: whole, of Qdrant, snapshot of a collection, 1 collections, 1 shards, 1 segments, 2 points";
    assert_eq!(said(&cli), format!("{whole}; checksummed (SHA256SUMS)\n"));
    let digest: String = Sha256::digest(&regular).iter().map(|byte| format!("{byte:02x}")).collect();
    cli.write("a.snapshot.checksum", digest.as_bytes());
    assert_eq!(said(&cli), format!("{whole}; checksummed (SHA256SUMS, a.snapshot.checksum)\n"));
    let json = cli.run(&["verify", "a.snapshot", "--json"]).json();
    assert_eq!((json["sha256"].as_str(), json["points"].as_u64()), (Some(digest.as_str()), Some(2)));

    cli.write("a.snapshot.checksum", "0".repeat(64).as_bytes());
    cli.run(&["verify", "a.snapshot"]).expect(4, "a.snapshot.checksum says 0000");
    cli.write("a.snapshot.checksum", b"none");
    cli.run(&["verify", "a.snapshot"]).expect(4, "holds no SHA-256");

    let streamed = write(&Pack::shard(shard(), Packing::Streamable));
    let run = cli_with("a", &streamed).run(&["verify", "a"]).expect(0, "");
    assert!(run.text().ends_with("2 points; unprotected: the archive carries no hashes\n"), "{run}");
}

#[test]
fn both_read_stdin() {
    let cli = Cli::new();
    for command in ["inspect", "verify"] {
        let mut child =
            cli.command(&[command, "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&full()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{command}: {output:?}");
    }
}

#[test]
fn damaged_ones_end_with_4_and_print_no_result() {
    let whole = full();
    let mut flipped = whole.clone();
    flipped[2048] ^= 1;
    for (name, bytes) in [("cut", whole[..whole.len() - 512].to_vec()), ("flipped", flipped)] {
        let cli = cli_with(name, &bytes);
        for command in ["verify", "inspect"] {
            let run = cli.run(&[command, name]).expect(4, "error: ");
            assert!(run.stdout.is_empty(), "{name}: {run}");
        }
    }
}

#[test]
fn options_for_records_mean_nothing_here() {
    let cli = cli_with("a", &full());
    cli.run(&["inspect", "a", "--kv-details"]).expect(2, "--kv-details means nothing");
    cli.run(&["verify", "a", "--allow-unknown-records"]).expect(2, "--allow-unknown-records means nothing");
}

#[test]
fn names_cannot_drive_the_terminal() {
    let mut collection = collection();
    collection.schema = br#"{"schema":{"\u001b[2J":"keyword"}}"#.to_vec();
    let cli = cli_with("a", &write(&Pack::collection(collection)));
    assert!(!cli.run(&["inspect", "a"]).expect(0, "").stdout.contains(&0x1b));
}

#[test]
fn genuine_ones_are_told_of() {
    let Some(directory) = genuine() else { return };
    let cli = Cli::new();
    for (name, kind, points) in [
        ("plain8", "snapshot of a collection", 980),
        ("plain8-shard0", "snapshot of a shard", 980),
        ("named", "snapshot of a collection", 400),
        ("sparse", "snapshot of a collection", 300),
        ("two_shards", "snapshot of a collection", 600),
        ("indexed8", "snapshot of a collection", 495),
        ("full-storage", "full snapshot", 650),
    ] {
        let file = directory.join(format!("{name}.snapshot"));
        let file = file.to_str().unwrap();
        let text = cli.run(&["verify", file]).expect(0, "").text().to_owned();
        assert!(text.contains(kind) && text.contains(&format!(" {points} points; unprotected")), "{text}");
        let json = cli.run(&["inspect", file, "--json"]).expect(0, "").json();
        assert_eq!((json["kind"].as_str(), json["points"].as_u64()), (Some(kind), Some(points)), "{name}");
        cli.run(&["inspect", file]).expect(0, "");
    }
}
