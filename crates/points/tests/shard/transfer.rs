//! A captured shard on another replica: whole or not at all, whatever bytes come.

use std::sync::Arc;

use points::engine::EdgeShardRead;
use points::{Applied, Keeper, Kind, Position, Shard};

use super::common::{agrees, apply, open, read, settle, wait};
use super::model::{Change, Model};
use super::optimise::upsert;

fn filled(dir: &std::path::Path) -> (Arc<Shard>, Model) {
    let shard = open(dir, &Keeper::new(1));
    let mut model = Model::new();
    for (index, change) in
        [upsert(0, 400, 1.0), Change::Delete((0..50).collect()), upsert(40, 20, 9.0)].into_iter().enumerate()
    {
        apply(&shard, index as u64, &change.operation());
        change.apply(&mut model);
    }
    settle(&shard);
    (shard, model)
}

#[test]
fn a_replica_takes_the_whole_state() {
    let home = tempfile::tempdir().unwrap();
    let (source, model) = filled(&home.path().join("source"));
    let capture = source.capture().unwrap();
    assert_eq!(capture.applied(), &source.applied());
    apply(&source, 3, &Change::Delete((0..400).collect()).operation());

    let mut bytes = Vec::new();
    capture.write_to(&mut bytes).unwrap();
    let dir = capture.dir().to_owned();
    drop(capture);
    assert!(!dir.exists());

    let keeper = Keeper::new(1);
    let target = open(&home.path().join("target"), &keeper);
    apply(&target, 0, &upsert(1000, 30, 2.0).operation());
    let applied = Applied { position: Some(Position { term: 3, index: 77 }), members: vec![1, 2] };
    target.install(applied.clone(), &mut bytes.as_slice()).unwrap();
    agrees(&target.live().unwrap(), &model);
    assert_eq!(target.applied(), applied);

    // The next change must not be ignored for a number that the source had used already.
    let mut model = model;
    let change = upsert(100, 5, 3.0);
    apply(&target, 78, &change.operation());
    change.apply(&mut model);
    agrees(&target.live().unwrap(), &model);
    target.close().unwrap();
    drop(target);
    let target = open(&home.path().join("target"), &keeper);
    assert_eq!(target.applied().members, applied.members);
    agrees(&target.live().unwrap(), &model);
}

#[test]
fn holes_are_not_sent() {
    let home = tempfile::tempdir().unwrap();
    let (source, _) = filled(&home.path().join("source"));
    let mut bytes = Vec::new();
    source.capture().unwrap().write_to(&mut bytes).unwrap();
    assert!(bytes.len() < 8 << 20, "{} bytes for 350 points", bytes.len());
}

#[test]
fn damaged_bytes_change_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (source, model) = filled(&home.path().join("source"));
    let mut whole = Vec::new();
    source.capture().unwrap().write_to(&mut whole).unwrap();

    let live = source.live().unwrap().path().to_owned();
    let refused = |bytes: &[u8], what: &str| {
        let error = source.install(Applied::default(), &mut &*bytes).expect_err(what);
        assert_eq!(error.kind, Kind::Corrupt, "{what}: {error}");
    };
    for cut in [0, 7, 8, 9, 40, whole.len() / 3, whole.len() - 33, whole.len() - 1] {
        refused(&whole[..cut], "cut");
    }
    for place in [0, 8, 9, 11, 30, whole.len() / 2, whole.len() - 40, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[place] ^= 0x10;
        refused(&flipped, "flipped");
    }
    for path in ["../x", "/etc/x", "segments/../../x", "segments", "segments//x", "other", "segments/./x", ""]
    {
        let mut bytes = b"stlpshd1\x01".to_vec();
        bytes.extend((path.len() as u16).to_le_bytes());
        bytes.extend(path.as_bytes());
        bytes.extend(whole.get(30..).unwrap());
        refused(&bytes, path);
    }
    assert_eq!(source.live().unwrap().path(), live);
    agrees(&source.live().unwrap(), &model);
    assert_eq!(read(&source.live().unwrap()), model);
    // What is left is the live generation and the file that names it.
    wait(|| std::fs::read_dir(home.path().join("source")).unwrap().count() == 2);
}
