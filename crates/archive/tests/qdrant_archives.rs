//! Whole archives: genuine ones are read to the last number that is known of them, and ours come back as they were
//! described.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges are what this is about")]

mod support;

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use archive::qdrant::{Contents, Extents, FullContent, Kind, Limits, Pack, Packing, Sums, verify};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::points::Files;

/// A genuine archive, and what is known of it.
fn genuine(name: &str) -> Option<(Contents, Value)> {
    let tar = support::fixture(&format!("qdrant/{name}.snapshot"))?;
    let expected: Value = serde_json::from_slice(&support::fixture("qdrant/expected.json")?).unwrap();
    let contents = verify(&tar[..], Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    Some((contents, expected[format!("{name}.snapshot")].clone()))
}

/// Files of segments: long names, holes and none.
fn files() -> impl Strategy<Value = Vec<(String, Extents)>> {
    let stretches = prop::collection::vec((0u64..3000, 0u64..2000), 0..30);
    let extents = (0u64..50_000, stretches).prop_map(|(size, stretches)| {
        let mut at = 0;
        let ascending = stretches.into_iter().map(|(gap, length)| -> Range<u64> {
            let start = at + gap;
            at = start + length;
            start..at
        });
        Extents::new(size, ascending.collect::<Vec<_>>())
    });
    prop::collection::vec((1usize..250, extents), 0..4).prop_map(|files| {
        let name = |(at, (length, extents)): (usize, (usize, Extents))| {
            (format!("payload_index/{at}/{}", "n".repeat(length)), extents)
        };
        files.into_iter().enumerate().map(name).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_was_packed_comes_out_again(files in files(), shards in 1u32..4) {
        let (packed, archive) = Files::of_collection(shards, &files);
        let (contents, found) = Files::read(&archive, Limits::default()).unwrap();
        prop_assert!(found == packed);
        prop_assert_eq!((contents.kind, contents.sums), (Kind::Collection, Sums::Checked));
        let collection = &contents.collections[0];
        prop_assert_eq!(collection.shards.len(), shards as usize);
        for shard in &collection.shards {
            prop_assert_eq!(shard.first_operation(), 100);
        }

        for packing in [Packing::Regular, Packing::Streamable] {
            let (packed, archive) = Files::of_shard(packing, &files);
            let (contents, found) = Files::read(&archive, Limits::default()).unwrap();
            prop_assert!(found == packed);
            let sums = if packing == Packing::Regular { Sums::Checked } else { Sums::Absent };
            prop_assert_eq!((contents.kind, contents.sums), (Kind::Shard, sums));
        }

        let (packed, archive) = Files::of_all(&files);
        let (contents, found) = Files::read(&archive, Limits::default()).unwrap();
        prop_assert!(found == packed);
        prop_assert_eq!((contents.kind, contents.sums), (Kind::Full, Sums::Checked));
        let names: Vec<_> = contents.collections.iter().filter_map(|found| found.name.as_deref()).collect();
        prop_assert_eq!(names, ["a", "b"]);
        prop_assert_eq!(contents.aliases["current"].as_str(), "a");
    }
}

/// The order in which something is described does not show.
#[test]
fn equal_contents_give_equal_bytes() {
    let mut files = vec![("b".to_owned(), Extents::dense(10)), ("a".to_owned(), Extents::dense(20))];
    let there = Files::of_all(&files).1;
    files.reverse();
    assert!(Files::of_all(&files).1 == there);
}

/// What nobody could read again is not written.
#[test]
fn names_that_no_reader_takes_are_refused_before_anything_is_written() {
    for (first, second) in
        [("x.snapshot", "x.snapshot"), ("a\nb.snapshot", "y.snapshot"), ("../x", "y.snapshot")]
    {
        let mut found = Files::default();
        let mut full = FullContent::default();
        for (name, member) in [("a", first), ("b", second)] {
            full.collections.insert(name.into(), (member.into(), found.collection(Some(member), 1, &[])));
        }
        let mut out = Vec::new();
        let refused = Pack::full(full).write(&mut found, &mut out).unwrap_err();
        assert_eq!((refused.kind(), out.len()), (io::ErrorKind::InvalidInput, 0), "{first:?} {second:?}");
    }
}

#[test]
fn genuine_archives_of_collections_are_read_whole() {
    for name in ["plain8", "named", "sparse", "two_shards", "indexed8"] {
        let Some((contents, expected)) = genuine(name) else { return };
        assert_eq!((contents.kind, contents.sums), (Kind::Collection, Sums::Absent), "{name}");
        let collection = &contents.collections[0];
        assert_eq!((&collection.name, &collection.version), (&None, &Some("0.4.2".into())), "{name}");
        let points: Option<u64> = collection.shards.iter().map(|shard| shard.points()).sum();
        assert_eq!(points, expected["points_count"].as_u64(), "{name}");
        assert_eq!(json!(collection.segments().count()), expected["segments_count"], "{name}");

        let mut config = collection.config.clone().unwrap().value;
        // Told by no API.
        config.as_object_mut().unwrap().remove("uuid");
        assert_eq!(config, expected["config"], "{name}");
        let schema = collection.schema.clone().unwrap().value;
        let fields = |schema: &Value| -> Vec<String> {
            let mut fields: Vec<_> = schema.as_object().unwrap().keys().cloned().collect();
            fields.sort();
            fields
        };
        assert_eq!(fields(&schema["schema"]), fields(&expected["payload_schema"]), "{name}");
    }
}

#[test]
fn the_genuine_archive_of_a_shard_is_read_whole() {
    let Some((contents, expected)) = genuine("plain8-shard0") else { return };
    assert_eq!((contents.kind, contents.sums), (Kind::Shard, Sums::Absent));
    let [collection] = &contents.collections[..] else { panic!("{contents:?}") };
    assert_eq!((&collection.config, &collection.schema), (&None, &None));
    let [shard] = &collection.shards[..] else { panic!("{collection:?}") };
    assert_eq!((shard.id, shard.points()), (None, expected["points_count"].as_u64()));
    assert_eq!(shard.first_operation(), 27);
}

#[test]
fn the_genuine_archive_of_everything_is_read_whole() {
    let Some((contents, _)) = genuine("full-storage") else { return };
    assert_eq!((contents.kind, contents.sums), (Kind::Full, Sums::Absent));
    let points = |shard: &archive::qdrant::ShardContents| shard.points().unwrap();
    let found: Vec<(&str, Vec<u64>)> = contents
        .collections
        .iter()
        .map(|found| (found.name.as_deref().unwrap(), found.shards.iter().map(points).collect()))
        .collect();
    assert_eq!(found, [("tiny", vec![50]), ("two_shards", vec![315, 285])]);
    let aliases: Vec<(&str, &str)> =
        contents.aliases.iter().map(|(alias, name)| (alias.as_str(), name.as_str())).collect();
    assert_eq!(aliases, [("current", "tiny"), ("prod-alias", "two_shards")]);
}

/// What everybody has at hand takes ours apart and checks it.
#[test]
fn gnu_tar_and_sha256sum_read_ours() {
    let run = |program: &str, arguments: &[&str], directory: &Path| {
        let found = Command::new(program).args(arguments).current_dir(directory).output();
        found.ok().map(|output| {
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&said));
        })
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("qdrant-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    if run("tar", &["--version"], &directory).is_none() {
        eprintln!("skipped: no tar");
        return;
    }
    let files = vec![
        ("payload_index/".to_owned() + &"n".repeat(200), Extents::new(100_000, [0..512, 50_000..60_000])),
        ("vector_storage/vectors/chunk_0.mmap".to_owned(), Extents::new(1 << 20, [4096..8192])),
    ];
    let (packed, archive) = Files::of_collection(2, &files);
    fs::write(directory.join("a.tar"), archive).unwrap();
    run("tar", &["xf", "a.tar"], &directory);
    run("sha256sum", &["--check", "--strict", "SHA256SUMS"], &directory);
    // And what it makes of the directory again is read, whatever the order.
    run("tar", &["cSf", "b.tar", "--format=gnu", "--exclude=[ab].tar", "."], &directory);
    let (contents, found) =
        Files::read(&fs::read(directory.join("b.tar")).unwrap(), Limits::default()).unwrap();
    assert!(found == packed);
    assert_eq!(contents.sums, Sums::Checked);
    for ((_, shard, segment, path), content) in &packed.0 {
        let inside = directory.join(shard.unwrap().to_string()).join("segments");
        run("tar", &["xf", &format!("{segment}.tar")], &inside);
        assert!(fs::read(inside.join("snapshot/files").join(path)).unwrap() == *content, "{path}");
        fs::remove_dir_all(inside.join("snapshot")).unwrap();
    }
    fs::remove_dir_all(directory).unwrap();
}
