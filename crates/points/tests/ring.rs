//! Points are looked for in the shard in which a genuine server put them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use points::Ring;
use points::engine::{EdgeShard, PointId, ScrollRequest};

/// A genuine archive, if there is one: beside the checkout, or where `STILLPOINT_FIXTURES` says.
fn fixture(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let fixtures = std::env::var_os("STILLPOINT_FIXTURES").map_or(beside, PathBuf::from);
    let path = fixtures.join("qdrant").join(name);
    if !path.exists() {
        eprintln!("skipped: no genuine fixtures");
        return None;
    }
    Some(path)
}

/// Unpacks a collection's archive and the archives of its segments in it.
fn unpack(archive: &Path, dir: &Path) {
    tar::Archive::new(File::open(archive).unwrap()).unpack(dir).unwrap();
    for shard in ["0", "1"] {
        for segment in std::fs::read_dir(dir.join(shard).join("segments")).unwrap() {
            let path = segment.unwrap().path();
            let into = path.with_extension("");
            let mut segment = tar::Archive::new(File::open(&path).unwrap());
            for member in segment.entries().unwrap() {
                let mut member = member.unwrap();
                let name = member.path().unwrap().into_owned();
                if let Ok(name) = name.strip_prefix("snapshot/files") {
                    std::fs::create_dir_all(into.join(name).parent().unwrap()).unwrap();
                    member.unpack(into.join(name)).unwrap();
                }
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn genuine_points_are_where_the_ring_says() {
    let Some(archive) = fixture("two_shards.snapshot") else { return };
    let dir = tempfile::tempdir().unwrap();
    unpack(&archive, dir.path());
    let ring = Ring::new([0, 1]);
    let mut counts = BTreeMap::new();
    for id in [0, 1] {
        let shard = EdgeShard::load(&dir.path().join(id.to_string()), None).unwrap();
        let request = ScrollRequest { limit: Some(10_000), ..ScrollRequest::new() };
        for point in shard.scroll(request).unwrap().0 {
            assert_eq!(ring.shard(point.id), id, "{}", point.id);
            *counts.entry(id).or_insert(0) += 1;
        }
    }
    assert_eq!(counts, BTreeMap::from([(0, 315), (1, 285)]));
}

#[test]
fn every_shard_gets_its_part() {
    let ring = Ring::new(0..4);
    let mut counts = [0; 4];
    for id in 0..4_000 {
        counts[ring.shard(PointId::from(id)) as usize] += 1;
    }
    assert!(counts.iter().all(|count| (600..1_400).contains(count)), "{counts:?}");
    assert_eq!(ring, Ring::new([3, 1, 0, 2]), "the order of shards does not matter");
    let alone = Ring::new([0]);
    assert!((0..100).all(|id| alone.shard(PointId::from(id)) == 0));
}
